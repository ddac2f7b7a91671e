"""What is asked of whoever carries our news to a business: one signed message, one answer."""

from typing import Protocol

import msgspec


class HookMessage(msgspec.Struct, frozen=True):
    """One signed message to one address. Sending it again carries the same `id`."""

    url: str
    id: str
    at_seconds: int  # of this try; the signature covers it
    signature: str
    body: bytes

    def __repr__(self) -> str:
        return f"HookMessage({self.id!r}, {len(self.body)} bytes)"


class HookAnswer(msgspec.Struct, frozen=True):
    """What the address answered; nothing of its body is kept."""

    status: int
    retry_after_seconds: float | None = None


class HookPort(Protocol):
    """Carries messages to addresses of strangers, and calls nobody else for them."""

    def fault_in(self, url: str) -> str:
        """Why such an address is never called, for people; "" when nothing is known against it."""
        ...

    async def deliver(self, message: HookMessage) -> HookAnswer:
        """One try. A repeat is what the receiver must bear.

        Raises Unreachable when nothing was sent, also because the address leads where nobody may
        be called; OutcomeUnknown when it may have arrived. `code` says what failed.
        """
        ...

    async def aclose(self) -> None: ...
