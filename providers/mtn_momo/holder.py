"""Whose wallet a number is, as MTN tells it. Facts: reference `mtn-momo.md`, section 8.

It refuses to keep anything of the answer but the name: a birthday is nobody's business here.
"""

from typing import Final

from providers.mtn_momo.answers import Answer, query_error_of
from providers.wire import word

HOLDER: Final = "accountholder/msisdn"
_NAME_MAX = 60
_TOLD = {"true": True, "false": False}


def is_holder_active(name: str, answer: Answer) -> bool | None:
    """Whether the wallet is registered and works; None when MTN knows nobody there.

    Older revisions answer with a word. Raises Throttled or OutcomeUnknown for anything else.
    """
    if answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND":
        return None
    told = answer.message.get("result")
    is_active = told if isinstance(told, bool) else _TOLD.get(word(told).lower())
    if answer.status != 200 or is_active is None:
        raise query_error_of(name, answer)
    return is_active


def holder_name_of(name: str, answer: Answer) -> str | None:
    """Given and family name in the order of their fields; None when MTN knows nobody there.

    Its own sandbox swaps the two ([D]), so nothing may rest on which is which. Raises Throttled or
    OutcomeUnknown for an answer that is none.
    """
    if answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND":
        return None
    if answer.status != 200 or not answer.message:
        raise query_error_of(name, answer)
    names = (word(answer.message.get(key)) for key in ("given_name", "family_name"))
    return " ".join(filter(None, names))[:_NAME_MAX] or word(answer.message.get("name")) or None
