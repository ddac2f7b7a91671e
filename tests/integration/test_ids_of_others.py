"""An id of somebody else's is answered as one of nobody's: the same bytes, by the same statements.

Whoever asks learns nothing from the answer, nor from how often the database was asked for it. How
long it takes is measured by `python -m tests.bench lookups`.
"""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.integration.client_room import ClientRoom, open_client_room
from tests.integration.owner import Owner
from tests.integration.staff_room import StaffRoom, open_staff_room
from tests.integration.strangers_room import (
    HOOKS,
    PLENTY,
    Asker,
    Look,
    Statements,
    Words,
    looks_of_clients,
    looks_of_staff,
    of_clients,
    of_staff,
    told,
)

OF_CLIENTS = {
    "show_quote", "send_payment by quote", "send_payment by reservation", "show_payment",
    "cancel_payment", "refund_payment", "list_payments_of_user", "show_reservation",
    "release_liquidity", "show_webhook", "pause_webhook", "resume_webhook", "remove_webhook",
    "rotate_webhook", "list_deliveries", "resend_event",
}  # fmt: skip
OF_STAFF = {
    *(f"{what} by {kind}" for what in (
        "show_transaction", "retry_transaction", "propose_reversal",
    ) for kind in ("transaction", "code", "attempt")),
    "approve_proposal by proposal", "reject_proposal by proposal", "end_session by session",
}  # fmt: skip


@pytest.fixture
async def clients(database_url: str) -> AsyncIterator[ClientRoom]:
    async with open_client_room(database_url, limits=None, **HOOKS, **PLENTY) as opened:
        yield opened


@pytest.fixture
async def staff(database_url: str) -> AsyncIterator[StaffRoom]:
    async with open_staff_room(database_url) as opened:
        yield opened


async def compare(
    asker: Asker, look: Look, ids: dict[str, Words], statements: Statements
) -> tuple[int, int]:
    """The status that all of them are answered with, and how many statements that took."""
    await asker.ask(look, ids["nobody's"])  # what is remembered of the caller is remembered now
    await statements.taken()
    answers, asked = {}, {}
    for whose, words in ids.items():
        answers[whose] = told(await asker.ask(look, words))
        # What is asked at once is told in the order of its answers.
        asked[whose] = sorted(await statements.taken())
    assert asked["nobody's"], "nothing was looked for"
    for whose in ids:
        assert answers[whose] == answers["nobody's"], (look.name, whose)
        assert asked[whose] == asked["nobody's"], (look.name, whose)
    return answers["nobody's"][0], len(asked["nobody's"])


async def test_a_client_learns_nothing_from_ids_of_other_clients_and_tenants(
    clients: ClientRoom,
) -> None:
    ids = await of_clients(clients)
    statements = Statements()
    await statements.listen(clients.world.pool)
    asker = Asker(clients.client, clients.headers("shop"))
    looks = looks_of_clients(clients.app.routes)
    assert {look.name for look in looks} == OF_CLIENTS
    statuses: Counter[int] = Counter()
    for look in looks:
        status, many = await compare(asker, look, ids, statements)
        assert 1 <= many < 20, (look.name, many)
        statuses[status] += 1
    assert statuses == {404: len(looks) - 1, 200: 1}, "a list of payments is empty, and no secret"


async def test_nothing_is_done_to_what_another_tenant_has(clients: ClientRoom) -> None:
    """By the very key that made it, too; so what was asked above was really there to be found."""
    ids = (await of_clients(clients))["another tenant's"]
    asker = Asker(clients.client, clients.headers("third"))
    before = await standing(clients)
    assert before == ["active", "deliveries 1", "rotated 0", "open"]
    for look in looks_of_clients(clients.app.routes):
        answer = await asker.ask(look, ids)
        assert answer.status_code == 404 or answer.json() == {"payments": [], "next": None}
    assert await standing(clients) == before


async def standing(room: ClientRoom) -> list[str]:
    """How the other tenant's webhook and reservation stand."""
    rows = await Owner(room.world.pool).fetch(
        "select state from hook_subscription where tenant = 2"
        " union all select 'deliveries ' || count(*) from hook_delivery"
        " where tenant = 2 and state = 1"
        " union all select 'rotated ' || count(*) from hook_secret"
        " where tenant = 2 and until_ms is not null"
        " union all select case when ended_ms is null then 'open' end from liquidity_reservation"
        " where tenant = 2"
    )
    return [row[0] for row in rows]


async def test_staff_learn_nothing_from_ids_of_other_tenants(staff: StaffRoom) -> None:
    ids = await of_staff(staff)
    statements = Statements()
    await statements.listen(staff.world.pool)
    asker = Asker(staff.client, staff.headers("fay"))
    looks = looks_of_staff(staff)
    assert {look.name for look in looks} == OF_STAFF
    for look in looks:
        status, many = await compare(asker, look, ids, statements)
        assert status == 404, look.name
        assert 1 <= many < 20, (look.name, many)
