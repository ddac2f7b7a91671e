"""A screen as the phone shows it, in a frame, with page breaks and what each page costs. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from engine.errors import TextKey
from engine.menu.layout import lay_out, numbered, pages_of
from engine.menu.networks import Network
from engine.menu.screens import PAGED, Screen
from engine.menu.vocabulary import LISTS
from engine.menu.widths import widest_pages
from engine.money import Money
from engine.msisdn import Msisdn
from engine.septets import USSD_UCS2_MAX, fits, is_gsm7, septets, ucs2_units
from engine.texts import FALLBACK, Sentence, Texts

_PAYEE = Msisdn("+256772000002")
_TIME = datetime(2026, 11, 2, 12, 4, tzinfo=UTC)
_PAID, _GOTTEN = Money(100_000, "KES"), Money(27_123, "UGX")
_LIMIT = Money(15_000_000, "KES")

SAMPLES: Mapping[str, Any] = {
    "answer": "CM900123",
    "amount": _PAID, "code": "QX7R2M9KPA", "currency": "KES", "day_left": _LIMIT,
    "fee": Money(1_050, "KES"), "fee_terms": TextKey("price.fee_kept"),
    "kept": "+256772000002 KES 1,000", "language": "English",
    "left": 2, "maximum": _LIMIT, "minimum": Money(1_000, "KES"), "month_left": _LIMIT,
    "name": "Amina", "operator": TextKey("operator.mtn_ug"), "payee": _PAYEE,
    "payee_named": f"Okello James {_PAYEE}",
    "payer": Msisdn("+254712000001"), "payer_operator": TextKey("operator.mpesa_ke"),
    "rate": Decimal("27.1234"), "reason": TextKey("reason.declined"), "receives": _GOTTEN,
    "reference": "C-2F7K9M", "refund": _PAID, "remaining": _LIMIT,
    "requester": Msisdn("+254712000001"), "source": "KES", "state": TextKey("state.paid"),
    "target": "UGX", "time": _TIME, "total": Money(101_050, "KES"),
}  # fmt: skip
"""Variable -> a value as it might be."""

SAMPLE_ITEMS = 3


def preview(
    texts: Texts, screen: Screen, language: str, network: Network, *, widest: bool
) -> Iterator[str]:
    """The lines to print: a frame for each page. `widest` fills every variable to its maximum.

    In a language the network cannot carry, English, as on the phone. Choices that hang on a fact
    are there. A variable without a sample is shown at its widest.
    """
    if texts.encoding(language) == "ucs2" and network.encoding == "gsm7":
        language = FALLBACK
    budget = network.budget_septets
    pages = (
        widest_pages(texts, language, screen, budget)
        if widest
        else _sample_pages(texts, screen, language, budget)
    )
    for number, page in enumerate(pages, 1):
        pages_said = f", page {number} of {len(pages)}" if len(pages) > 1 else ""
        yield f"{screen.name} ({screen.kind}) in {language} on {network.name}{pages_said}"
        yield from _framed(page)
        yield _cost(page, budget)
        yield ""


def _sample_pages(texts: Texts, screen: Screen, language: str, budget: int) -> list[str]:
    laid = lay_out(texts, language, screen)
    lines = [line.text for line in laid.lines]
    if screen.lists is not None:
        item = _filled(texts, language, texts.template(language, LISTS[screen.lists]))
        lines += numbered([item] * SAMPLE_ITEMS, len(laid.lines))
    body = _filled(texts, language, laid.body)
    if screen.kind in PAGED:
        return pages_of(laid, body, lines, lambda text: fits(text, budget))
    footer = laid.footer.line(first=True, last=True)
    return ["\n".join([body, *lines, *([footer] if footer else [])])]


def _filled(texts: Texts, language: str, sentence: Sentence) -> str:
    return sentence.fill(
        {
            name: texts.write(language, name, SAMPLES[name])
            if name in SAMPLES
            else "W" * texts.widths[name]
            for name in sentence.names
        }
    )


def _framed(page: str) -> Iterator[str]:
    lines = page.split("\n")
    width = max(len(line) for line in lines)
    edge = f"+{'-' * (width + 2)}+"
    yield edge
    yield from (f"| {line:<{width}} |" for line in lines)
    yield edge


def _cost(page: str, budget: int) -> str:
    if is_gsm7(page):
        return f"{septets(page)} of {budget} septets"
    return f"{ucs2_units(page)} of {min(USSD_UCS2_MAX, budget * 7 // 16)} UCS-2 units"
