"""Whose wallet a number is, asked of its operator while a customer waits for a price.

A courtesy that may fail: what is late, refused or unknown is no name, never an error. It keeps no
answer and logs neither a name nor a number; who asked before is the session's affair.
"""

import time
from collections.abc import Callable, Mapping

from engine.enquiries import Enquiries
from engine.msisdn import Msisdn
from engine.ports import NamePort
from engine.septets import cut, transliterate

NAME_SECONDS = 2.0
"""Nobody waits longer for a name; a price alone is worth showing."""
ANSWER_SECONDS = 0.25
"""Kept back from a verb's own deadline, so that the price is shown in time."""
HOLDER_SEPTETS_MAX = 14
"""With a blank and a number behind it: the width of `payee_named` in `menus/texts/widths.yaml`."""

TOLD_LENGTH_MAX = 100
"""Of a longer name the rest is left away; nobody is called so."""

_MARKS = " .'-"


class OperatorNames:
    """Asks operators for names, each within a deadline of its own."""

    def __init__(
        self, ports: Mapping[str, NamePort], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`ports`: operator -> who can tell; nobody is asked about wallets of the others."""
        self._ports = ports
        self._monotonic = monotonic
        self._enquiries: Enquiries[str | None] = Enquiries("name", monotonic)

    async def of(self, operator: str, msisdn: Msisdn, due: float) -> str:
        """The holder in the operator's words on one line, or "" when nobody tells in time.

        `shown_holder` is what a screen may show of it. Raises nothing.
        `due` is the reading of the monotonic clock by which the caller must have answered itself.
        Changes nothing, so a repeat is safe; it costs the operator another question.
        """
        port = self._ports.get(operator)
        seconds = min(NAME_SECONDS, due - self._monotonic() - ANSWER_SECONDS)
        if port is None or seconds <= 0 or self._enquiries.rests(operator):
            return ""
        told = await self._enquiries.ask(operator, port.name_of(msisdn), seconds)
        name = (told.answer or "") if told else ""
        return " ".join(name.split())[:TOLD_LENGTH_MAX]

    async def aclose(self) -> None:
        """Wait for questions that were answered as late, before the operators' ports close."""
        await self._enquiries.aclose()


def shown_holder(name: str) -> str:
    """A name on one line of GSM-7, at most `HOLDER_SEPTETS_MAX` septets; "" without a letter.

    Letters and what stands between them: whoever names a wallet cannot write a number, a price or
    a second line on another's screen. A repeat is harmless.
    """
    spelled = transliterate(" ".join(name.split()))
    letters = "".join(c for c in spelled if c.isalpha() or c in _MARKS)
    shown = cut(" ".join(letters.split()), HOLDER_SEPTETS_MAX).strip(_MARKS)
    return shown if any(c.isalpha() for c in shown) else ""
