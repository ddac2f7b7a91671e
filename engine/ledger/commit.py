"""The only writer of money: a batch of plans in, one verdict per plan out, in one transaction.

It knows nothing of what a payment's states mean; its laws are those of
`migrations/sql/0046_fence.sql`. Who gathers the batches is `committer.py`.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate, chain
from typing import Any

import asyncpg

from engine.errors import CommitUnknown, OurFault
from engine.ledger.plans import APPLIED, NOTE, Plan, Verdict, Verdicted

# Errors after which the same batch is simply tried again, with more care.
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
# The connection or the server is in trouble: the batch may be stored or not.
_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InternalClientError,  # the driver itself is confused: what it sent is not known
    asyncpg.ReadOnlySQLTransactionError,
)
# What a single plan can be guilty of.
_POISON = (
    asyncpg.PostgresError,
    asyncpg.DataError,
    AttributeError,  # the last five: a value of a type that no array can hold
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)

_TRIES = 4


class Care(IntEnum):
    """What is locked first and then taken plan by plan, in their order."""

    NONE = 0
    LIMITS = 1
    MONEY = 2  # and limits


_TYPES = (  # noqa: SIM905 - so many short words read better as lines
    "uuid int int int smallint bigint text uuid uuid text uuid uuid smallint smallint smallint int "
    "int int int bigint bigint bigint int uuid smallint text bigint bigint int uuid int uuid uuid "
    "smallint text int uuid smallint int int bigint bigint bigint"
).split()
_CALL = (
    # Only placeholders and the fixed type names above are put together.
    "select verdict, known from commit_plans($1, $2, $3, $4, "
    + ", ".join(f"${i}::{t}[]" for i, t in enumerate(_TYPES, 5))
    + ")"
)


def _first_of_its_kind(
    plans: Sequence[Plan], ids: Sequence[str], keys: Sequence[str | None]
) -> Sequence[int]:
    """For each plan the number of the first in this batch with the same key or payment."""
    named = [key for key in keys if key is not None]
    if len({*ids}) == len(plans) and len({*named}) == len(named):
        return range(1, len(plans) + 1)  # as nearly always
    first: dict[object, int] = {}
    out = []
    for n, plan in enumerate(plans, 1):
        if plan.version == NOTE:
            out.append(n)
        elif plan.key is not None:
            out.append(first.setdefault((plan.tenant, plan.key), n))
        else:
            out.append(first.setdefault(plan.payment, n))
    return out


def columns(plans: Sequence[Plan]) -> tuple[Any, ...]:
    """The arguments of `commit_plans` after the first two: bounds, then flat arrays."""
    (
        ids, versions, tenants, states, dues, keys, hashes, customers, facts, ends, begins,
        directions, operators, ways, terms, transfers, intents, done, evidence, spend,
    ) = zip(*plans, strict=True)  # fmt: skip
    *leg_from, _ = accumulate(map(len, transfers), initial=1)
    leg_to = [*accumulate(map(len, transfers))]
    flat_legs = _flat(transfers, 3)
    flat_intents = _flat(intents, 5)
    flat_evidence = _flat(evidence, 4)
    flat_spend = _flat(spend, 7)
    return (
        min(ids), max(ids),
        ids, _first_of_its_kind(plans, ids, keys), versions, tenants, states, dues, keys, hashes,
        customers, facts, ends, begins, directions, operators, ways, terms, leg_from, leg_to,
        _numbers(transfers), *flat_legs, _numbers(intents), *flat_intents,
        _numbers(done), [*chain.from_iterable(done)], _numbers(evidence), *flat_evidence,
        _numbers(spend), *flat_spend,
    )  # fmt: skip


def _numbers(tuples: Sequence[tuple[Any, ...]]) -> list[int]:
    """Whose each of the inner values is: the number of its plan, from 1."""
    return [number for number, inner in enumerate(tuples, 1) for _ in inner]


def _flat(tuples: Sequence[tuple[tuple[Any, ...], ...]], width: int) -> Sequence[Sequence[Any]]:
    """One column per field of the inner tuples; empty ones when there are none."""
    return list(zip(*chain.from_iterable(tuples), strict=True)) or [()] * width


async def commit(
    connection: Any, plans: Sequence[Plan], at_ms: int, *, careful: bool = False
) -> list[Verdicted]:
    """Commit a batch in one transaction; the verdicts stand in the order of the plans.

    Repeats with more care when money was short or a count is in doubt, bisects when the database
    finds a plan indigestible.
    Raises CommitUnknown when the reply was lost: repeating the same plans is safe and tells.
    """
    care = Care.MONEY if careful else Care.NONE
    for _ in range(_TRIES):
        try:
            verdicts, known = await connection.fetchrow(_CALL, care, at_ms, *columns(plans))
        except _LOST as error:
            raise CommitUnknown(str(error) or type(error).__name__) from error
        except _AGAIN as error:
            refusal = Verdicted(Verdict.STALE, None, str(error))
            care = Care.MONEY if care else Care.LIMITS
        except _POISON as error:
            refusal = Verdicted(Verdict.POISON, None, str(error))
            if getattr(error, "constraint_name", None) != "never_below_zero":
                break
            care = Care.MONEY
        else:
            if len(verdicts) != len(plans):
                raise OurFault(
                    f"{len(verdicts)} verdicts for {len(plans)} plans: nothing is believed"
                )
            if not any(verdicts):
                return [APPLIED] * len(plans)
            known = known or [None] * len(plans)
            return [Verdicted(Verdict(v), k) for v, k in zip(verdicts, known, strict=True)]
    if len(plans) == 1:
        return [refusal]
    half = len(plans) // 2
    first = await commit(connection, plans[:half], at_ms)
    return first + await commit(connection, plans[half:], at_ms)
