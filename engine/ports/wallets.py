"""What some can tell or do about a wallet that is not ours."""

from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from engine.clock import AttemptId
from engine.msisdn import Msisdn
from engine.ports.attempts import Finding


@runtime_checkable
class NamePort(Protocol):
    """An operator that tells whose wallet a number is. Not every one can: ask `isinstance`."""

    async def name_of(self, msisdn: Msisdn) -> str | None:
        """The holder's name as the operator writes it, printable and short; None: it knows none.

        Personal: shown to the one who is about to pay and compared with the sanctions lists; never
        logged, and kept, sealed, only where a payment is held by it. Letters may be hidden:
        "J*** D**". Changes nothing, so a repeat is safe. Raises `Throttled`, `Unreachable`,
        `OutcomeUnknown` or `Rejected`: nobody told anything.
        """
        ...


@runtime_checkable
class HolderPort(Protocol):
    """An operator that tells whether a number has a wallet that works. Ask `isinstance`."""

    async def is_active(self, msisdn: Msisdn) -> bool | None:
        """False for one that is closed or barred; None when the operator knows no such wallet.

        True promises nothing about an amount. Changes nothing, so a repeat is safe. Raises as
        `NamePort.name_of` does.
        """
        ...


@runtime_checkable
class SimPort(Protocol):
    """Somebody who tells when the SIM behind a number was changed. Ask `isinstance`, `tells_sims`.

    Whoever takes over a number takes over its prompts and messages: banks ask before they pay.
    """

    tells_sims: bool  # a setting: it is a contract of its own, and each question has a price

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        """The moment of the last change in UTC; None: none that they remember.

        Changes nothing, so a repeat is safe. Raises any `ProviderError`: nobody told anything.
        """
        ...


class PortabilityPort(Protocol):
    """Somebody who knows which operator a number is with now, wherever it was given out first."""

    name: str

    async def operator_of(self, msisdn: Msisdn) -> str | None:
        """The operator by our own name for it; None when they do not know, or mean nobody we name.

        Changes nothing, so a repeat is safe. Raises any `ProviderError`: nobody told anything.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class DeliveryNoticePort(Protocol):
    """An operator that brings a word of ours to who has paid. Ask `isinstance`, then `notifies`."""

    notifies: bool  # a setting: not everybody wants a second message

    async def notify_delivered(self, collected: AttemptId, text: str) -> None:
        """What was paid for is there. Money is not touched, and a repeat may be a second message.

        Raises any `ProviderError`; the payment is what it is without it.
        """
        ...


class Preapproval(msgspec.Struct, frozen=True):
    """A payer is asked to let us collect without a prompt; `id` is ours, 32 hex digits."""

    id: str
    msisdn: Msisdn
    text: str  # what the payer reads when asked
    valid_seconds: int


@runtime_checkable
class PreapprovalPort(Protocol):
    """An operator whose payers may agree beforehand. Only they can: nothing here agrees for them.

    Every method may be repeated and raises as `OperatorPort` does.
    """

    async def ask_preapproval(self, asked: Preapproval) -> None:
        """Have the payer asked; what they said is found out by `preapproval_stands`."""
        ...

    async def preapproval_stands(self, asked: Preapproval) -> Finding:
        """SUCCEEDED once the payer has agreed; FAILED with a reason when they did not."""
        ...

    async def cancel_preapproval(self, asked: Preapproval) -> None:
        """From now on they are asked each time again. One that is gone already is cancelled."""
        ...

    async def is_preapproved(self, msisdn: Msisdn) -> bool:
        """Whether a collection from there needs no prompt now."""
        ...
