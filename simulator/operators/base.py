"""What every sandbox is made of: settings, books, prompts, faults, callbacks, background work.

It knows when things happen, never what they look like on the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response

from simulator.faults import (
    AT_DELIVERY,
    EARLY_CALLBACK,
    FaultAnswers,
    FaultBook,
    FaultTarget,
    answer_under_faults,
)
from simulator.operators.courier import Courier
from simulator.operators.prompts import Declined, PinTyped, Prompt, Prompts
from simulator.operators.wallets import Ledger, NewWallet, Wallet, Wallets
from simulator.operators.world import World

Approval = Literal["approved", "declined", "wrong_pin", "expired"]
# How a callback may lie: another amount than was moved, or a status word nobody published.
Lie = Literal["wrong_amount", "unknown_status"]


Seconds = Annotated[float, msgspec.Meta(ge=0)]
MinorUnits = Annotated[int, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every sandbox can be told while it runs. Durations in seconds, money in minor units."""

    approval: Literal["ask", "approve", "decline"] = "approve"
    approval_window_seconds: Seconds = 60.0
    processing_seconds: Seconds = 0.02
    callback_delay_seconds: Seconds = 0.02
    token_seconds: int = 3600
    business_name: str = "CAPP"
    auto_wallets: bool = True
    default_balance_minor: MinorUnits = 0
    default_pin: str = "1234"


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Notice:
    """One callback to be sent. `body` builds it, truthfully for None, or with the given lie."""

    on: FaultTarget
    msisdn: str
    url: str
    body: Callable[[Lie | None], bytes]
    content_type: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Generic[S]):
    """The state of one sandbox and the steps all of them share."""

    currency: str
    fault_answers: FaultAnswers

    def __init__(
        self, world: World, settings: S, *, collection_minor: int, disbursement_minor: int
    ) -> None:
        self.world = world
        self.settings = settings
        self.faults = FaultBook()
        self.prompts = Prompts()
        self.courier = Courier(world.clock)
        self.wallets = Wallets(self._new_wallet)
        self.ledger = Ledger(
            clock=world.clock,
            collection_minor=collection_minor,
            disbursement_minor=disbursement_minor,
        )
        self._work: dict[asyncio.Task[None], str] = {}  # for whose number

    async def answer(
        self,
        on: FaultTarget,
        msisdn: str | None,
        perform: Callable[[], Awaitable[Response]],
    ) -> Response:
        """One call, under whatever faults are armed for it."""
        return await answer_under_faults(
            self.faults, self.fault_answers, on=on, msisdn=msisdn, perform=perform
        )

    async def start(self, on: FaultTarget, msisdn: str, work: Coroutine[Any, Any, None]) -> None:
        """Let accepted work go on behind the answer; or, under its fault, run before it."""
        if self.faults.take(EARLY_CALLBACK, msisdn, on, "callback"):
            await work
        else:
            self.spawn(work, msisdn)

    def spawn(self, work: Coroutine[Any, Any, None], msisdn: str = "") -> None:
        """Run `work` in the background until it ends or the sandbox closes."""
        task = asyncio.create_task(work)
        self._work[task] = msisdn
        task.add_done_callback(self._work.pop)

    @property
    def at_work_for(self) -> list[str]:
        """Numbers whose orders are not over here: money may move yet, or a callback come."""
        return sorted({msisdn for msisdn in self._work.values() if msisdn})

    async def ask_approval(self, wallet: Wallet, *, amount_minor: int, text: str) -> Approval:
        """Put the question to the payer, or decide in their place if the settings say so."""
        match self.settings.approval:
            case "approve":
                approval: Approval = "approved"
            case "decline":
                approval = "declined"
            case "ask":
                approval = await self._ask_phone(wallet, amount_minor, text)
        await asyncio.sleep(self.settings.processing_seconds)
        return approval

    async def notify(self, notice: Notice) -> None:
        """Send one callback once, unless a fault keeps, delays, doubles or falsifies it."""
        await asyncio.sleep(self.settings.callback_delay_seconds)
        fault = self.faults.take(AT_DELIVERY, notice.msisdn, notice.on, "callback")
        name = fault.fault if fault else None
        if fault and name == "no_callback":
            return
        if fault and name == "callback_late":
            await asyncio.sleep(fault.seconds_or_default)
        lie: Lie | None = None
        if name == "callback_wrong_amount":
            lie = "wrong_amount"
        elif name == "unknown_status":
            lie = "unknown_status"
        body = notice.body(lie)
        await self._send(notice, body)
        if fault and name == "callback_twice":
            await asyncio.sleep(fault.seconds_or_default)
            await self._send(notice, body)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Ends the background work with the server."""
        del app
        yield
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self.courier.close()

    async def _ask_phone(self, wallet: Wallet, amount_minor: int, text: str) -> Approval:
        prompt = Prompt(
            id=self.world.hex(12),
            msisdn=wallet.msisdn,
            text=text,
            amount_minor=amount_minor,
            currency=self.currency,
            created_at=self.world.clock(),
        )
        answer = await self.prompts.ask(
            prompt, window_seconds=self.settings.approval_window_seconds
        )
        match answer:
            case None:
                return "expired"
            case Declined():
                return "declined"
            case PinTyped(pin=pin):
                return "approved" if pin == wallet.pin else "wrong_pin"

    async def _send(self, notice: Notice, body: bytes) -> None:
        await self.courier.deliver(
            notice.url,
            body,
            content_type=notice.content_type,
            method=notice.method,
            headers=notice.headers,
        )

    def _new_wallet(self) -> NewWallet:
        return NewWallet(
            on_first_sight=self.settings.auto_wallets,
            balance_minor=self.settings.default_balance_minor,
            pin=self.settings.default_pin,
        )
