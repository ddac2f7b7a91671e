"""The bare limit: the rows of a stored life, copied under fresh ids by plain batched inserts."""

from typing import Any

from engine.clock import Ids
from engine.payments.lifecycle import State
from engine.payments.notices import SMS
from engine.ports import Direction
from tests.bench.lives import TENANT


async def read_pattern(connection: Any) -> dict[str, Any]:
    """The rows of one finished life, to be copied; the intents are gone by then."""
    payment = await connection.fetchrow(
        "select id::text, tenant, state, version, customer::text from payment"
        " where state = $1 limit 1", State.PAID,
    )  # fmt: skip
    journal = await connection.fetch(
        "select version, state, at_ms, debits, credits, amounts, facts from journal"
        " where payment = $1::uuid order by version", payment["id"].replace("-", ""),
    )  # fmt: skip
    evidence = await connection.fetch(
        "select source, body from evidence where payment = $1::uuid", payment["id"].replace("-", "")
    )
    return {
        "payment": dict(payment),
        "journal": [dict(row) for row in journal],
        "evidence": [dict(row) for row in evidence],
        "intents": [
            (Direction.COLLECT, None), (Direction.DISBURSE, None),
            (SMS, "receipt_payer:payer:"), (SMS, "receipt_payee:payee:"),
        ],
    }  # fmt: skip


async def insert_lives(connection: Any, pattern: dict[str, Any], ids: Ids, count: int) -> None:
    """`count` copies of the pattern under fresh ids, in one transaction."""
    payment = pattern["payment"]
    payments, hashes, customers = ([ids.hex() for _ in range(count)] for _ in range(3))
    async with connection.transaction():
        run = connection.execute
        await run("set local session_replication_role = replica")  # no payment begins at its end
        await run(
            "insert into payment_key select $1, k, i, h"
            " from unnest($2::text[], $3::uuid[], $4::uuid[]) u(k, i, h)",
            TENANT, [ids.hex() for _ in range(count)], payments, hashes,
        )  # fmt: skip
        await run(
            "insert into payment select i, $1, $2, $3, null, null, 0, 1, c"
            " from unnest($4::uuid[], $5::uuid[]) u(i, c)",
            TENANT, payment["state"], payment["version"], payments, customers,
        )  # fmt: skip
        for row in pattern["journal"]:
            await run(
                "insert into journal select i, $1, $2, $3, $4, $5, $6, $7, $8"
                " from unnest($9::uuid[]) u(i)",
                row["version"], TENANT, row["state"], row["at_ms"], row["debits"], row["credits"],
                row["amounts"], row["facts"], payments,
            )  # fmt: skip
        for n, row in enumerate(pattern["evidence"], 1):
            attempts = [ids.hex() for _ in range(count)]
            await run(
                "insert into attempt select a, i, $1, $2, $3"
                " from unnest($4::uuid[], $5::uuid[]) u(a, i)",
                TENANT, n, n, attempts, payments,
            )  # fmt: skip
            await run(
                "insert into evidence select a, h, i, $1, $2, $3, $4"
                " from unnest($5::uuid[], $6::uuid[], $7::uuid[]) u(a, h, i)",
                TENANT, pattern["journal"][0]["at_ms"], row["source"], row["body"], attempts,
                hashes, payments,
            )  # fmt: skip
        for kind, payload in pattern["intents"]:
            await run(
                "insert into outbox select o, i, $1, $2, $3, 0, 0, null"
                " from unnest($4::uuid[], $5::uuid[]) u(o, i)",
                TENANT, kind, payload, [ids.hex() for _ in range(count)], payments,
            )  # fmt: skip
