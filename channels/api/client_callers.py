"""Clients as callers: a key shows who they are; what they change is told to the log of the process.

The log has the client's name, what was asked and how it ended, never a body or a number.
"""

import logging
from collections.abc import Mapping
from functools import partial

from channels.api.callers import Deed, Ended
from channels.web.limits import Limit
from engine.clients.clients import KeyHolder
from engine.clients.proving import Keys

log = logging.getLogger(__name__)


class ClientCallers:
    """Implements `callers.Callers`."""

    def __init__(self, *, keys: Keys, tenant: int, per_key: Limit, per_tenant: Limit) -> None:
        """A key may come so often, and all keys of the tenant together so often."""
        self._keys = keys
        self._tenant = str(tenant)
        self._per_key = per_key
        self._per_tenant = per_tenant

    def recall(self, token: str) -> KeyHolder | None:
        return self._keys.recall(token)

    async def prove(self, token: str, *, fresh: bool) -> KeyHolder:
        return await self._keys.prove(token, fresh=fresh)

    def grants_of(self, caller: KeyHolder) -> frozenset[str]:
        return caller.scopes

    def owner_of(self, caller: KeyHolder) -> str:
        return caller.client_id

    def limits_of(self, caller: KeyHolder) -> Mapping[Limit, str]:
        return {self._per_key: caller.key_id, self._per_tenant: self._tenant}

    async def begin(self, caller: KeyHolder, deed: Deed) -> Ended:
        """What a client orders is in the books; nothing else is written down before."""
        return partial(self._tell, caller, deed)

    async def write(self, caller: KeyHolder, deed: Deed, outcome: str) -> None:
        if outcome != "ok":
            await self._tell(caller, deed, outcome)

    async def _tell(self, caller: KeyHolder, deed: Deed, outcome: str) -> None:
        log.info("client %s: %s %s: %s", caller.name, deed.what, deed.subject, outcome)
