"""What an operator lists against what we hold, item by item. Pure: the same lines in any order
give the same answer, and every line and every attempt ends in exactly one class.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from engine.clock import AttemptId
from engine.payments.statements.judged import Class, Judged, Ours, Standing, Theirs, over_on
from engine.payments.statements.lines import Line, Moved, PaidInLine, Side, days_between
from engine.payments.statements.terms import Terms
from engine.ports import Outcome


def match(
    ours: Iterable[Ours],
    theirs: Iterable[Theirs],
    *,
    day: date,
    taken: frozenset[date],
    complete: frozenset[date],
    today: date,
    terms: Terms,
    paid_in: Mapping[str, PaidInLine],
    moved: Mapping[str, Moved | None],
) -> tuple[Judged, ...]:
    """Judge everything as of one operator's one day.

    `taken`: the days of whose whole we have a statement; `complete`: those where no line is known
    to lack; `paid_in`, `moved`: as `PaidIns.among` and `Moves.among` tell. Attempts and lines of
    the days around it are candidates for pairs. An unpaired one of another day is OTHER_DAY: its
    own day judges it.
    """
    lines, doubled = _without_doubles(theirs)
    attempts = sorted(ours, key=lambda o: o.attempt_id)
    pairs = _pair(attempts, lines, paid_in)
    amounts = Counter(_by_receipt(t.line) for t in lines)
    judge = _Judge(day, taken, complete, today, terms, paid_in, moved, amounts)
    judged = [
        judge.pair(t, o) if (o := pairs.attempt_of.get(t.line_id)) else judge.line(t, pairs)
        for t in lines
    ]
    judged += [judge.attempt(o) for o in attempts if o.attempt_id not in pairs.taken]
    judged += [Judged(Class.DUPLICATE_LINE, t, why="the same movement again") for t in doubled]
    return tuple(judged)


def _without_doubles(theirs: Iterable[Theirs]) -> tuple[list[Theirs], list[Theirs]]:
    """Lines in an order of their own, and those that repeat one of them."""
    first: list[Theirs] = []
    doubled: list[Theirs] = []
    seen: set[str] = set()
    for t in sorted(theirs, key=_order):
        (doubled if t.line_id in seen else first).append(t)
        seen.add(t.line_id)
    return first, doubled


def _order(t: Theirs) -> tuple[object, ...]:
    line = t.line
    return line.completed_ms, line.receipt, t.line_id, line.day, line.raw_hash, t.pinned or ""


class _Pairs:
    """Which line speaks of which attempt."""

    def __init__(self, attempts: Sequence[Ours]) -> None:
        self._by_id = {o.attempt_id: o for o in attempts}
        self._named: dict[Hashable, list[Ours]] = defaultdict(list)
        for o in attempts:
            if o.receipt:
                self._named["receipt", o.side, o.receipt].append(o)
            for name in {*o.references, o.attempt_id}:
                self._named["reference", o.side, name].append(o)
            self._named["code", o.side, o.code].append(o)
            # One that succeeded without a receipt: two of us saw it, or it was "done already".
            if not o.receipt and o.standing in (Standing.OPEN, Standing.SUCCEEDED):
                for name in {*o.gives_back}:
                    self._named["gives back", o.side, name].append(o)
        self.attempt_of: dict[str, Ours] = {}
        self.taken: set[AttemptId] = set()
        self._listed: dict[Hashable, Ours] = {}

    def pin(self, t: Theirs) -> None:
        """Keep what was paired before, if it is in sight."""
        o = self._by_id.get(t.pinned) if t.pinned is not None else None
        if o is None or o.side is not t.line.side or o.attempt_id in self.taken:
            return
        if t.line_id not in self.attempt_of and _same_amount(t, o) and not _is_second(t, o):
            self._take(t, o)

    def keeps(self, t: Theirs) -> bool:
        """Whether the operator's own words name what a suspended line was paired with before; of an
        attempt with another receipt of its own it is a second payment."""
        named = (
            *self._named.get(_by_receipt(t.line), ()),
            *self._named.get(_by_reference(t.line), ()),
        )
        return any(o.attempt_id == t.pinned and o.receipt in (None, t.line.receipt) for o in named)

    def choose(self, t: Theirs, key: Hashable, agrees: Callable[[Theirs, Ours], bool]) -> None:
        """Take the best free attempt that goes by this name, if there is one."""
        if t.line_id in self.attempt_of:
            return
        free = [
            o for o in self._named.get(key, ())
            if o.attempt_id not in self.taken and agrees(t, o) and not _is_second(t, o)
        ]  # fmt: skip
        if free:
            self._take(t, min(free, key=_likelihood))

    def twin(self, t: Theirs) -> Ours | None:
        """The attempt of another line with the same receipt: one movement, two amounts."""
        return self._listed.get(_by_receipt(t.line))

    def undone(self, t: Theirs) -> Ours | None:
        """What an unpaired line the other way undid: it names our receipt, to the unit."""
        for o in self._named.get(_reversed(t.line), ()):
            if o.standing is Standing.SUCCEEDED and o.amount == t.line.amount:
                return o
        return None

    def hint(self, t: Theirs) -> Ours | None:
        """An attempt that an unpaired line names although another line has it."""
        for name in (*_NAMES, _reversed):
            if found := self._named.get(name(t.line)):
                return found[0]
        return None

    def _take(self, t: Theirs, o: Ours) -> None:
        self.attempt_of[t.line_id] = o
        self.taken.add(o.attempt_id)
        self._listed[_by_receipt(t.line)] = o


def _pair(
    attempts: Sequence[Ours], lines: Sequence[Theirs], paid_in: Mapping[str, PaidInLine]
) -> _Pairs:
    """By the very receipt, by what was paired before, then by receipt, reference, code: equal
    amounts first, and the code alone only where no other receipt is known. A pay-in is its
    payment's by the operator's words, never by what was typed. What undoes a collection is our own
    refund of it, if there is one that told no receipt."""
    pairs = _Pairs(attempts)
    others = [t for t in lines if t.line_id not in paid_in]
    suspended = [t for t in lines if (known := paid_in.get(t.line_id)) and known.is_suspended]
    for t in (*others, *suspended):
        pairs.choose(t, _by_receipt(t.line), _same_amount)
    for t in (*others, *[t for t in suspended if pairs.keeps(t)]):
        pairs.pin(t)
    for name in _NAMES:
        for agrees in (_same_amount, _any_amount):
            for t in others:
                pairs.choose(t, name(t.line), agrees)
    for t in others:
        pairs.choose(t, _by_what_it_undoes(t.line), _same_amount)
    for t in suspended:
        pairs.choose(t, _by_reference(t.line), _same_amount_without_receipt)
    return pairs


def _by_receipt(line: Line) -> Hashable:
    return "receipt", line.side, line.receipt


def _by_reference(line: Line) -> Hashable:
    return "reference", line.side, line.reference


def _by_code(line: Line) -> Hashable:
    return "code", line.side, line.reference


def _by_what_it_undoes(line: Line) -> Hashable:
    return "gives back", line.side, line.reference


def _reversed(line: Line) -> Hashable:
    return "receipt", Side.OUT if line.side is Side.IN else Side.IN, line.reference


_NAMES: tuple[Callable[[Line], Hashable], ...] = (_by_receipt, _by_reference, _by_code)


def _same_amount(t: Theirs, o: Ours) -> bool:
    return _difference(t.line, o) == 0


def _same_amount_without_receipt(t: Theirs, o: Ours) -> bool:
    """Of an attempt with a receipt of its own another one is a second payment."""
    return o.receipt is None and _same_amount(t, o)


def _is_second(t: Theirs, o: Ours) -> bool:
    """Whether it only goes by the code, which a customer may type, of an attempt that has succeeded
    under another receipt: whoever pays twice gives the code twice, and the first may not be listed
    yet. By whatever name it goes where the first was sent by hand: then the prompt was paid too."""
    receipt, name = t.line.receipt, t.line.reference
    has_another = o.standing is Standing.SUCCEEDED and o.receipt not in (None, receipt)
    if has_another and o.by_pay_in:
        return True
    return has_another and name == o.code and name not in {*o.references, o.attempt_id}


def _any_amount(t: Theirs, o: Ours) -> bool:
    return t.line.amount.currency == o.amount.currency


_STANDINGS = (Standing.SUCCEEDED, Standing.OPEN, Standing.UNSENT, Standing.FAILED)


def _likelihood(o: Ours) -> tuple[int, str]:
    return _STANDINGS.index(o.standing), o.attempt_id


def _difference(line: Line, o: Ours) -> int | None:
    """Theirs less ours, 0 where the listed fee explains it; None for another currency.

    Some list what the customer paid, others what was left of it: both agree with our amount.
    """
    if line.amount.currency != o.amount.currency:
        return None
    difference = line.amount.minor - o.amount.minor
    explained = -line.fee_minor if line.side is Side.IN else line.fee_minor
    return 0 if difference in (0, explained) else difference


_UNDONE = Moved("", 0)


class _Judge:
    """What a pair, or one without a partner, is on this day."""

    def __init__(
        self,
        day: date,
        taken: frozenset[date],
        complete: frozenset[date],
        today: date,
        terms: Terms,
        paid_in: Mapping[str, PaidInLine],
        moved: Mapping[str, Moved | None],
        amounts: Mapping[Hashable, int],
    ) -> None:
        self._day = day
        self._taken = taken
        self._complete = complete
        self._today = today
        self._terms = terms
        self._paid_in = paid_in
        self._moved = moved
        self._amounts = amounts

    def pair(self, t: Theirs, o: Ours) -> Judged:
        judged = self._pair(t, o)
        moved = self._moved.get(t.line_id, _UNDONE)
        if moved is not None and not moved.by:
            return judged
        return msgspec.structs.replace(judged, is_moved_too=True)

    def _pair(self, t: Theirs, o: Ours) -> Judged:
        fee = t.line.fee_minor - o.booked_fee_minor
        if difference := _difference(t.line, o):
            return Judged(Class.AMOUNT_DIFFERS, t, o, None, difference, fee, why="another amount")
        if _other_number(t.line.counterparty, o.masked):
            return Judged(Class.CONTRADICTION, t, o, None, 0, fee, why="another number")
        proves, kind, why = None, Class.MATCHED, ""
        if o.standing is Standing.FAILED:
            proves, kind, why = Outcome.SUCCEEDED, Class.CONTRADICTION, "we hold it failed"
        elif o.standing is not Standing.SUCCEEDED:
            proves, kind, why = Outcome.SUCCEEDED, Class.UNKNOWN_RESOLVED, "it was unknown"
        elif not self._begun(o) <= t.line.day <= self._over(o):
            kind, why = Class.NEXT_DAY, f"listed with {t.line.day}"
        return Judged(kind, t, o, proves, 0, fee, why=why)

    def line(self, t: Theirs, pairs: _Pairs) -> Judged:
        if t.line.day != self._day:
            return Judged(Class.OTHER_DAY, t)
        if (twin := pairs.twin(t)) is not None:
            difference = t.line.amount.minor - twin.amount.minor
            why = "its receipt is listed in two amounts"
            return Judged(Class.AMOUNT_DIFFERS, t, difference_minor=difference, hint=twin, why=why)
        # What a pay-in has suspended comes out: people have said that it was their own.
        moved, paid_in = self._moved.get(t.line_id), self._paid_in.get(t.line_id)
        if moved is not None and moved.by:
            if paid_in is None or paid_in.is_suspended:
                fee, by = t.line.fee_beyond(moved.minor), moved.by
                why = "moved by people"
                return Judged(Class.MOVED, t, unbooked_fee_minor=fee, why=why, moved_by=by)
            # It went back or to a payment, or lies in SUSPENSE in another amount: booked twice.
            return Judged(Class.MISSING_HERE, t, why="people moved it, and have it as a pay-in too")
        if paid_in is not None:
            fee = t.line.fee_beyond(paid_in.minor)
            return Judged(Class.PAID_IN, t, unbooked_fee_minor=fee, why="paid in by hand")
        if t.line_id in self._moved:
            why = "under its name people moved another amount, or one that cannot be read"
            if moved is not None:
                why = "people undid what they had booked under its name"
            return Judged(Class.MISSING_HERE, t, why=why)
        if (undone := pairs.undone(t)) is not None:
            why = "they undid what had succeeded"
            return Judged(Class.CONTRADICTION, t, proves=Outcome.REVERSED, hint=undone, why=why)
        hint = pairs.hint(t)
        why = f"names {hint.code}, {_whose(hint, t.line)}" if hint else "nobody here made it"
        if is_doubted := self._amounts[_by_receipt(t.line)] > 1:
            why += "; its receipt is listed in two amounts, of which one moved"
        return Judged(Class.MISSING_HERE, t, hint=hint, why=why, is_doubted=is_doubted)

    def attempt(self, o: Ours) -> Judged:
        if self._over(o) != self._day:
            return Judged(Class.OTHER_DAY, ours=o)
        if o.standing is Standing.FAILED:
            return Judged(Class.NOTHING_MOVED, ours=o)
        if o.standing is Standing.SUCCEEDED:
            return self._unlisted(o)
        return self._unresolved(o)

    def _unlisted(self, o: Ours) -> Judged:
        absent = days_between(self._begun(o), self._over(o) + timedelta(days=1)) - self._taken
        if absent:
            return Judged(Class.WAITING, ours=o, why=f"no statement of {min(absent)} yet")
        return Judged(Class.MISSING_THERE, ours=o, why="neither its day nor the next lists it")

    def _unresolved(self, o: Ours) -> Judged:
        days = self._terms.absence_proves_after_days
        left_ms = o.begun_ms if o.left_ms is None else o.left_ms
        last = self._terms.day_of(left_ms) + timedelta(days=days)
        if not days or o.standing is Standing.UNSENT:
            return Judged(Class.WAITING, ours=o, why="unknown, and absence proves nothing")
        if self._today <= last or days_between(self._begun(o), last) - self._complete:
            return Judged(Class.WAITING, ours=o, why=f"unknown until the statement of {last}")
        why = f"not listed until {last}"
        return Judged(Class.UNKNOWN_RESOLVED, ours=o, proves=Outcome.FAILED, why=why)

    def _begun(self, o: Ours) -> date:
        return self._terms.day_of(o.begun_ms)

    def _over(self, o: Ours) -> date:
        return over_on(o, self._terms)


def _whose(o: Ours, line: Line) -> str:
    """Why a line is not that of an attempt which it names."""
    is_another = o.side is line.side and o.receipt not in (None, line.receipt)
    return f"whose receipt is {o.receipt}" if is_another else "which another line has"


def _other_number(theirs: str | None, ours: str) -> bool:
    """Only where both are masked our way can they be told apart."""
    return theirs is not None and "*****" in theirs and len(theirs) == len(ours) and theirs != ours
