"""A look inside for testers and staff tools: payments with what happened to them, and the books.

Only there when a token is set; every request must carry it. Numbers are masked.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.inspect_settlement import settlement_of
from channels.times import iso_of
from channels.web.bodies import is_secret
from engine.clock import made_at
from engine.ledger.books import Books, describe
from engine.ledger.chart import read_account
from engine.ledger.entries import MANUAL_FROM
from engine.memory import end_if_refused
from engine.msisdn import Msisdn
from engine.outages import server_away
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.payments.store import PaymentStore
from engine.ports import Direction
from engine.privacy.seals import seals_of

LIMIT_MAX = 50
_WHOLE = re.compile(r"\+[0-9]{6,15}")

_log = logging.getLogger(__name__)


class Inspection:
    """The inspection door. 503 while Postgres is away or slow: the same may be asked again."""

    def __init__(
        self,
        *,
        pool: Any,
        tenant: int,
        store: PaymentStore,
        books: Books,
        directory: Directory,
        token: str,
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)
        self._store = store
        self._books = books
        self._directory = directory
        self._token = token

    def routes(self) -> list[Route]:
        return [
            Route("/inspect/payments", _or_away(self.payments)),
            Route("/inspect/books", _or_away(self.books)),
        ]

    async def payments(self, request: Request) -> Response:
        """The newest payments, of one payer or payee if `msisdn` is given."""
        if not self._allowed(request):
            return PlainTextResponse("forbidden", 403)
        wanted = request.query_params.get("msisdn")
        limit = request.query_params.get("limit", "5")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= LIMIT_MAX):
            return PlainTextResponse(f"limit must be 1 to {LIMIT_MAX}", 400)
        if wanted is not None and not _WHOLE.fullmatch(wanted):
            return PlainTextResponse("msisdn must be + and all digits", 400)
        rows = await self._pool.fetch(
            "select p.id from payment p"
            " join journal j on j.payment = p.id and j.version = 1"
            " where p.tenant = $5 and p.state < $3 and ($1::text is null"
            "   or strpos(j.facts, '\"' || $1 || '\"') > 0"
            "   or strpos(j.facts, '\"' || ($4::text[])[1] || '\"') > 0"
            "   or p.customer in (select id from customer where tenant = $5 and msisdn = any($4)))"
            " order by p.id desc limit $2",
            wanted, int(limit), MANUAL_FROM, self._seals.indexes(wanted) if wanted else [],
            self._tenant,
        )  # fmt: skip
        found = []
        for row in rows:
            payment = await self._store.payment(row["id"].hex)
            if payment is not None:
                found.append(await self._told(payment))
        return _json({"payments": found})

    async def books(self, request: Request) -> Response:
        """Every balance, and whether they are what the journal adds up to."""
        if not self._allowed(request):
            return PlainTextResponse("forbidden", 403)
        lines = await self._books.trial_balance()
        return _json(
            {
                "balanced": await self._books.is_balanced(),
                "accounts": [
                    {
                        "account": line.name,
                        "currency": line.currency,
                        "side": line.side,
                        "minor": line.minor,
                    }
                    for line in lines
                ],
            }
        )

    def _allowed(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return is_secret(given, f"Bearer {self._token}")

    async def _told(self, payment: Payment) -> dict[str, Any]:
        quote = payment.quote
        steps = await self._pool.fetch(
            "select version, state, at_ms, debits, credits, amounts from journal"
            " where payment = $1 order by version",
            payment.payment_id,
        )
        attempts = await self._pool.fetch(
            "select id, direction, operator from attempt where payment = $1 order by id",
            payment.payment_id,
        )
        heard = await self._pool.fetch(
            "select e.attempt, e.source, e.at_ms from evidence e"
            " join attempt a on a.id = e.attempt where a.payment = $1 order by e.at_ms, e.hash",
            payment.payment_id,
        )
        messages = await self._pool.fetch(
            "select template, status, at_ms from sms_message where payment = $1 order by at_ms, id",
            payment.payment_id,
        )
        names = {code: facts.name for code, facts in self._directory.by_code.items()}
        return {
            "payment_id": payment.payment_id,
            "code": payment.code,
            "state": payment.state.name,
            "amount": _money(quote.amount),
            "fee": _money(quote.fee),
            "receives": _money(quote.receives),
            "payer": Msisdn(quote.payer).masked,
            "payee": Msisdn(quote.payee).masked,
            "steps": [
                {
                    "version": s["version"],
                    "state": State(s["state"]).name,
                    "at": iso_of(s["at_ms"]),
                    "postings": [
                        {
                            "debit": describe(d, names),
                            "credit": describe(c, names),
                            "minor": x,
                            "currency": read_account(d).currency,
                        }
                        for d, c, x in zip(s["debits"], s["credits"], s["amounts"], strict=True)
                    ],
                }
                for s in steps
            ],
            "attempts": [
                {
                    "attempt_id": a["id"].hex,
                    "direction": Direction(a["direction"]).name,
                    "operator": names.get(a["operator"], str(a["operator"])),
                    "at": made_at(a["id"].hex).isoformat(),
                }
                for a in attempts
            ],
            # Neither what an operator said nor what a receipt says: both hold full numbers.
            "heard": [
                {
                    "attempt_id": h["attempt"].hex,
                    "source": Source(h["source"]).name,
                    "at": iso_of(h["at_ms"]),
                }
                for h in heard
            ],
            "messages": [
                {"template": m["template"], "status": m["status"], "at": iso_of(m["at_ms"])}
                for m in messages
            ],
            "settlement": await settlement_of(self._pool, payment.payment_id),
        }


def _or_away(
    answer: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """An outage is no fault of ours; any other error goes on to whoever tells of those."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except Exception as error:
            end_if_refused(error)
            if (server := server_away(error)) is None:
                raise
            _log.warning("an inspection was answered that %s is away: %s", server, error)
            return PlainTextResponse(f"{server} is away", 503, {"retry-after": "5"})

    return answered


def _money(money: Any) -> dict[str, Any]:
    return {"minor": money.minor, "currency": money.currency}


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
