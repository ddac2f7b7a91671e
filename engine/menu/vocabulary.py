"""The closed lists a menu may choose from: verbs, readers, lists, facts, and what can be shown.

Names and facts alone. The session room gives each its meaning, and a test proves that both have
the same names and ask the same of a session; a verb more is a row here and a method there.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

RESUME = "resume"
"""The verb that stands for the `resume` of whichever journey was dropped."""

SAYS_YES = ("yes",)
"""The outcomes of a verb that only looks at what was typed, and complains of it or does not."""

CHOICE_MISTAKE, UNREAD_MISTAKE = "mistake.choice", "mistake.read_on"


class VerbFacts(NamedTuple):
    """What the menu must know of a verb.

    `takes`: what it must be given: a reader's value (`pin`) or an item of a list (`item:saved`).
    Of a `one_of` it knows `words` alone. `keeps` is the variable that shows what it was given,
    which it keeps as typed. One whose only outcome is `SAYS_YES` may be a screen's `check`.
    `fills`: the list it makes, for the screen it leads to. `effects`: it changes something outside
    the session, so a dial string may not run it. `asks`: it waits for another room and therefore
    has a deadline, `seconds` at most.

    Of what a session may know (`THINGS`), `needs` must be there before it runs; `makes` is there
    after each outcome, `makes_on` after one of them or after a mistake; `drops` is gone or
    another's after an outcome, `spends` whatever comes of it. `refuses`: without a thing it needs
    it only refuses, by a mistake that must lead to where the thing is made.
    """

    outcomes: tuple[str, ...]
    mistakes: tuple[str, ...] = ()
    takes: str | None = None
    fills: str | None = None
    effects: bool = False
    asks: bool = False
    seconds: float = 5.0
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    makes_on: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    drops: tuple[str, ...] = ()
    spends: tuple[str, ...] = ()
    refuses: Mapping[str, str] = MappingProxyType({})
    words: tuple[str, ...] = ()
    keeps: str | None = None

    def accepts(self, given: str | None) -> bool:
        """Whether it can do with what a screen's input makes; who takes nothing needs nothing."""
        return given in (self.takes.split(" or ") if self.takes else [None])

    def made_on(self, result: str) -> tuple[str, ...]:
        """What it makes for one outcome, or all the same for a mistake."""
        always = self.makes if result in self.outcomes else ()
        return (*always, *self.makes_on.get(result, ()))

    def dropped_on(self, result: str) -> tuple[str, ...]:
        """What was known and is not, after one outcome or a mistake."""
        return (*self.spends, *(self.drops if result in self.outcomes else ()))


class ReaderFacts(NamedTuple):
    """Which sentences may refuse what was typed, and what typing it takes.

    `keys`: key presses on a keypad of twelve for a usual value. `is_short`: two digits may be one.
    """

    mistakes: tuple[str, ...]
    keys: int
    is_short: bool = False


READERS: Mapping[str, ReaderFacts] = {
    "amount": ReaderFacts(("mistake.amount", "mistake.amount_whole"), keys=6, is_short=True),
    "msisdn": ReaderFacts(("mistake.number", "mistake.not_mobile"), keys=12),
    "pin": ReaderFacts(("mistake.pin_format",), keys=4),
    # Letters take two presses on average.
    "code": ReaderFacts(("mistake.code",), keys=20),
    "name": ReaderFacts(("mistake.name",), keys=16),
}

RULES: Mapping[str, tuple[str, ...]] = {
    "regex": (), "range": ("mistake.range",), "one_of": ("mistake.choice",),
}  # fmt: skip
"""Readers that a screen gives a rule of its own -> what they say if it names no `complaint`."""

WORDS_MAX = 9
"""The words of a `one_of` stand under each other, numbered."""

REASONS = ("not_arrived", "wrong_amount", "not_mine", "other")
"""What may be wrong with a payment, as its payer or payee sees it."""

THINGS = (
    "customer", "pin", "payee", "amount", "quote", "code", "summary", "request", "limits", "name",
    "reference", "kept", "answer", "asked",
)  # fmt: skip
"""What a session may know besides the caller's number, network, country and language."""

LISTS: Mapping[str, str] = {
    "languages": "item.language",
    "wallets": "item.wallet",
    "payees": "item.payee",
    "saved": "item.saved",
    "payments": "item.payment",
    "requests": "item.request",
    "asked": "item.asked",
}
"""List -> the text each of its items is written by."""

OTHER_ITEMS: Mapping[str, tuple[str, ...]] = {
    "payments": ("item.received", "item.payment_alike", "item.received_alike"),
}
"""List -> the texts of items that are not like the others."""

ITEMS_MAX = 10
"""No list is longer: two digits find every item, and a session record stays small."""

FACTS: Mapping[str, tuple[str, ...]] = {
    "may_cancel": ("summary",),
    "unsaved": (),
    "may_send_again": ("summary",),
    "may_be_elsewhere": (),
}
"""What a choice's `when` may ask -> the things that must be known to answer."""

_NUMBER_MISTAKES = (
    "mistake.own_number", "mistake.operator_unknown", "mistake.operator_unsupported",
)  # fmt: skip
_PAYEE_MISTAKES = (*_NUMBER_MISTAKES, "no_way.corridor")
_AMOUNT_MISTAKES = (
    "mistake.amount_whole", "mistake.amount_min", "mistake.amount_max", "mistake.limit_payment",
)  # fmt: skip
_PRICE_MISTAKES = (*_NUMBER_MISTAKES, *_AMOUNT_MISTAKES)
_CONFIRM_MISTAKES = (
    "mistake.quote_expired", "mistake.limit_payment", "mistake.limit_day", "mistake.limit_month",
    "mistake.request_gone",
)  # fmt: skip

_WITHOUT_PIN = {"pin": "mistake.pin_differs"}

VERBS: Mapping[str, VerbFacts] = {
    # The beginning of a session.
    "find_customer": VerbFacts(
        ("known", "new", "reset", "dropped", "confirmed"), fills="languages", asks=True,
        makes_on={"known": ("customer",), "reset": ("customer",),
                  "dropped": ("customer", "payee", "kept"), "confirmed": ("customer", "summary")}),
    RESUME: VerbFacts(()),
    "choose_language": VerbFacts(("chosen",), takes="item:languages"),
    "keep_pin": VerbFacts(("kept",), ("mistake.pin_weak",), takes="pin", makes=("pin",)),
    "register": VerbFacts(("registered",), ("mistake.pin_differs",), takes="pin",
                          effects=True, asks=True,
                          needs=("pin",), makes=("customer",), spends=("pin",),
                          refuses=_WITHOUT_PIN),
    "reset_pin": VerbFacts(("changed",), ("mistake.pin_differs", "mistake.reset_over"),
                           takes="pin", effects=True, asks=True,
                           needs=("customer", "pin"), spends=("pin",),
                           refuses=_WITHOUT_PIN),
    # A payment.
    "open_payees": VerbFacts(("ready",), fills="payees", asks=True, needs=("customer",),
                             drops=("payee", "amount", "request")),
    "begin_price": VerbFacts(("ready",)),
    "pick_payee": VerbFacts(("again", "chosen"), _PAYEE_MISTAKES, takes="item:payees", asks=True,
                            needs=("customer",), makes=("payee",), makes_on={"again": ("amount",)},
                            drops=("amount",)),
    "choose_payee": VerbFacts(("chosen",), _PAYEE_MISTAKES, takes="msisdn", asks=True,
                              needs=("customer",), makes=("payee",), drops=("amount",)),
    "quote": VerbFacts(("quoted",), _PRICE_MISTAKES, takes="amount", asks=True,
                       needs=("customer", "payee"), makes=("quote", "amount"),
                       drops=("request",)),
    "quote_again": VerbFacts(("quoted",), _PRICE_MISTAKES, asks=True,
                             needs=("customer", "payee", "amount"), makes=("quote", "amount"),
                             drops=("request",)),
    "open_wallets": VerbFacts(("ready",), fills="wallets", needs=("customer", "payee")),
    "pick_wallet": VerbFacts(("quoted",), _PRICE_MISTAKES, takes="item:wallets", asks=True,
                             needs=("customer", "payee", "quote"), makes=("quote", "amount"),
                             drops=("request",)),
    "pay": VerbFacts(("confirmed", "by_link", "unprompted"),
                     ("mistake.pin_wrong", *_CONFIRM_MISTAKES), takes="pin", effects=True,
                     asks=True, seconds=7.0,
                     needs=("customer", "quote"), makes=("code",), drops=("request",)),
    "pay_by_prompt": VerbFacts(("confirmed", "by_link"), _CONFIRM_MISTAKES,
                               effects=True, asks=True, seconds=7.0,
                               needs=("customer", "quote"), makes=("code",), drops=("request",)),
    "resume_payment": VerbFacts(("priced", "priced_request", "amount", "number"), asks=True,
                                needs=("customer",),
                                makes_on={"priced": ("payee", "quote"), "amount": ("payee",),
                                          "priced_request": ("payee", "quote", "request")},
                                drops=("amount", "request")),
    # Money that is asked for.
    "choose_payer": VerbFacts(("chosen",), (*_PAYEE_MISTAKES, "no_way.asking"), takes="msisdn",
                              asks=True,
                              needs=("customer",), makes=("payee",), drops=("request",)),
    "payable_amount": VerbFacts(SAYS_YES, (*_NUMBER_MISTAKES, "no_way.asking",
                                           "mistake.amount_whole", "mistake.amount_min",
                                           "mistake.amount_max"),
                                takes="amount", asks=True, needs=("customer", "payee")),
    "keep_amount": VerbFacts(("kept",), takes="amount", makes=("amount",)),
    "ask": VerbFacts(("asked",), (*_NUMBER_MISTAKES, "no_way.asking", "mistake.requests_full",
                                  "mistake.amount_whole", "mistake.amount_min",
                                  "mistake.amount_max"),
                     effects=True, asks=True,
                     needs=("customer", "payee", "amount"), makes=("code",)),
    "open_requests": VerbFacts(("some", "none"), fills="requests", asks=True),
    "open_asked": VerbFacts(("some", "none"), fills="asked", asks=True, needs=("customer",)),
    "pick_asked": VerbFacts(("found", "gone"), takes="item:asked", asks=True,
                            needs=("customer",), makes_on={"found": ("asked",)},
                            drops=("asked",)),
    "pick_request": VerbFacts(("found", "gone"), takes="item:requests", asks=True,
                              makes_on={"found": ("request",)}, drops=("request",)),
    "quote_request": VerbFacts(("quoted",), (*_PRICE_MISTAKES, "mistake.request_gone"), asks=True,
                               needs=("customer", "request"), makes=("quote", "payee"),
                               drops=("amount",)),
    "decline": VerbFacts(("declined",), ("mistake.request_gone",), effects=True, asks=True,
                         needs=("customer", "request")),
    # What became of payments.
    "open_payments": VerbFacts(("some", "none"), fills="payments", asks=True, needs=("customer",)),
    "pick_payment": VerbFacts(("sent", "received"), ("mistake.code_unknown",),
                              takes="item:payments", asks=True,
                              needs=("customer",), makes=("summary",), drops=("name",)),
    "find_payment": VerbFacts(("sent", "received"), ("mistake.code_unknown",), takes="code",
                              asks=True,
                              needs=("customer",), makes=("summary",), drops=("name",)),
    "send_again": VerbFacts(("quoted",), (*_PRICE_MISTAKES, "no_way.corridor"), asks=True,
                            needs=("customer", "summary"), makes=("payee", "quote", "amount"),
                            # The price is asked when the payee is taken over already.
                            makes_on=dict.fromkeys(_AMOUNT_MISTAKES, ("payee",)),
                            drops=("request",)),
    "cancel": VerbFacts(("cancelled",), effects=True, asks=True, needs=("customer", "summary")),
    "report": VerbFacts(("reported",), takes="one_of", words=REASONS, effects=True, asks=True,
                        needs=("customer", "summary"), makes=("reference",)),
    # The customer's own things.
    "open_languages": VerbFacts(("ready",), fills="languages"),
    "set_language": VerbFacts(("changed",), takes="item:languages", effects=True, asks=True,
                              needs=("customer",)),
    "show_limits": VerbFacts(("shown",), asks=True, needs=("customer",), makes=("limits",)),
    "check_pin": VerbFacts(("right",), ("mistake.pin_wrong",), takes="pin", effects=True,
                           asks=True, needs=("customer",)),
    "change_pin": VerbFacts(("changed",), ("mistake.pin_differs",), takes="pin", effects=True,
                            asks=True, needs=("customer", "pin"), spends=("pin",),
                            refuses=_WITHOUT_PIN),
    "ask_reset": VerbFacts(("asked",), effects=True, asks=True, needs=("customer",)),
    "open_saved": VerbFacts(("some", "none"), fills="saved", asks=True, needs=("customer",)),
    "pick_saved": VerbFacts(("found",), takes="item:saved", makes=("payee", "name")),
    "keep_number": VerbFacts(("kept",), ("mistake.own_number",), takes="msisdn",
                             makes=("payee",)),
    "keep_payee": VerbFacts(("kept",), needs=("summary",), makes=("payee",)),
    "unused_name": VerbFacts(SAYS_YES, ("mistake.name_taken",), takes="name", asks=True,
                             needs=("customer", "payee")),
    "keep_answer": VerbFacts(("kept",), takes="regex or range", keeps="answer",
                             makes=("answer",)),
    "save_name": VerbFacts(("saved",), ("mistake.recipients_full",), takes="name", effects=True,
                           asks=True, needs=("customer", "payee"), makes=("name",)),
    "remove_saved": VerbFacts(("removed",), effects=True, asks=True, needs=("customer", "payee")),
}  # fmt: skip


def facts_of(verb: str | None) -> VerbFacts | None:
    """What is known of a verb; None for one that nobody knows, and for none."""
    return VERBS.get(verb or "")


SUBJECTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "price": {
        "payee": ("payee",), "payee_named": ("payee",), "source": (), "operator": ("quote",),
        "payer_operator": ("quote",),
        "receives": ("quote",), "target": ("quote",), "rate": ("quote",),
        "amount": ("amount", "quote"), "fee": ("quote",), "fee_terms": ("quote",),
        "total": ("quote",), "code": ("code",), "kept": ("kept",),
    },
    "payment": {
        "code": ("summary",), "time": ("summary",), "amount": ("summary",),
        "receives": ("summary",), "payee": ("summary",), "state": ("summary",),
        "fee": ("summary",), "payer": ("summary",), "reference": ("reference",),
    },
    "request": {
        "code": ("code",), "requester": ("request",), "payer": ("payee",),
        "amount": ("amount", "request"), "currency": (),
    },
    "asked": {
        "code": ("asked",), "time": ("asked",), "payer": ("asked",), "amount": ("asked",),
        "state": ("asked",),
    },
    "account": {
        "payee": ("payee",), "name": ("name",), "maximum": ("limits",), "day_left": ("limits",),
        "month_left": ("limits",),
        "answer": ("answer",),
    },
}  # fmt: skip
"""What a screen is `about` (`price` unless it says otherwise) -> what its text may show -> the
things of which one must be known; none for what every session knows."""
