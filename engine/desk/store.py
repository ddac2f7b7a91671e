"""Proposals in Postgres. Every change is a compare-and-set, so whoever comes second hears it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg

from engine.desk.proposals import (
    OPEN,
    Kind,
    Outcome,
    Person,
    Proposal,
    ProposalId,
    Rivals,
    State,
    spelled,
)
from engine.errors import AlreadyProposed, SamePerson, StaffMistake
from engine.gather import alone, readable
from engine.privacy.places import body_place
from engine.privacy.seals import Seals, seals_of

_FIELDS = (
    "id, kind, body, note, state, made_by, made_ms, expires_ms, decided_by, decided_ms,"
    " reference, reference_by, outcome"
)
_SPELLED = r"upper(regexp_replace(reference, '\s', '', 'g'))"  # as `spelled` does
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended($1, $2))"


class Listed(NamedTuple):
    """Proposals, the newest first; `unread` are those among them that cannot be read, and are left
    out. `last` is the one that older ones come after; None when there are none."""

    proposals: list[Proposal]
    unread: list[ProposalId]
    last: ProposalId | None


class ProposalStore:
    """The proposals of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    async def add(self, proposal: Proposal, rivals: Rivals | None = None) -> None:
        """Keep a new proposal. The same id again changes nothing.

        Raises AlreadyProposed where one of its `rivals` stands that is not known: of two who ask
        for the same at once the second hears of the first.
        """
        if rivals is None:
            await self._insert(self._pool, proposal)
            return
        async with self._pool.acquire() as connection, connection.transaction():
            # Whoever asks for the same comes after us, and sees ours.
            await connection.execute(_TAKE_TURNS, f"propose {rivals.about}", self._tenant)
            if found := await self._rival(connection, proposal, rivals):
                raise AlreadyProposed(f"{found.id} of {found.made_by} is proposed already")
            await self._insert(connection, proposal)

    async def _rival(self, connection: Any, proposal: Proposal, rivals: Rivals) -> Proposal | None:
        rows = await connection.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and kind = any($2)"
            " and state = any($3) and id <> all($4::uuid[]) order by id",
            self._tenant, list(rivals.kinds), list(rivals.states), [proposal.id, *rivals.known],
        )  # fmt: skip
        return next((each for each in self._read(rows) if rivals.are(each)), None)

    async def _insert(self, connection: Any, proposal: Proposal) -> None:
        await connection.execute(
            "insert into proposal (id, tenant, kind, body, note, state, made_by, made_ms,"
            " expires_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing",
            proposal.id, self._tenant, proposal.kind,
            self._seals.seal(proposal.body, body_place(proposal.id)), proposal.note,
            proposal.state, proposal.made_by, proposal.made_ms, proposal.expires_ms,
        )  # fmt: skip

    async def get(self, proposal_id: ProposalId) -> Proposal:
        """Raises StaffMistake when there is none."""
        row = await self._pool.fetchrow(
            f"select {_FIELDS} from proposal where id = $1 and tenant = $2",
            proposal_id, self._tenant,
        )  # fmt: skip
        if row is None:
            raise StaffMistake(f"there is no proposal {proposal_id}")
        return _proposal(row, self._seals)

    async def ending_in(self, digits: str, most: int = 2) -> list[ProposalId]:
        """Ids that end in these hex digits: the beginning is only a time."""
        rows = await self._pool.fetch(
            "select id from proposal where tenant = $1 and right(replace(id::text, '-', ''),"
            " length($2)) = $2 order by id desc limit $3",
            self._tenant, digits, most,
        )  # fmt: skip
        return [ProposalId(row["id"].hex) for row in rows]

    async def listed(
        self,
        *,
        only_open: bool,
        most: int,
        before: ProposalId | None = None,
        kinds: Iterable[Kind] = Kind,
    ) -> Listed:
        """The newest `most` of these kinds, or those made before another one."""
        rows = await self._pool.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and (state = any($2) or not $3)"
            " and ($5::uuid is null or (made_ms, id) <"
            "  (select made_ms, id from proposal where id = $5 and tenant = $1))"
            " and kind = any($6) order by made_ms desc, id desc limit $4",
            self._tenant, list(OPEN), only_open, most + 1, before, list(kinds),
        )  # fmt: skip
        shown = rows[:most]
        found = readable("a proposal", [self._alone(row) for row in shown])
        ids = [ProposalId(row["id"].hex) for row in shown]
        read = {proposal.id for proposal in found}
        last = ids[-1] if ids and len(rows) > most else None
        return Listed(found, [id_ for id_ in ids if id_ not in read], last)

    async def decide(self, proposal_id: ProposalId, state: State, by: Person, at_ms: int) -> bool:
        """Approve or reject what is proposed and has not expired; whether it was this call.

        Raises SamePerson when it is the maker's own: the database refuses that by itself.
        """
        try:
            row = await self._pool.fetchval(
                "update proposal set state = $3, decided_by = $4, decided_ms = $5 where id = $1"
                " and tenant = $2 and state = 'proposed' and expires_ms > $5 returning true",
                proposal_id, self._tenant, state, by, at_ms,
            )  # fmt: skip
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != "two_people":
                raise
            raise SamePerson(f"{by} made this proposal; another person must decide") from error
        return bool(row)

    async def approved(self, kinds: Iterable[Kind], most: int) -> list[Proposal]:
        """What two people agreed on and nobody has carried out to its end yet.

        One that cannot be read waits, and keeps up none of the others.
        """
        rows = await self._pool.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and state = 'approved'"
            " and kind = any($2) order by decided_ms, id limit $3",
            self._tenant, list(kinds), most,
        )  # fmt: skip
        return readable("a proposal", [self._alone(row) for row in rows])

    async def done_as(self, references: Iterable[str]) -> list[Proposal]:
        """What was carried out once the outside was seen to have moved under one of these.

        They are compared as `spelled`: a person copies what an operator lists. One that cannot be
        read is told to the log, and comes with no body.
        """
        rows = await self._pool.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and state = 'done'"
            f" and {_SPELLED} = any($2::text[])",
            self._tenant, list({spelled(reference) for reference in references}),
        )  # fmt: skip
        return self._read(rows)

    async def noted(self, kind: Kind, note: str) -> list[Proposal]:
        """All of a kind that were ever made for this very reason. One that cannot be read comes
        with no body."""
        rows = await self._pool.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and kind = $2 and note = $3",
            self._tenant, kind, note,
        )  # fmt: skip
        return self._read(rows)

    async def read(self, connection: Any, ids: Iterable[str]) -> dict[str, Proposal]:
        """Those of these ids, in the moment of a connection; with no body where that is unread."""
        rows = await connection.fetch(
            f"select {_FIELDS} from proposal where tenant = $1 and id = any($2::uuid[])",
            self._tenant, sorted(ids),
        )  # fmt: skip
        return {proposal.id: proposal for proposal in self._read(rows)}

    async def pay_in(self, connection: Any, pay_in: str) -> tuple[str, int]:
        """Operator and minor units of money that a proposal speaks of.

        Raises StaffMistake when there is none such.
        """
        row = await connection.fetchrow(
            "select operator, minor from pay_in where id = $1 and tenant = $2",
            pay_in, self._tenant,
        )  # fmt: skip
        if row is None:
            raise StaffMistake(f"there is no pay-in {pay_in}")
        return row["operator"], row["minor"]

    async def under_way(
        self, kinds: Iterable[Kind], *, since_ms: int, at_ms: int
    ) -> list[Proposal]:
        """Of these kinds what two people agreed on from a moment on and was not booked by another
        one, and may have moved by then; not what never will. One that is unread has no body."""
        rows = await self._pool.fetch(
            f"select {_FIELDS} from proposal p where tenant = $1 and kind = any($2)"
            " and decided_ms between $3 and $4 and state in ('approved', 'waiting', 'done')"
            " and not exists (select from journal j where j.payment = p.id and j.at_ms <= $4)",
            self._tenant, list(kinds), since_ms, at_ms,
        )  # fmt: skip
        return self._read(rows)

    async def keep_outcome(self, proposal: Proposal, outcome: Outcome) -> None:
        """What carrying it out led to, unless the proposal has moved on meanwhile."""
        await self._pool.execute(
            "update proposal set state = $3, outcome = $4 where id = $1 and tenant = $2"
            " and state = 'approved' and reference is not distinct from $5",
            proposal.id, self._tenant, outcome.state, outcome.text, proposal.reference,
        )  # fmt: skip

    async def see(self, proposal_id: ProposalId, reference: str, by: Person) -> bool:
        """The outside moved, under this reference: carry on. Whether it was this call.

        Raises StaffMistake when another proposal has the reference already, in whatever letters:
        one movement would be booked twice.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                # Whoever sees another under the same, spelled otherwise, comes after us.
                same = spelled(reference)
                await connection.execute(_TAKE_TURNS, f"proposal {same}", self._tenant)
                if await connection.fetchval(
                    "select exists (select from proposal where tenant = $1 and id <> $2"
                    f" and {_SPELLED} = $3)",
                    self._tenant, proposal_id, same,
                ):  # fmt: skip
                    raise StaffMistake(f"{reference} belongs to another proposal")
                row = await connection.fetchval(
                    "update proposal set state = 'approved', reference = $3, reference_by = $4"
                    " where id = $1 and tenant = $2 and state = 'waiting' and reference is null"
                    " returning true",
                    proposal_id, self._tenant, reference, by,
                )  # fmt: skip
        except asyncpg.UniqueViolationError as error:
            raise StaffMistake(f"{reference} belongs to another proposal") from error
        return bool(row)

    async def end_waiting(self, proposal_id: ProposalId, outcome: Outcome) -> None:
        """Another proposal ended it. Safe to repeat."""
        await self._pool.execute(
            "update proposal set state = $3, outcome = $4 where id = $1 and tenant = $2"
            " and state in ('approved', 'waiting')",
            proposal_id, self._tenant, outcome.state, outcome.text,
        )  # fmt: skip

    async def end_unseen(self, proposal_id: ProposalId, outcome: Outcome) -> bool:
        """The same of what waits and was not seen; False when it was, or waits no more."""
        row = await self._pool.fetchval(
            "update proposal set state = $3, outcome = $4 where id = $1 and tenant = $2"
            " and state = 'waiting' and reference is null returning true",
            proposal_id, self._tenant, outcome.state, outcome.text,
        )  # fmt: skip
        return bool(row)

    async def expire(self, now_ms: int) -> int:
        """End proposals that nobody decided in time; how many."""
        rows = await self._pool.fetch(
            "update proposal set state = 'expired' where tenant = $1 and state = 'proposed'"
            " and expires_ms <= $2 returning id",
            self._tenant, now_ms,
        )  # fmt: skip
        return len(rows)

    def _read(self, rows: Sequence[Any]) -> list[Proposal]:
        read = [self._alone(row) for row in rows]
        readable("a proposal", read)
        return [
            _of(row, body="") if isinstance(each, Exception) else each
            for row, each in zip(rows, read, strict=True)
        ]

    def _alone(self, row: Any) -> Proposal | Exception:
        return alone(f"proposal {row['id'].hex}", _proposal, row, self._seals)


def _proposal(row: Any, seals: Seals) -> Proposal:
    return _of(row, seals.open(row["body"], body_place(row["id"].hex)))


def _of(row: Any, body: str) -> Proposal:
    return Proposal(
        ProposalId(row["id"].hex), Kind(row["kind"]), body, row["note"],
        State(row["state"]), row["made_by"], row["made_ms"], row["expires_ms"],
        row["decided_by"], row["decided_ms"], row["reference"], row["reference_by"],
        row["outcome"],
    )  # fmt: skip
