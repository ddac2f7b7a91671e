"""The timeline beside the phones: everything that happened, newest first, a sign for each kind."""

import asyncio
from datetime import datetime, timedelta

import httpx
import msgspec

from simulator.inspect import (
    Amount,
    Attempt,
    Books,
    Heard,
    Inspector,
    Payment,
    Posting,
    Sent,
    Session,
    Settlement,
    Stage,
    Step,
)
from simulator.phone import panel
from simulator.phone.panel import Seen, describe, describe_turns
from simulator.phone.trail import Seen as Turn
from simulator.places import Places
from tests.unit.simulator.conftest import START

BOOKS = Books(balanced=True, accounts=[])


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def payment(state: str = "PAID") -> Payment:
    kes, ugx = Amount(50_000, "KES"), Amount(13_600, "UGX")
    posting = Posting("POOL_AVAIL", "POOL_HELD", 13_600, "UGX")
    return Payment(
        "01", "7K2M9QX4TB", state, kes, Amount(1250, "KES"), ugx, "+2547***01", "+2567***02",
        steps=[Step(1, "RESERVED", at(2), [posting]), Step(2, "PAID", at(8), [])],
        attempts=[Attempt("a", "COLLECT", "mpesa_ke", at(3))],
        heard=[Heard("a", "CALLBACK", at(6)), Heard("gone", "QUERY", at(7))],
        messages=[Sent("receipt.payee", "sent", at(9))],
    )  # fmt: skip


TURNS = [
    Turn(at(1), "payer", "****", "ends", 12, None),
    Turn(at(10), "payee", "", "failed", 9000, "HTTP status 500"),
]


def test_everything_stands_in_one_timeline_the_newest_first() -> None:
    told = describe(Seen(payment(), BOOKS), TURNS)
    signs = [
        line.split(" ", 1)[1] for line in told.splitlines() if line[:2].isdigit() and ":" in line
    ]
    assert signs == [
        "# payee", "✉ sent", "= paid", "← query ?", "← callback mpesa_ke",
        "→ collect mpesa_ke", "= reserved", "# payer",
    ]  # fmt: skip


def test_a_turn_is_told_with_what_was_typed_how_long_it_took_and_what_was_wrong() -> None:
    told = describe_turns(TURNS)
    assert " ****\n ends after 12 ms" in told
    assert " (nothing)\n failed after 9000 ms\n ! HTTP status 500" in told


def session(*screens: str, state: str = "open", step: int = 4) -> Session:
    return Session("s1", list(screens), step, at(1), "3f2a91c0", state)


def test_where_the_server_has_a_session_stands_beside_what_the_phone_sent() -> None:
    told = describe(Seen(None, BOOKS, [("payer", session("home", "amount"))]), TURNS[:1])
    clock = at(1).astimezone().strftime("%H:%M:%S")
    assert f"{clock} @ payer\n home > amount\n turn 4: open\n menu 3f2a91c0" in told
    assert f"{clock} # payer" in told


def test_of_a_long_way_only_the_end_is_told() -> None:
    way = session("home", "number", "amount", "price", "pin", state="dropped")
    told = describe(Seen(None, BOOKS, [("payer", way)]))
    assert " … > amount > price > pin\n turn 4: dropped" in told and "number" not in told


def test_without_a_turn_it_is_said_what_to_press() -> None:
    assert describe_turns([]) == "Nothing yet.\n\nDial: press Enter."


def test_turns_are_told_even_when_the_server_is_silent() -> None:
    told = describe(Seen(trouble="the server answers 401"), TURNS)
    assert told.startswith("! the server answers 401")
    assert "# payer" in told


def test_only_the_latest_turns_stay_in_the_panel() -> None:
    turns = [Turn(at(n), "payer", str(n), "asks", 1, None) for n in range(30)]
    assert describe_turns(turns).count("# payer") == panel.TURNS_MAX
    assert " 29\n" in describe_turns(turns)


def test_every_kind_of_event_has_a_sign_of_its_own() -> None:
    kinds = (
        panel.TURN, panel.STOOD, panel.STATE, panel.CALL, panel.HEARD, panel.SMS, panel.CHAIN,
    )  # fmt: skip
    assert len(set(kinds)) == len(kinds)
    assert all(kind in f"{panel.LEGEND}\n{panel.CHAIN_LEGEND}" for kind in kinds)


def settled(*stages: str) -> Payment:
    reached = [Stage(stage, at(20 + n)) for n, stage in enumerate(stages)]
    done = stages[-1] == "settled"
    settlement = Settlement(
        "mpesa_ke:mtn_ug", stages[-1], None if stages == ("waiting",) else "0192ab" + "0" * 26,
        "cd" * 32 if done else None, 4711 if done else None, reached,
    )  # fmt: skip
    return msgspec.structs.replace(payment(), settlement=settlement)


def test_each_stage_of_the_settlement_is_told_the_last_one_with_its_place_on_the_chain() -> None:
    told = describe(Seen(settled("closed", "approved", "submitted", "settled"), BOOKS))
    signs = [line.split(" ", 1)[1] for line in told.splitlines() if " § " in line]
    assert signs == ["§ settled", "§ submitted", "§ approved", "§ closed"]
    place = " mpesa_ke:mtn_ug\n batch 0192ab000000…\n hash cdcdcdcdcdcd…\n version 4711"
    assert f"§ settled\n{place}" in told
    assert told.count("version 4711") == 1


def test_a_payment_in_its_window_has_no_batch_yet() -> None:
    told = describe(Seen(settled("waiting"), BOOKS))
    assert "§ waiting\n mpesa_ke:mtn_ug" in told
    assert "batch" not in told and "hash" not in told


def test_without_settlement_nothing_is_said_of_it() -> None:
    assert panel.CHAIN not in describe(Seen(payment(), BOOKS))
    assert panel.CHAIN_LEGEND in describe(Seen(settled("waiting"), BOOKS))


async def test_a_server_that_hangs_is_told_of_and_not_what_was_so_before() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        return httpx.Response(500)

    places = Places(server="http://server", ussd_url="http://server/ussd", gateway="")
    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as client:
        async with asyncio.timeout(120):
            seen = await panel.look(
                Inspector(client, places), [panel.Line("payer", "+254712000001")], seconds=0.05
            )
    told = describe(seen, TURNS)
    assert told.startswith("! the server does not answer within 0.05 s")
    assert "balance" not in told and "# payer" in told
