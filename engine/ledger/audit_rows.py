"""Pieces of SQL that the auditor's questions share: rows of the journal and the legs in them.

Pure. In every piece $1 is the tenant, $2 and $3 a stretch of time, $4 the kinds that stand for
payments.
"""

import hashlib
import struct
from typing import NamedTuple

from engine.ledger.corrections import STANDS_FOR_PAYMENTS
from engine.ledger.entries import CORRECTS

FOREVER_MS = 2**62
SUSPECTS_MAX = 50
"""So many guilty rows are named one by one; of more, people need the number first."""
SEALED_LATER = "later."
"""What begins the place of a number that was sealed after its row was written, before `v1.`."""


class Chain(NamedTuple):
    """One partition of the journal and the last block sealed in it (number 0: none yet)."""

    partition: str
    number: int
    sealed_ms: int
    hash: bytes


STANDING_KINDS = sorted(int(kind) for kind in STANDS_FOR_PAYMENTS)
# A correction speaks of another payment and is counted to that one. The text is not parsed as
# JSON: whoever forges a row must not be able to stop the auditor.
_ABOUT = (
    f"case when state in ({', '.join(str(int(s)) for s in sorted(CORRECTS))})"
    """ then coalesce(substring(facts from '^\\{"about":"([0-9a-f]{32})"')::uuid, payment)"""
    " else payment end"
)
_BUT_FACTS = "payment, version, tenant, state, at_ms, debits, credits, amounts"
COLUMNS = f"{_BUT_FACTS}, facts"
ROW_BUT_FACTS = f"record_send(row({_BUT_FACTS}))"
ROW_DIGEST = f"sha256(record_send(row({COLUMNS})))"
WAS_SEALED_LATER = f"coalesce(facts like '%\"{SEALED_LATER}v1.%', false)"
"""Whether a row's terms were written plain: what was digested then has to be opened first."""
LEGS = f"""
  select {_ABOUT} as about, unnest(debits) as account, -unnest(amounts) as minor from fresh
  union all select {_ABOUT}, unnest(credits), unnest(amounts) from fresh"""
STANDING_LEGS = """
  select about as payment, account, sum(minor)::bigint as minor from legs
   where (account >> 24 & 255) = any($4::int[]) group by 1, 2 having sum(minor) <> 0"""


def rows_of(partition: str, *, also: str = "true") -> str:
    """The rows of a stretch of a partition; `also` is one condition more."""
    return (
        f"select {COLUMNS} from {partition} j"
        f" where tenant = $1 and at_ms >= $2 and at_ms < $3 and {also}"
    )


def unsealed_rows(chains: list[Chain]) -> str:
    """The rows of all partitions; $2 says from where on each is not sealed."""
    return " union all ".join(
        f"select {COLUMNS} from {chain.partition}"
        f" where tenant = $1 and at_ms >= ($2::bigint[])[{n}] and at_ms < $3"
        for n, chain in enumerate(chains, 1)
    )


def payments_of(partition: str) -> str:
    """The payments whose rows a partition of the journal holds (`ensure_month`)."""
    return partition.replace("journal", "payment", 1)


def digest_of(row_but_facts: bytes, facts: str) -> bytes:
    """What `ROW_DIGEST` gives of a row with these facts; the first is its `ROW_BUT_FACTS`.

    As `record_send` writes it: the number of columns, then of each its type and its length.
    """
    text = facts.encode()
    count = struct.pack(">i", _COUNT)
    return hashlib.sha256(
        count + row_but_facts[len(count) :] + struct.pack(">ii", _TEXT, len(text)) + text
    ).digest()


_COUNT = COLUMNS.count(",") + 1
_TEXT = 25  # `text` by its number in Postgres's catalog, the same in every database
