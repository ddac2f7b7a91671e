"""Settlement where a slow process, other terms or a rail that refuses meets what has begun."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.errors import Rejected
from engine.payments.settlement.state import BatchState as S
from engine.payments.settlement.submitting import LEASE_SECONDS
from engine.ports import Prepared, Reason, SettlementTerms
from tests.integration.settlement_room import Hall, open_hall


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def test_who_lost_the_account_while_it_looked_around_signs_nothing_for_it(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that count the free places at once fill more than the rail takes."""
    await hall.pay()
    batch = await hall.close()
    await hall.approve(batch)
    assert await hall.room.settling._want(await hall.reopened(batch))
    errands = hall.room.settling._submitting._errands
    live = errands.live

    async def slowly(account: str) -> Any:
        hall.clock.pass_(LEASE_SECONDS)
        now_ms = int(hall.clock.epoch() * 1000)
        if not taken:
            assert await errands.hold(account, "f" * 32, now_ms, now_ms + LEASE_SECONDS * 1000)
        taken.append(account)
        return await live(account)

    taken: list[str] = []
    monkeypatch.setattr(errands, "live", slowly)
    await hall.sweep(1)
    monkeypatch.undo()
    assert (taken[:1], hall.rail.sent) == (["submitter"], [])
    hall.clock.pass_(LEASE_SECONDS)
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED]
    await hall.assert_settled()


async def test_approvals_of_terms_that_the_rail_reads_otherwise_now_are_asked_for_anew(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its contract moved: what was signed before is no word for what it is shown."""
    await hall.pay()
    batch = await hall.close()
    hall.keys.lost = {"approver_b", "approver_house"}
    await hall.sweep(1)
    assert hall.keys.signed == {"approver_a": 1}
    terms_hash = hall.rail.terms_hash

    def elsewhere(terms: SettlementTerms) -> bytes:
        return bytes(reversed(terms_hash(terms)))

    monkeypatch.setattr(hall.rail, "terms_hash", elsewhere)
    hall.keys.lost = set()
    hall.rail.pass_(1)
    await hall.sweep(4)
    assert (await hall.reopened(batch)).state is S.SETTLED
    assert hall.keys.signed["approver_a"] == 2
    assert await hall.cases() == []
    await hall.assert_settled()


@pytest.mark.parametrize("reason", [Reason.CONFIGURATION, Reason.OTHER])
async def test_people_are_called_for_what_no_time_mends_alone(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    """A rail that refuses what it has already is asked by its hash; there is nothing to mend."""
    await hall.pay()
    await hall.close()
    send = hall.rail.send

    async def refuses(prepared: Prepared) -> None:
        await send(prepared)
        raise Rejected("memory", "no", code="forbidden", reason=reason)

    monkeypatch.setattr(hall.rail, "send", refuses)
    await hall.sweep(4)
    assert await hall.states() == [S.SETTLED]
    cases = await hall.cases()
    assert len(cases) == (1 if reason is Reason.CONFIGURATION else 0)
    assert all("submitter cannot send" in case for case in cases)
