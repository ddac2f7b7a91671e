import pytest
from tests.integration.test_conformance import *
from tests.integration import test_conformance as t
for name in list(globals()):
    if name.startswith("test_"): del globals()[name]
async def test_wide(pair):
    for seed in range(100, 100 + 150):
        author = Author(seed, pair)
        author.chance.random()
        for n in range(30):
            pair.day = 100 + n // 10
            batch = [p for _ in range(author.chance.choice((1, 1, 4))) for p in author.batch()]
            await pair.commit(batch, careful=author.chance.random() < 0.3)
        await pair.assert_equal()
        for tbl in ("payment","payment_key","journal","attempt","outbox","evidence","spending"):
            await pair.connection.execute(f"truncate {tbl}")
        await pair.connection.execute("update balance set amount = 0")
        m = pair.model
        for d in (m.payments, m.keys, m.journal, m.attempts, m.outbox, m.evidence, m.spending, m.waiting, m.of_customer, m.of_attempt): d.clear()
        for a in m.balances: m.balances[a] = 0
