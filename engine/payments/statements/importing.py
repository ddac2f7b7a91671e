"""The story of a statement: take it in, compare its day, act on what differs, let it age.

Nothing is decided here: `matching` says what each line and attempt is. Every step may be repeated,
so a crash anywhere is mended by taking the same file in again, or by the next `age`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from engine.clock import DAY_MS, AttemptId, Clock, PaymentId, epoch_of, is_id
from engine.errors import CustomerMistake, Unreadable
from engine.ledger.chart import Kind
from engine.payments.statements.balance import band_at
from engine.payments.statements.balances import HELD, BalanceBook
from engine.payments.statements.cases import StatementCases
from engine.payments.statements.consequences import Consequences
from engine.payments.statements.fees import DayFees, FeeBook
from engine.payments.statements.gaps import FOLLOWED_DAYS, Gaps
from engine.payments.statements.judged import AGREES, Class, Judged, Ours, Standing, over_on
from engine.payments.statements.lines import (
    ONE_DAY,
    Break,
    Jump,
    Line,
    Side,
    breaks_of,
    closing_minor,
    line_id,
    named_id,
    oldest_first,
    opening_minor,
)
from engine.payments.statements.matching import match
from engine.payments.statements.moves import Moves
from engine.payments.statements.neutral import read_whole_statement
from engine.payments.statements.ours import OursReader
from engine.payments.statements.pay_ins import HearOwners, PaidIns, nobody_paid_in
from engine.payments.statements.store import File, Kept, StatementStore, Stored
from engine.payments.statements.terms import Terms, TermsBook
from engine.ports import OperatorFacts

AGED_DAYS = FOLLOWED_DAYS
"""How far back `age` judges days again; what is older has its case, or what people moved and have
undone since, or lies in SUSPENSE while its payment has heard of it since."""


class Report(msgspec.Struct, frozen=True):
    """What taking one file in led to. `judged` is the day's own: what its statement lists, and
    attempts of the day that another day's lists, or none. The days beside it have theirs.
    """

    operator: str
    day: date
    lines: int
    fresh: int  # lines that nobody had listed before
    doubled: int  # lines of this file that repeat another line of it
    breaks: tuple[Break, ...]
    jump: Jump | None  # where its first balance does not follow from the statement before it
    renamed: tuple[str, ...]  # receipts listed under another reference before, which counts
    judged: tuple[Judged, ...]
    drift_minor: int | None  # of the closing balance; None when the file tells no balance
    sha256: str  # of the file's bytes, 64 hex digits

    @property
    def counts(self) -> Counter[Class]:
        """How many of each class; a pair counts once."""
        counts = Counter(j.kind for j in self.judged)
        if self.doubled:
            counts[Class.DUPLICATE_LINE] = self.doubled
        return counts

    @property
    def unbooked_fee_minor(self) -> int:
        """What the day's lines say that the operator kept or charged, less what our books say."""
        return sum(
            j.unbooked_fee_minor
            for j in self.judged
            if j.theirs is not None and j.theirs.line.day == self.day
        )

    @property
    def open(self) -> tuple[Judged, ...]:
        """What somebody, or time, still has to explain."""
        return tuple(j for j in self.judged if j.kind not in AGREES)


class _Day(msgspec.Struct, frozen=True):
    """One day as it was judged, and how much that changed."""

    judged: tuple[Judged, ...] = ()
    ours: Sequence[Ours] = ()
    changed: int = 0


class Statements:
    """Operators' statements of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        operators: Mapping[str, OperatorFacts],
        terms: TermsBook,
        store: StatementStore,
        cases: StatementCases,
        ours: OursReader,
        consequences: Consequences,
        balances: BalanceBook,
        pay_ins: PaidIns,
        moves: Moves,
        fees: FeeBook,
        clock: Clock,
        hear_owners: HearOwners = nobody_paid_in,
    ) -> None:
        """`hear_owners` is told of every collection that is compared, so that no pay-in lies beside
        the one that it is."""
        self._gaps = Gaps(tenant, cases, terms)
        self._tenant = tenant
        self._operators = dict(operators)
        self._terms = terms
        self._store = store
        self._ours = ours
        self._consequences = consequences
        self._balances = balances
        self._pay_ins = pay_ins
        self._moves = moves
        self._fees = fees
        self._clock = clock
        self._hear_owners = hear_owners

    async def take_in(self, operator: str, day: date, body: bytes, *, by: str) -> Report:
        """Take in a neutral file of an operator's day, and judge that day and those beside it.

        `by` is who takes it in: it is kept with the file's hash, beside whatever it proves.

        Raises CustomerMistake for an operator nobody knows and Unreadable, which names the lines,
        for a file that is refused, also one of a neighbouring day that was taken in already; then
        nothing is stored.
        """
        facts = self._facts(operator)
        terms = self._terms.of(operator)
        if day > (today := self._today(operator)) + ONE_DAY:  # it may have turned midnight there
            raise Unreadable(operator, f"the statement is refused: {day} is to come, it is {today}")
        read = read_whole_statement(operator, facts.currency, day, body, terms)
        once = self._once(operator, read)
        async with self._store.turn(operator):
            file = await self._file(operator, day, body, read, once, by)
            kept = await self._keep(file, list(once.values()))
            await self._judge(facts, day - ONE_DAY)
            judged = await self._judge(facts, day)
            await self._judge(facts, day + ONE_DAY)
            ours = await self._as_proven(facts, judged)
            drift = await self._compare_closing(facts, file, list(once.values()), ours)
            taken = await self._store.taken(operator, terms)
            await self._gaps.follow_on(facts, taken, day, self._now_ms())
        return Report(
            operator=operator,
            day=day,
            lines=file.lines,
            fresh=kept.fresh,
            doubled=file.doubled,
            breaks=breaks_of(list(once.values())),
            jump=taken.jumps.get(day),
            renamed=kept.renamed,
            judged=tuple(j for j in judged.judged if _is_of(j, day, terms)),
            drift_minor=drift,
            sha256=file.sha256,
        )

    async def fees(self, operator: str, day: date) -> DayFees | None:
        """What a day's lines charge otherwise than was agreed, judged as of now; None without a
        statement of the whole day. Raises what `take_in` does of an operator, and `FeeBook.of`."""
        facts, terms = self._facts(operator), self._terms.of(operator)
        async with self._store.turn(operator):
            if day not in (await self._store.taken(operator, terms)).whole:
                return None
            return await self._fees.of(facts, day, (await self._judge(facts, day)).judged)

    async def age(self) -> int:
        """Judge the last days again as of today, and call people for what stayed unexplained.

        Returns how many steps of payments and entries that led to: none when nothing changed.
        """
        changed = 0
        for facts in self._operators.values():
            async with self._store.turn(facts.name):
                today = self._today(facts.name)
                taken = await self._store.taken(facts.name, self._terms.of(facts.name))
                first = today - timedelta(days=AGED_DAYS)
                since_ms = self._now_ms() - AGED_DAYS * DAY_MS
                older = await self._store.undone_days(facts.name, first, since_ms)
                older += await self._late_days(facts, first, today)
                fees = await self._fees.open_days(facts.name, taken.days)
                older += [day for day in fees if day < first]
                for day in (*dict.fromkeys(older), *sorted(d for d in taken.days if d >= first)):
                    changed += (await self._judge(facts, day)).changed
                await self._gaps.miss(facts, taken, today, self._now_ms())
                await self._gaps.follow_on(facts, taken, first, self._now_ms())
        return changed

    async def _late_days(self, facts: OperatorFacts, first: date, today: date) -> list[date]:
        """Days before `first` of which something lies in SUSPENSE, while an attempt of about then
        has ended since: what lies there may be what it moved."""
        terms = self._terms.of(facts.name)
        late = await self._ours.ended_ids(first, today, terms)
        begun = {terms.day_of(int(epoch_of(attempt_id) * 1000)) for attempt_id in late}
        about = range(-1, terms.lookback_days + 2)
        days = {day + n * ONE_DAY for day in begun for n in about}
        return await self._store.suspended_among(facts.name, [d for d in days if d < first])

    async def _keep(self, file: File, lines: Sequence[Line]) -> Kept:
        """Store the file; says what of it is new."""
        kept = await self._store.keep(file, lines, self._now_ms())
        if self._is_over(file.operator, file.day):
            await self._gaps.came(file.operator, file.day, self._now_ms())
        return kept

    async def _file(
        self,
        operator: str,
        day: date,
        body: bytes,
        lines: Sequence[Line],
        once: Mapping[str, Line],
        by: str,
    ) -> File:
        # The same bytes say more once the day is over: that nothing came after them.
        about = b"the whole day" if self._is_over(operator, day) else b""
        if once and next(iter(once.values())) != lines[0]:  # older programs took it as it stood
            about = b"turned " + about[:9]
        digest = hashlib.blake2b(body, digest_size=16, person=about).hexdigest()
        elsewhere = await self._store.listed_elsewhere(day, list(once))
        own = [line for id_, line in once.items() if id_ not in elsewhere]
        days = {self._terms.of(operator).day_of(line.completed_ms) for line in once.values()}
        if once and not own and day not in days:
            raise Unreadable(operator, "the statement is refused as a whole: it is of another day")
        hash_ = await self._store.hash_of(operator, day, digest)
        gaps, doubled = len(breaks_of(list(once.values()))), len(lines) - len(once)
        return File(
            operator, day, hash_, len(lines), doubled, gaps, opening_minor(own), closing_minor(own),
            by, hashlib.sha256(body).hexdigest(),
        )  # fmt: skip

    def _once(self, operator: str, lines: Sequence[Line]) -> dict[str, Line]:
        """Each movement once, by its id, as they happened.

        Raises Unreadable where nobody can tell in which order they happened.
        """
        found: dict[str, Line] = {}
        for line in lines:
            found.setdefault(line_id(self._tenant, line), line)
        ordered = oldest_first(list(found.values()))
        if ordered is None:
            raise Unreadable(
                operator,
                "the statement is refused as a whole: its times and running balances do not tell"
                " which line came first; sort the lines by time, the oldest first, or leave the"
                " column balance empty",
            )
        return {line_id(self._tenant, line): line for line in ordered}

    async def _judge(self, facts: OperatorFacts, day: date) -> _Day:
        """Compare one day, if its statement was taken in, and act on it."""
        terms = self._terms.of(facts.name)
        taken = await self._store.taken(facts.name, terms)
        if day not in taken.days:
            return _Day()
        first, last = day - timedelta(days=terms.lookback_days), day + ONE_DAY
        ids = await self._ours.ids_between(facts, first, last, terms)
        ids += await self._ours.live_ids(facts)
        ids += await self._ours.ended_ids(first, last, terms)
        stored = await self._store.lines(facts.name, day - ONE_DAY, last, ids)
        lines = [s.theirs for s in stored]
        ids += await self._pay_ins.collections(facts.name, lines, terms.begins(first))
        ours = await self._ours.read(facts, {*ids, *_named_attempts(stored)})
        given = await self._hear_owners(facts.name, _collected(ours))
        paid_in = await self._pay_ins.among(facts.name, lines)
        moved = await self._moves.among(facts.name, lines, paid_in)
        today = self._today(facts.name)
        judged = match(
            ours,
            lines,
            day=day,
            taken=taken.whole,
            complete=taken.complete,
            today=today,
            terms=terms,
            paid_in=paid_in,
            moved=moved,
        )
        known = {s.theirs.line_id: s for s in stored}
        changed = await self._consequences.act(facts, judged, known, today, paid_in, moved)
        if day in taken.whole:
            await self._fees.call_people(facts, day, judged, terms, self._now_ms())
        return _Day(judged, ours, changed + given)

    async def _as_proven(self, facts: OperatorFacts, day: _Day) -> list[Ours]:
        """The day's attempts with what its lines have proven: what we held failed has moved, and by
        the closing balance, though it is booked only now."""
        proven = {j.ours.attempt_id for j in day.judged if j.ours is not None and j.proves}
        rest = [o for o in day.ours if o.attempt_id not in proven]
        return [*rest, *await self._ours.read(facts, proven)]

    async def _compare_closing(
        self, facts: OperatorFacts, file: File, lines: Sequence[Line], ours: Sequence[Ours]
    ) -> int | None:
        """The balance after the last line, beside FLOAT as of that moment, with what the lines
        until then list and was booked only since."""
        closing = closing_minor(lines)
        if closing is None:
            return None
        at_ms = [line.completed_ms for line in lines if line.balance_minor is not None][-1]
        float_minor, *held_minor = [
            await self._balances.listed_minor_at(facts, kind, file.day, at_ms)
            for kind in (Kind.FLOAT, *HELD)
        ]
        left, came = await self._balances.under_way_minor(facts, at_ms)
        band = band_at(
            at_ms,
            float_minor,
            ours,
            self._terms.of(facts.name).unbooked_minor,
            held_minor=sum(held_minor) + left,
            awaited_minor=came,
        )
        look = named_id(self._tenant, facts.name, file.day, file.hash)
        return await self._balances.judge(facts, look, closing, band, at_ms, is_snapshot=True)

    def _facts(self, operator: str) -> OperatorFacts:
        facts = self._operators.get(operator)
        if facts is None:
            raise CustomerMistake("mistake.operator_unknown")
        return facts

    def _is_over(self, operator: str, day: date) -> bool:
        return self._now_ms() >= self._terms.of(operator).ends_ms(day)

    def _today(self, operator: str) -> date:
        return self._terms.of(operator).day_of(self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _is_of(judged: Judged, day: date, terms: Terms) -> bool:
    """Whether a day's report tells it: a line with its own day's alone, and what an attempt of
    this day has come to by a line of another one, unless the two agree."""
    if judged.theirs is None or judged.theirs.line.day == day:
        return judged.kind is not Class.OTHER_DAY
    if judged.ours is None or judged.kind is Class.MATCHED:
        return False
    return terms.day_of(judged.ours.begun_ms) <= day <= over_on(judged.ours, terms)


def _collected(ours: Iterable[Ours]) -> list[tuple[str, PaymentId]]:
    """The receipts of these collections, and the payments that they paid."""
    won = [o for o in ours if o.side is Side.IN and o.standing is Standing.SUCCEEDED]
    return [(o.receipt, o.payment_id) for o in won if o.receipt is not None]


def _named_attempts(stored: Iterable[Stored]) -> set[AttemptId]:
    """Attempts that lines belong to, or name by our own id, however old they are."""
    found: set[AttemptId] = set()
    for s in stored:
        reference = (s.theirs.line.reference or "").replace("-", "").lower()
        if s.theirs.pinned is not None:
            found.add(s.theirs.pinned)
        elif is_id(reference):
            found.add(AttemptId(reference))
    return found
