"""Prices that clients were promised, kept until nobody can take them any more. SQL only.

A quote is kept under the key of the request that asked for it, in one statement: the same request
again finds the same quote.
"""

from typing import Any, Final, NamedTuple

import msgspec

from engine.clients.clients import ClientId
from engine.fx.quotes import Quote
from engine.privacy.places import quote_place
from engine.privacy.seals import Seals, seals_of

KEPT_SECONDS: Final = 7 * 24 * 3600
FORGOTTEN_AT_ONCE: Final = 100


class Kept(NamedTuple):
    """What stands under a key. `is_same`: it was asked for by the same request."""

    quote: Quote
    is_same: bool
    is_fresh: bool  # this request put it there


class QuoteStore:
    """The quotes of one tenant's clients. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    async def known(self, client_id: ClientId, key: str, hash_: bytes) -> Kept | None:
        """What an earlier request under the key was told."""
        row = await self._pool.fetchrow(
            "select hash, id, quote from client_quote"
            " where tenant = $1 and client = $2 and key = $3",
            self._tenant, client_id, key,
        )  # fmt: skip
        if row is None:
            return None
        quote = _read(self._seals, row["quote"], row["id"].hex)
        return Kept(quote, row["hash"] == hash_, is_fresh=False)

    async def keep(self, client_id: ClientId, key: str, hash_: bytes, quote: Quote) -> Kept:
        """Keep a quote under the key, or tell what stands there; forget what is long over."""
        await self._pool.execute(
            "delete from client_quote where (tenant, client, key) in (select tenant, client, key"
            " from client_quote where tenant = $1 and expires_at < $2 limit $3)",
            self._tenant, quote.expires_at - KEPT_SECONDS, FORGOTTEN_AT_ONCE,
        )  # fmt: skip
        fresh = await self._pool.fetchval(
            "insert into client_quote (tenant, client, key, hash, id, quote, expires_at)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, client, key) do nothing"
            " returning true",
            self._tenant, client_id, key, hash_, quote.quote_id,
            _write(self._seals, quote), quote.expires_at,
        )  # fmt: skip
        if fresh:
            return Kept(quote, is_same=True, is_fresh=True)
        known = await self.known(client_id, key, hash_)
        assert known is not None, "what is over for a week is not asked for this moment"
        return known

    async def find(self, client_id: ClientId, quote_id: str) -> Quote | None:
        """A client's own quote; None for every other id."""
        row = await self._pool.fetchrow(
            "select id, quote from client_quote where tenant = $1 and id = $2 and client = $3",
            self._tenant, quote_id, client_id,
        )  # fmt: skip
        return _read(self._seals, row["quote"], row["id"].hex) if row is not None else None

    async def take(self, client_id: ClientId, quote_id: str, payment_key: str) -> Quote | None:
        """A quote for the payment of this key. It is taken by one key, for ever.

        None: it is not the client's, or another key has taken it. Taken before by the same key is
        taken: a request that failed is sent again.
        """
        row = await self._pool.fetchrow(
            "update client_quote set taken_by = $4 where tenant = $1 and id = $2 and client = $3"
            " and (taken_by is null or taken_by = $4) returning id, quote",
            self._tenant, quote_id, client_id, payment_key,
        )  # fmt: skip
        return _read(self._seals, row["quote"], row["id"].hex) if row is not None else None


def _as_quote(kind: type, value: Any) -> Any:
    return kind(value)  # an Msisdn, a text by another name


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Quote, dec_hook=_as_quote).decode


def _write(seals: Seals, quote: Quote) -> str:
    return seals.seal(_encode(quote).decode(), quote_place(quote.quote_id))


def _read(seals: Seals, text: str, quote_id: str) -> Quote:
    return _decode(seals.open(text, quote_place(quote_id)))
