"""Terms that were written plain, before keys were set: their numbers sealed where they stand. Pure.

The journal is never rewritten but for this: a number gives way to itself, sealed, and the auditor
opens it to digest the row as it was (`engine/ledger/decisions/0003`). Terms that were sealed as
they were written stay as they are.
"""

import re

from engine.errors import Tampered
from engine.ledger.audit_rows import SEALED_LATER
from engine.payments.facts import open_terms, seal_terms
from engine.privacy.codec import read_sealed
from engine.privacy.holdings import Aging, Changes, Holding
from engine.privacy.places import terms_place
from engine.privacy.seals import Seals


def as_written(text: str, seals: Seals, payment_id: str) -> str:
    """A row's facts as its writer left them; to the byte, for the auditor digests them.

    Raises KeyNotAtHand and Tampered, and ValueError for what is no row of ours.
    """
    kept = _TERMS.search(text)
    if kept is None or not kept[_PAYER].startswith(SEALED_LATER):
        return text
    written = open_terms(text, seals, payment_id)
    plain = _TERMS.search(written)
    if plain is None or kept[_PAYEE] != seals.index(plain[_PAYEE]):
        raise Tampered(f"{terms_place(payment_id)}: the payee's index is another's")
    return written


def _renew(aging: Aging) -> Changes:
    text, payment_id = aging.row["facts"], aging.row["payment"].hex
    kept = _TERMS.search(text)
    payer = kept[_PAYER] if kept is not None else ""
    if payer.startswith(SEALED_LATER):
        sealed = read_sealed(payer.removeprefix(SEALED_LATER))
        if sealed is not None and sealed.version == aging.version:
            return {}
    elif not payer.startswith("+"):
        return {}
    plain = open_terms(text, aging.seals, payment_id)
    sealed_anew = seal_terms(plain, aging.seals, payment_id)
    found = _TERMS.search(sealed_anew)
    assert found is not None, "they are sealed where they stood"
    at = found.start(_PAYER)
    return {"facts": f"{sealed_anew[:at]}{SEALED_LATER}{sealed_anew[at:]}"}


# Of a creation's row, or of a ruling's that stated them anew.
_TERMS = re.compile(r'(?:^|"terms":)\[\["[^"]*","([^"]*)","([^"]*)"')
_PAYER, _PAYEE = 1, 2

OLD_TERMS = Holding(
    "journal", (("payment", "uuid"), ("version", "int")), ("facts",), _renew,
    only="(facts like '[[\"%' or facts like '%\"terms\":[[\"%')"
    " and facts ~ '\\[\\[\"[^\"]*\",\"(\\+|later\\.v1\\.(?!{version}\\.))'",
)  # fmt: skip
"""What `capp data seal` finds in the journal: terms that are plain, or sealed later under an old
key. `{version}` is that of the key in force.
"""
