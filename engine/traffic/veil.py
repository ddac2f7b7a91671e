"""Numbers of a payment's two people, hidden wherever they stand in what is shown. Pure.

What operators name things by may hold a number: M-PESA's `CheckoutRequestID` ends in the payer's
(`reference: mpesa, STK push`). It must be kept whole to be asked about, and is not shown so.
"""

from collections.abc import Iterable
from typing import Any

from engine.msisdn import Msisdn

_TOLD_BY = 8
"""The last digits that make a number, whichever way its beginning is written."""
_SHOWN = 3


class Veil:
    """Hides some numbers in texts, and in JSON of any shape; without numbers it hides nothing."""

    def __init__(self, numbers: Iterable[Msisdn] = ()) -> None:
        self._hidden = [
            (digits[-_TOLD_BY:], "*" * (_TOLD_BY - _SHOWN) + digits[-_SHOWN:])
            for digits in {number.digits for number in numbers}
        ]

    def text(self, text: str) -> str:
        """The text with every such number masked."""
        for number, masked in self._hidden:
            text = text.replace(number, masked)
        return text

    def maybe(self, text: str | None) -> str | None:
        """The same of a text that may not be there."""
        return None if text is None else self.text(text)

    def value(self, value: Any) -> Any:
        """The same of everything in a decoded JSON value, names included."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self.value(part) for name, part in value.items()}
            case list():
                return [self.value(part) for part in value]
            case bool():
                return value
            case int():
                shown = self.text(str(value))
                return value if shown == str(value) else shown
        return value
