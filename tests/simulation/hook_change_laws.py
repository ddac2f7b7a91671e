"""What must hold of subscriptions whose owners rotate, pause, remove or replace them.

Kept by what was stored, and once more by what it means: when each secret ends, and since when a
subscription is paused or gone. Judged when a message leaves, by the second in which it was signed.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from engine.hooks.secret import SecretKeys
from engine.hooks.signing import write_secret
from engine.hooks.store import KeptSecret
from engine.ports import HookMessage
from tests.simulation.loop import CURRENT
from tests.simulation.model import START
from tests.simulation.telling import now_ms

if TYPE_CHECKING:
    from tests.simulation.world import World

PAUSED_MS = 5_000
"""So long after a pause what had been claimed before it may still leave."""


@dataclass
class Secret:
    """One of a subscription; `stored_ms` by the right clock, `ends_ms` by who rotated."""

    text: str
    stored_ms: float
    ends_ms: float = inf


class HookChangeLaws:
    """Watches one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._keys = SecretKeys({1: bytes(32)}, bytes)
        self._off_ms = 0.0
        if world.weather.clock_jump_per_hour > 0:
            self._off_ms = world.weather.clock_off_seconds_max * 2000
        self.secrets: dict[str, list[Secret]] = {}
        self._paused_ms: dict[str, int] = {}
        self._removed_ms: dict[str, int] = {}

    def restored(self) -> None:
        """As the rows say that are left."""
        rows = self._world.model.hooks
        self.secrets = {
            id_: [
                Secret(self._text(k), now_ms(self._world), inf if not k.until_ms else k.until_ms)
                for k in reversed(kept)
            ]
            for id_, kept in rows.secrets.items()
        }
        gone = {id_ for id_, row in rows.subscriptions.items() if row.state == "removed"}
        self._removed_ms = {id_: ms for id_, ms in self._removed_ms.items() if id_ in gone}
        self._paused_ms.clear()

    # What is stored.

    def on_rotated(self, id: str, secret: KeptSecret, overlap_ms: int) -> None:
        """There is another secret; those before it end."""
        ends_ms = secret.made_ms + overlap_ms
        known = self.secrets.setdefault(id, [])
        for before in known:
            before.ends_ms = min(before.ends_ms, ends_ms)
        known.append(Secret(self._text(secret), now_ms(self._world)))
        self._world.happened["hook rotated"] += len(known) > 1

    def on_paused(self, id: str) -> None:
        """By whoever owns it."""
        self._paused_ms[id] = now_ms(self._world)
        self._world.happened["hook paused"] += 1

    def on_resumed(self, id: str) -> None:
        """Likewise."""
        self._paused_ms.pop(id, None)

    def on_removed(self, id: str) -> None:
        """For good."""
        self._removed_ms[id] = now_ms(self._world)
        self._world.happened["hook removed"] += 1

    def _text(self, secret: KeptSecret) -> str:
        return write_secret(self._keys.open(secret.sealed, secret.place))

    # When a message leaves.

    def on_message(self, id: str, message: HookMessage) -> None:
        """It is signed with what signs now, and its subscription is there to hear it."""
        at_ms = message.at_seconds * 1000
        given = set(message.signature.split(" "))
        names = {"to": id[-1], "event": message.id}
        known = self.secrets.get(id, [])
        if id not in self._removed_ms and not given <= {
            signature(message, secret.text) for secret in known
        }:
            self._broken("signed with what is no secret of theirs", **names)
        for secret in known:
            is_by = signature(message, secret.text) in given
            if is_by and secret.ends_ms <= at_ms - self._off_ms:
                self._broken("signed with a secret that is over", **names)
            is_there = secret.stored_ms <= at_ms - self._off_ms
            if is_there and not is_by and secret.ends_ms > at_ms + 1000 + self._off_ms:
                self._broken("not signed with a secret that is good", **names)
        if self._removed_ms.get(id, inf) <= at_ms - self._off_ms:
            self._broken("told after it was removed", **names)
        self._check_paused(id, at_ms, names)

    def _check_paused(self, id: str, at_ms: int, names: dict[str, str]) -> None:
        since_ms = self._paused_ms.get(id)
        process = CURRENT.get()
        if since_ms is None or since_ms + PAUSED_MS > at_ms - self._off_ms:
            return
        frozen_ms = 0.0 if process is None else (START + process.frozen_until) * 1000
        if frozen_ms < since_ms:
            self._broken("told while it is paused", **names)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)


def signature(message: HookMessage, secret: str) -> str:
    """As `engine/hooks/README.md` tells businesses to check."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    told = f"{message.id}.{message.at_seconds}.".encode() + message.body
    return f"v1,{base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()}"
