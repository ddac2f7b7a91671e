"""A payment's whole conversation: what was asked, answered and told, and what became of it.

One view over what is kept in four places: traffic, evidence, the journal and attempts. Reads only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.clock import AttemptId, PaymentId, is_id, moment_of
from engine.msisdn import Msisdn
from engine.payments.codes import find_by_code
from engine.payments.evidence import Source
from engine.payments.facts import Ending, Facts, Ruling, open_terms, read_step, read_terms
from engine.payments.lifecycle import State
from engine.payments.payment import read_code
from engine.ports import Direction
from engine.privacy.places import (
    answered_place,
    asked_place,
    evidence_place,
    traffic_place_before,
)
from engine.privacy.seals import Seals, open_maybe, open_moved, seals_of
from engine.traffic.messages import Kind, Message, Way

_STATES_OF_PAYMENTS_BELOW = 100  # journal rows of other states belong to no payment
_RANK = {Kind.REQUEST: 0, Kind.CALLBACK: 1, Kind.EVIDENCE: 2, Kind.STATE: 3}


class Conversations:
    """The conversations of one tenant. `names`: operators by their codes."""

    def __init__(self, pool: Any, tenant: int, names: Mapping[int, str]) -> None:
        self._pool = pool
        self._tenant = tenant
        self._names = names
        self._seals = seals_of(pool)

    async def of_payment(self, word: str) -> list[Message] | None:
        """All of it in the order of time; None when there is no such payment.

        `word` is the payment's code, as somebody typed it, its id, or the id of an attempt.
        Raises what the pool raises.
        """
        payment_id = await self.find(word)
        if payment_id is None:
            return None
        states, attempts = await self._states(payment_id)
        live = await self._pool.fetchval("select live from payment where id = $1", payment_id)
        if live is not None:
            attempts.add(AttemptId(live.hex))
        operators = await self._operators(attempts)
        said = [*states, *await self._evidence(operators), *await self._traffic(operators)]
        return sorted(said, key=lambda message: (message.at, _RANK[message.kind]))

    async def people_of(self, word: str) -> frozenset[Msisdn]:
        """Whose numbers may stand in it: payers and payees of all terms it ever had."""
        payment_id = await self.find(word)
        rows = await self._pool.fetch(
            "select version, facts from journal where payment = $1 and tenant = $2"
            " and state < $3 and facts is not null",
            payment_id, self._tenant, _STATES_OF_PAYMENTS_BELOW,
        )  # fmt: skip
        terms = [
            _terms(row["version"], open_terms(row["facts"], self._seals, payment_id or ""))
            for row in rows
        ]
        return frozenset(
            Msisdn(number) for t in terms if t for number in (t.quote.payer, t.quote.payee)
        )

    async def find(self, word: str) -> PaymentId | None:
        """The payment somebody means. A code walks payments, the newest first: for people."""
        word = word.strip()
        plain = word.replace("-", "").lower()
        if is_id(plain):
            row = await self._pool.fetchrow(
                "select id from payment where id = $1 and tenant = $2"
                " union all select payment from attempt where id = $1 and tenant = $2",
                plain, self._tenant,
            )  # fmt: skip
            return PaymentId(row["id"].hex) if row else None
        if (code := read_code(word)) is None:
            return None
        return await find_by_code(self._pool, self._tenant, code)

    async def _states(self, payment_id: PaymentId) -> tuple[list[Message], set[AttemptId]]:
        """The steps, and the attempts that ended in them."""
        rows = await self._pool.fetch(
            "select version, state, at_ms, facts from journal"
            " where payment = $1 and tenant = $2 and state < $3 order by version",
            payment_id, self._tenant, _STATES_OF_PAYMENTS_BELOW,
        )  # fmt: skip
        found, attempts = [], set()
        for row in rows:
            step = read_step(row["facts"]) if row["version"] > 1 and row["facts"] else None
            if isinstance(step, Ending):
                attempts.add(step.attempt_id)
            found.append(
                Message(
                    at=moment_of(row["at_ms"]), kind=Kind.STATE, operation=_state(row["state"]),
                    attempt_id=step.attempt_id if isinstance(step, Ending) else None,
                    outcome=_why(step),
                )
            )  # fmt: skip
        return found, attempts

    async def _operators(self, attempts: Iterable[AttemptId]) -> dict[AttemptId, tuple[str, str]]:
        """Who was asked by each attempt, and for what."""
        rows = await self._pool.fetch(
            "select id, direction, operator from attempt where id = any($1::uuid[])", [*attempts]
        )
        return {
            AttemptId(row["id"].hex): (
                self._names.get(row["operator"], str(row["operator"])),
                Direction(row["direction"]).name.lower(),
            )
            for row in rows
        }

    async def _evidence(self, operators: Mapping[AttemptId, tuple[str, str]]) -> list[Message]:
        rows = await self._pool.fetch(
            "select attempt, at_ms, source, body from evidence where attempt = any($1::uuid[])",
            [*operators],
        )
        return [
            Message(
                at=moment_of(row["at_ms"]), kind=Kind.EVIDENCE, operation=_source(row["source"]),
                operator=operators[AttemptId(row["attempt"].hex)][0],
                attempt_id=AttemptId(row["attempt"].hex),
                outcome=operators[AttemptId(row["attempt"].hex)][1],
                asked=self._seals.open(row["body"], evidence_place(row["attempt"].hex)),
            )
            for row in rows
        ]  # fmt: skip

    async def _traffic(self, operators: Mapping[AttemptId, tuple[str, str]]) -> list[Message]:
        rows = await self._pool.fetch(
            "select t.*, e.body from traffic t"
            " left join evidence e on e.attempt = t.attempt and e.hash = t.evidence"
            " where t.attempt = any($1::uuid[]) and t.tenant = $2",
            [*operators], self._tenant,
        )  # fmt: skip
        return [_message(row, self._seals) for row in rows]


def _terms(version: int, facts: str) -> Facts | None:
    if version == 1:
        return read_terms(facts)
    step = read_step(facts)
    return step.terms


def _message(row: Any, seals: Seals) -> Message:
    id_ = row["id"].hex
    before = traffic_place_before(id_)
    heard = open_maybe(
        seals, row["body"], evidence_place(row["attempt"].hex if row["attempt"] else "")
    )
    kind = Kind.CALLBACK if row["way"] == Way.THEY_CALLED else Kind.REQUEST
    return Message(
        at=moment_of(row["at_ms"]), kind=kind, operation=row["operation"], operator=row["operator"],
        attempt_id=AttemptId(row["attempt"].hex), outcome=row["outcome"], status=row["status"],
        elapsed_ms=row["elapsed_ms"], source=row["source"],
        asked=open_moved(seals, row["asked"], asked_place(id_), before) or heard or "",
        answered=open_moved(seals, row["answered"], answered_place(id_), before),
        times=row["times"],
    )  # fmt: skip


def _why(step: Ending | Ruling | None) -> str:
    if isinstance(step, Ending):
        return (
            f"{'succeeded' if step.succeeded else 'failed'} {step.code} by {_source(step.source)}"
        )
    return step.reason if step else ""


def _state(number: int) -> str:
    try:
        return State(number).name
    except ValueError:  # newer code wrote it
        return f"state {number}"


def _source(number: int) -> str:
    try:
        return Source(number).name.lower()
    except ValueError:
        return f"source {number}"
