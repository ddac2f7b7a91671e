"""What the sandboxes of gateways share: every phone's inbox, what phones write to us, their doors.

It speaks no gateway's language and answers none of its calls.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.faults import SMS_ARRIVALS, arrivals
from simulator.operators.admin import PREFIX, explain_bad_input, json_response
from simulator.operators.base import Sandbox, Settings
from simulator.operators.world import World

S = TypeVar("S", bound=Settings)


@dataclass
class Sms:
    """One message in a phone's inbox, or (`incoming`) one that a phone sent to us."""

    n: int
    id: str
    to: str
    from_: str
    text: str
    at: datetime
    status: str
    incoming: bool = False

    def shown(self) -> dict[str, object]:
        """As the admin API lists it."""
        return {
            "n": self.n,
            "id": self.id,
            "to": self.to,
            "from": self.from_,
            "text": self.text,
            "at": self.at,
            "status": self.status,
        }


class SmsIn(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A message a phone sends to one of our numbers."""

    from_: str
    to: str
    text: str


class MessagingSandbox(Sandbox[S]):
    """A sandbox that carries messages. `id_prefix` begins the ids it gives them."""

    id_prefix: str

    def __init__(self, world: World, settings: S) -> None:
        super().__init__(world, settings, collection_minor=0, disbursement_minor=0)
        self._messages: list[Sms] = []
        self._inboxes: dict[str, list[Sms]] = {}

    def receive(self, sms_in: SmsIn) -> Sms:
        """A phone sends us a message."""
        raise NotImplementedError("each gateway passes it on in its own words")

    def inbox(self, number: str | None, *, after: int) -> list[Sms]:
        """What reached one phone, or every phone, after message `n` = `after`; oldest first."""
        messages = self._messages if number is None else self._inboxes.get(number, [])
        return [sms for sms in messages if sms.n > after and not sms.incoming]

    def received(self, *, after: int) -> list[Sms]:
        """What phones sent to us, oldest first."""
        return [sms for sms in self._messages if sms.incoming and sms.n > after]

    def _write(self, *, to: str, sender: str, text: str, status: str) -> Sms:
        return Sms(
            n=0,
            id=f"{self.id_prefix}{self.world.hex(32)}",
            to=to,
            from_=sender,
            text=text,
            at=self.world.clock(),
            status=status,
        )

    def _written(self, sms_in: SmsIn, status: str) -> Sms:
        """What a phone wrote, kept."""
        sms = self._write(to=sms_in.to, sender=sms_in.from_, text=sms_in.text, status=status)
        sms.incoming = True
        return self._keep(sms)

    def _reaches_phone(self, sms: Sms) -> bool:
        """Bring it there as late and as often as faults say. False: no phone gets it."""
        fault = self.faults.take(SMS_ARRIVALS, sms.to.removeprefix("+"), "sms")
        whens = arrivals(fault)
        for seconds in whens:
            if seconds:
                self.spawn(self._arrive_late(sms, seconds))
            else:
                self._arrive(sms)
        return bool(whens)

    async def _arrive_late(self, sms: Sms, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._arrive(sms)

    def _arrive(self, sms: Sms) -> None:
        self._inboxes.setdefault(sms.to, []).append(self._keep(sms))

    def _keep(self, sms: Sms) -> Sms:
        """A message that came a second time is a message more, with the same id."""
        kept = replace(sms) if sms.n else sms
        kept.n = len(self._messages) + 1
        self._messages.append(kept)
        return kept


def phone_routes(sandbox: MessagingSandbox[Any]) -> list[Route]:
    """What phones and tests ask of any gateway: the inboxes, and to write to us."""
    phones = _Phones(sandbox)
    return [
        Route(f"{PREFIX}/sms", explain_bad_input(phones.list_sms), methods=["GET"]),
        Route(f"{PREFIX}/sms-in", explain_bad_input(phones.inject_sms), methods=["POST"]),
    ]


def whole(text: str | None) -> int:
    """A number of a query, 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() else 0


class _Phones:
    def __init__(self, sandbox: MessagingSandbox[Any]) -> None:
        self._sandbox = sandbox

    async def list_sms(self, request: Request) -> Response:
        """The inbox of one phone (`to`, with or without plus), or of all."""
        to = request.query_params.get("to")
        # An unescaped plus in a query arrives as a blank.
        number = f"+{to.strip().removeprefix('+')}" if to else None
        after = whole(request.query_params.get("after"))
        messages = [sms.shown() for sms in self._sandbox.inbox(number, after=after)]
        return json_response({"messages": messages})

    async def inject_sms(self, request: Request) -> Response:
        """A phone sends a message to us."""
        sms_in = msgspec.json.decode(await request.body(), type=SmsIn)
        return json_response(self._sandbox.receive(sms_in).shown(), 201)
