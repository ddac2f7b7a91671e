"""A payment of a tenant by its code alone, for staff. Reads only.

No index knows codes: its entries would lie by chance, a page of its own for every payment
(`decisions/0026`). So the ids are walked, the newest first: who asks about a payment asks soon.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from engine.clock import PaymentId, first_id_at, made_at
from engine.ledger.entries import MANUAL_FROM
from engine.payments.payment import code_of, id_ending

_DAYS_BACK = tuple(2**n for n in range(10))
"""From the newest payment. Each look goes as far back again as all before it; the last goes on to
the first payment."""
_NO_ID_BEFORE, _NO_ID_FROM = "0" * 32, "f" * 32

_NEWEST = "select id from payment where tenant = $1 order by id desc limit 1"
# In no order: for one, Postgres would walk an index beside the table. As bytes, because writing an
# id as text takes longer than all else of a row.
_BETWEEN = """
select id from payment
 where tenant = $1 and state < $2 and id >= $3 and id < $4 and substr(uuid_send(id), 11) = $5"""


async def find_by_code(pool: Any, tenant: int, code: str) -> PaymentId | None:
    """The newest payment that has the code (`read_code`); None when there is none.

    A code that nothing has costs a look at every id that is stored, one of yesterday at a day's.
    """
    newest = await pool.fetchval(_NEWEST, tenant)
    if newest is None:
        return None
    until = made_at(PaymentId(newest.hex))
    edges = (first_id_at(until - timedelta(days=days)) for days in _DAYS_BACK)
    ending = bytes.fromhex(id_ending(code))
    for before, since in pairwise((_NO_ID_FROM, *edges, _NO_ID_BEFORE)):
        rows = await pool.fetch(_BETWEEN, tenant, MANUAL_FROM, since, before, ending)
        # The ending lacks two bits of the code: another payment's may be the same.
        ids = (PaymentId(row["id"].hex) for row in rows)
        if found := [id_ for id_ in ids if code_of(id_) == code]:
            return max(found)
    return None
