"""How far the settlement of a payment got, for the inspection door: no secret, no number in it.

It reads what settlement keeps and asks no chain, so it works in a process that settles nothing.
"""

from typing import Any

from channels.times import iso_of
from engine.payments.settlement.standing import WAITS
from engine.payments.settlement.state import BatchState, ErrandState

_UNDER_WAY = (BatchState.SUBMITTED, BatchState.SETTLED)


async def settlement_of(pool: Any, payment_id: str) -> dict[str, Any] | None:
    """The newest obligation of a payment, its batch, and when it got how far; None for none."""
    row = await pool.fetchrow(
        "select o.source, o.destination, o.at_ms, b.id as batch, b.corridor, b.state, b.closed_ms,"
        " b.settled_at, e.hash, e.version, e.state as errand,"
        " (select max(a.at_ms) from settlement_approval a"
        "   where a.batch = b.id and a.terms_hash = b.terms_hash) as approved_ms,"
        " (select min(t.made_ms) from settlement_transaction t where t.errand = e.id) as sent_ms"
        " from settlement_obligation o"
        " left join settlement_batch b on b.id = o.batch"
        " left join settlement_errand e on e.id = b.id"
        " where o.payment = $1 order by o.version desc, o.account limit 1",
        payment_id,
    )
    if row is None:
        return None
    if row["batch"] is None:
        corridor = ":".join(sorted((row["source"], row["destination"])))
        return _told(corridor, WAITS, None, None, [(WAITS, row["at_ms"])])
    done = row["errand"] == ErrandState.DONE
    return _told(
        row["corridor"], BatchState(row["state"]).name.lower(), row["batch"].hex,
        (row["hash"].hex(), row["version"]) if done and row["hash"] else None, _stages(row),
    )  # fmt: skip


def _stages(row: Any) -> list[tuple[str, int]]:
    """Only what has been reached; the chain tells its own time in whole seconds."""
    state = BatchState(row["state"])
    reached = [(WAITS, row["at_ms"]), ("closed", row["closed_ms"])]
    if state not in (BatchState.CLOSING, BatchState.CLOSED):
        reached.append(("approved", row["approved_ms"]))
    if state in _UNDER_WAY:
        reached.append(("submitted", row["sent_ms"]))
    if state is BatchState.SETTLED and row["settled_at"] is not None:
        before = row["sent_ms"] or row["closed_ms"]
        reached.append(("settled", max(row["settled_at"] * 1000, before)))
    elif state in (BatchState.REOPENING, BatchState.REOPENED, BatchState.PARKED):
        reached.append((state.name.lower(), row["closed_ms"]))
    return [(stage, at_ms) for stage, at_ms in reached if at_ms is not None]


def _told(
    corridor: str,
    stage: str,
    batch: str | None,
    place: tuple[str, int | None] | None,
    stages: list[tuple[str, int]],
) -> dict[str, Any]:
    transaction, version = place or (None, None)
    return {
        "corridor": corridor,
        "stage": stage,
        "batch": batch,
        "transaction": transaction,
        "version": version,
        "stages": [{"stage": reached, "at": iso_of(at_ms)} for reached, at_ms in stages],
    }
