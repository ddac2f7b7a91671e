"""What is asked of an SMS gateway, and what it brings."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from engine.clock import IntentId
from engine.msisdn import Msisdn
from engine.ports.answers import Acknowledgement


class Sms(msgspec.Struct, frozen=True):
    """One text to one phone. `intent_id` is ours; gateways offer no idempotency on it."""

    intent_id: IntentId
    to: Msisdn
    text: str


class SmsAccepted(msgspec.Struct, frozen=True):
    """The gateway took the message and will tell of it under this id."""

    message_id: str
    segments: int | None = None  # as the gateway counts them, if it says so


class SmsReport(msgspec.Struct, frozen=True):
    """A delivery report. `delivered` is None while it is not final.

    `intent_id` is ours, where the gateway lets its address carry it: it settles a message whose
    answer was lost.
    """

    message_id: str
    status: str
    delivered: bool | None
    failure: str = ""
    intent_id: IntentId | None = None


class SmsMessage(msgspec.Struct, frozen=True):
    """A text that somebody sent us. `msisdn` is None when no phone did: a name, a short code.

    The text may be a PIN: it is not in the `repr`.
    """

    message_id: str
    msisdn: Msisdn | None
    text: str
    acknowledgement: Acknowledgement = Acknowledgement(content_type="text/plain")

    def __repr__(self) -> str:
        who = self.msisdn.masked if self.msisdn else None
        return f"SmsMessage({self.message_id!r}, {who}, {len(self.text)} characters)"


class SmsCallback(msgspec.Struct, frozen=True):
    """What an SMS gateway posted. Some sign it together with the address they were given."""

    body: bytes
    url: str = ""  # as the gateway knows it: the public one, query included
    headers: Mapping[str, str] = {}  # names in lower case


class SmsPort(Protocol):
    """An SMS gateway. `send` raises `Rejected`, `Throttled`, `Unreachable`, `OutcomeUnknown`.

    What is read raises `Unreadable`, with the code FORGED when a signature is not the gateway's.
    """

    async def send(self, message: Sms) -> SmsAccepted: ...

    def read_report(self, callback: SmsCallback) -> SmsReport:
        """Translate a delivery report."""
        ...

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        """Translate a message from a phone."""
        ...

    async def aclose(self) -> None: ...
