"""Turns no gateway should send, phones that share an id, twins that are slow, odd letters."""

import asyncio
import re
from typing import Any

import pytest

from engine.customers.customers import Customer
from engine.menu.deep_links import INPUTS_MAX
from engine.menu.networks import Network, Networks
from engine.msisdn import Msisdn
from engine.ports import EndReason, Reply, SessionEnd, Turn
from engine.septets import fits
from engine.session.store import StoreDown, key_of, pointer_of
from tests.unit.session.extremes import LONG, extreme_turns
from tests.unit.session.rooms import PAYER, PIN, SHORTCODE, TEXTS, House, MemoryRecords

PAYEE = "256772000002"
OTHER = Msisdn("+254712000099")
TO_PIN = ("1", PAYEE, "1000", "1")
LATE = Reply(TEXTS.render("en", "session.late"), ends=True)


async def caller(records: MemoryRecords | None = None, networks: Networks | None = None) -> House:
    house = House(records) if networks is None else House(records, networks)
    return await house.registered()


# Fields at their extremes.


@pytest.mark.parametrize("cumulative", [True, False])
async def test_every_field_at_its_extremes_is_answered_and_pays_nobody(cumulative: bool) -> None:
    for turn in extreme_turns(cumulative=cumulative):
        house = await caller()
        await house.press(*TO_PIN)
        reply = await house.turns.take(turn)
        assert reply.text, turn
        assert fits(reply.text, 160), turn
        assert house.payments.confirmed == {}, turn


async def test_a_sequence_that_is_no_number_we_can_hold_changes_nothing() -> None:
    house = await caller()
    usual = Turn("s1", PAYER, "63902", SHORTCODE, "", cumulative=False, opens=True, sequence=LONG)
    first = await house.turns.take(usual)
    assert first.text.startswith("CAPP\n1. Send money")
    assert await house.turns.take(usual) == first


# Dial strings.


async def test_a_dial_string_of_too_many_characters_leads_nowhere() -> None:
    house = await caller()
    longest = f"1*{PAYEE}".ljust(60)
    assert "Amount in KES" in (await house.take(longest)).text
    assert (await house.take(f"{longest} ", "s2")).text.startswith("We lost this session.")


class Unasked(dict[Msisdn, Customer]):
    """Customers nobody should look up."""

    def get(self, *_: Any) -> Any:
        raise AssertionError("somebody was looked up")


async def test_a_dial_string_of_too_many_inputs_costs_no_look_up() -> None:
    house = House()
    house.customers.known = Unasked()
    assert (await house.take("*".join("1" * (INPUTS_MAX + 1)))).text.startswith("We lost this")
    assert (await house.take("*".join("1" * INPUTS_MAX))).text.startswith("Sorry")


async def test_a_star_in_a_name_belongs_to_the_name() -> None:
    house = await caller()
    saved = await house.press("5", "4", "1", PAYEE, "Ma*ry")
    assert saved.text.startswith("Saved: Ma*ry +256772000002")
    lost = await house.take(f"5*4*1*{PAYEE}*Ma*ry", "s2")
    assert lost.text.startswith("We lost this session.")
    assert [*house.customers.saved.values()] == [{Msisdn("+256772000002"): "Ma*ry"}]


# Two phones, one session id.


async def test_two_phones_with_one_session_id_keep_apart_also_at_the_same_moment() -> None:
    house = await caller()
    await house.customers.register(OTHER, "KE", "sw", "7391")
    house.payments.delay = 0.001
    mine, theirs = await asyncio.gather(
        house.press(*TO_PIN), house.press("1", PAYEE, "700", msisdn=OTHER)
    )
    assert "KES 1,010" in mine.text
    assert "KES 707" in theirs.text
    stolen = await house.take("*".join((*TO_PIN, PIN)), msisdn=OTHER)
    assert stolen == Reply(TEXTS.render("sw", "session.over"), ends=True)
    assert house.payments.confirmed == {}
    assert (await house.take("*".join((*TO_PIN, PIN)))).ends
    assert len(house.payments.confirmed) == 1


async def test_an_end_told_of_one_phone_leaves_another_with_the_same_id_alone() -> None:
    house = await caller()
    await house.customers.register(OTHER, "KE", "en", "7391")
    await house.press("1")
    await house.press("1", msisdn=OTHER)
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.TIMED_OUT, OTHER, "63902"))
    assert "Amount in KES" in (await house.take(f"1*{PAYEE}")).text
    closed = await house.take(f"1*{PAYEE}", msisdn=OTHER)
    assert closed.text.startswith("This session has ended.")


# Twins.


class SlowRecords(MemoryRecords):
    """A store that answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        await self.may_answer.wait()
        return await super().load(msisdn, session_id)


async def test_a_turn_whose_twin_is_slow_is_answered_in_time_and_does_nothing() -> None:
    records = SlowRecords()
    house = await caller(records)
    await house.press(*TO_PIN)
    records.may_answer.clear()
    text = "*".join((*TO_PIN, PIN))
    first = asyncio.create_task(house.take(text))
    await asyncio.sleep(0)
    async with asyncio.timeout(120):
        with house.hurried():
            assert await house.take(text) == LATE
    assert house.payments.confirmed == {}
    records.may_answer.set()
    assert (await first).ends
    await house.turns.aclose()
    assert len(house.payments.confirmed) == 1


# Keys.


async def test_every_effect_of_a_session_has_a_key_of_its_own() -> None:
    house = await caller()
    for session_id in ("a", "b"):
        await house.press(*TO_PIN, PIN, session_id=session_id)
    await house.press("3", "1", "2", "1", "00", "3", "2", "2", "1", session_id="c")
    confirmed, cancelled = house.payments.keys[:2], house.payments.keys[2:]
    assert len(cancelled) == 2
    assert len({*confirmed, *cancelled}) == 4
    nonce = house.session("c").nonce
    assert all(nonce in key for key in cancelled)
    await house.press("2", "1", PAYEE, "700", "1", session_id="d")
    asked = house.session("d")
    assert house.payments.keys[-1] == f"turn:{asked.nonce}:{asked.step}"


async def test_sessions_of_one_moment_have_nonces_that_nobody_guesses() -> None:
    house = await caller()
    for number in range(50):
        await house.press(session_id=f"s{number}")
    nonces = {house.session(f"s{number}").nonce for number in range(50)}
    assert len({nonce[8:16] for nonce in nonces}) == 50


async def test_keys_are_in_the_order_of_time_and_a_turn_keeps_its_own_over_midnight() -> None:
    house = await caller()
    house.clock.seconds = 1_790_035_199.0  # a second before midnight
    await house.press(*TO_PIN, session_id="a")
    before = house.records.records[PAYER, "a"]
    house.clock.seconds += 70
    text = "*".join((*TO_PIN, PIN))
    await house.take(text, "a")
    house.records.records[PAYER, "a"] = before  # its save was lost
    await House(shares=house).take(text, "a")
    for session_id in "bcdefg":
        await house.press(*TO_PIN, PIN, session_id=session_id)
        house.clock.seconds += 70
    first, repeated, *later = house.payments.keys
    assert first == repeated
    assert len(house.payments.confirmed) == 7
    assert [first, *later] == sorted({first, *later})


# Records and pointers.


async def test_a_record_that_nobody_can_read_is_a_lost_session() -> None:
    house = await caller()
    for spoilt in (b"", b"\x00\x00\x00\x01", b"\x00\x00\x00\x01garbage", b"\x00\x00\x00\x01\xc1no"):
        house.records.records[PAYER, "s1"] = spoilt
        assert (await house.take("1")).text.startswith("We lost this session.")
        assert house.records.records[PAYER, "s1"] == spoilt


class CountedRecords(MemoryRecords):
    """A store that counts how often it is read."""

    loads = 0

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        self.loads += 1
        return await super().load(msisdn, session_id)


async def test_a_dial_reads_no_record_before_it_saves() -> None:
    records = CountedRecords()
    house = await caller(records)
    first = await house.take("")
    assert records.loads == 0
    assert await house.take("") == first
    assert records.loads == 0


async def test_a_session_with_nothing_left_to_tell_is_pointed_at_no_longer() -> None:
    records = MemoryRecords()
    house = await caller(records)
    await house.press("5", "3", "2")
    assert records.pointers == {PAYER: "s1"}
    assert (await house.take("5*3*2*1")).ends
    assert records.pointers == {}


async def test_an_older_session_does_not_take_the_pointer_back() -> None:
    records = MemoryRecords()
    house = await caller(records)
    await house.press("1", session_id="s1")
    await house.press(session_id="s2")
    await house.take(f"1*{PAYEE}", "s1")
    assert records.pointers == {PAYER: "s2"}


async def test_a_record_lives_as_long_as_a_patient_network_waits() -> None:
    records = MemoryRecords()
    house = await caller(records, Networks(Network(name="patient", idle_seconds=3_600), {}))
    await house.press("1")
    assert records.ttl_seconds == 3_600 + 150


# Last inputs.


async def test_a_dial_in_the_middle_of_a_session_does_not_act_in_it() -> None:
    house = await caller()
    usual: dict[str, Any] = {"cumulative": False}
    await house.take("", opens=True, **usual)
    for pressed in ("1", PAYEE, "1000"):
        await house.take(pressed, **usual)
    for dialled in ("1", ""):
        reply = await house.take(dialled, opens=True, **usual)
        assert reply.text == "This session has ended. Please dial again."
    assert house.session().screen == "send_money.quote"


async def test_nobody_goes_on_with_last_inputs_in_a_session_that_was_told_as_over() -> None:
    house = await caller()
    usual: dict[str, Any] = {"cumulative": False}
    await house.take("", opens=True, **usual)
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.CANCELLED, PAYER, "63902"))
    assert (await house.take("1", **usual)).text == "This session has ended. Please dial again."
    assert house.session().screen == "home.menu"


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_dial_under_the_id_of_a_session_that_is_over_is_another_one(is_told: bool) -> None:
    """Whoever was told to dial again, and got that id again, would never come in."""
    house = await caller()
    usual: dict[str, Any] = {"cumulative": False}
    await house.take("", opens=True, **usual)
    if is_told:
        await house.turns.note_end(SessionEnd("s1", "?", EndReason.CANCELLED, PAYER, "63902"))
    else:
        for pressed in ("5", "3", "2", "1"):
            last = await house.take(pressed, **usual)
        assert last.ends
        assert (await house.take("", opens=True, **usual)).text.startswith("This session has ended")
        house.clock.seconds += 11
    nonce = house.session().nonce
    again = await house.take(f"1*{PAYEE}", opens=True, **usual)
    assert "Amount in KES" in again.text
    assert house.session().nonce != nonce


async def test_a_dial_that_finds_a_session_that_is_over_under_its_id_is_counted_once() -> None:
    """It is begun before the save tells of the other one, and once more behind it."""
    house = await caller()
    await house.take("")
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.CANCELLED, PAYER, "63902"))
    nonce = house.session().nonce
    assert not (await house.take("")).ends
    assert house.session().nonce != nonce
    assert house.begun == [PAYER, PAYER]


async def test_a_dial_that_is_told_from_others_is_itself_also_behind_the_end() -> None:
    house = await caller()
    counted: dict[str, Any] = {"cumulative": False}
    await house.take("", opens=True, sequence="1", **counted)
    for number, pressed in enumerate(("5", "3", "2", "1"), 2):
        last = await house.take(pressed, sequence=str(number), **counted)
    house.clock.seconds += 60
    assert await house.take("", opens=True, sequence="1", **counted) == last
    assert house.session().ended


async def test_a_dial_that_comes_late_takes_no_session_from_who_is_in_it() -> None:
    house = await caller()
    asked = await house.press("1", PAYEE)
    house.clock.seconds += 60
    assert await house.take("") == asked
    assert house.session().screen == "send_money.amount"


async def test_who_dials_with_an_id_that_recurs_is_not_kept_out_by_a_record_nobody_reads() -> None:
    house = await caller()
    house.records.records[PAYER, "s1"] = b"\x00\x00\x00\x01garbage"
    home = await house.take("", opens=True, cumulative=False, id_recurs=True)
    assert home.text.startswith("CAPP\n1. Send money")


async def test_a_repeated_dial_with_an_id_that_recurs_makes_the_same_offer() -> None:
    house = await caller()
    recurring: dict[str, Any] = {"cumulative": False, "id_recurs": True}
    await house.take("", opens=True, **recurring)
    for pressed in ("1", PAYEE):
        await house.take(pressed, **recurring)
    offer = await house.take("", opens=True, **recurring)
    assert offer.text.startswith("You were sending money")
    nonce = house.session().nonce
    assert await house.take("", opens=True, **recurring) == offer
    assert house.session().nonce == nonce


# Ends that the gateway tells.


async def test_an_end_that_is_told_twice_leaves_the_record_as_the_first_left_it() -> None:
    house = await caller()
    await house.press("1")
    end = SessionEnd("s1", "?", EndReason.TIMED_OUT, PAYER, "63902")
    await house.turns.note_end(end)
    record = dict(house.records.records)
    await house.turns.note_end(end)
    assert house.records.records == record
    assert house.session().step == 3


async def test_an_end_without_an_id_is_counted_and_looks_nothing_up() -> None:
    records = CountedRecords()
    house = await caller(records)
    await house.turns.note_end(SessionEnd("", "?", EndReason.UNKNOWN, PAYER, "63902"))
    counted = await house.drops.of_day(house.clock.now().date())
    assert [(one.screen, one.times) for one in counted] == [("-", 1)]
    assert records.loads == 0


class DeadRecords(MemoryRecords):
    """A store that does not answer."""

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        raise StoreDown


async def test_an_end_is_acknowledged_also_when_the_store_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(DeadRecords())
    await house.turns.note_end(SessionEnd("s1", "?", EndReason.FAILED, PAYER, "63902"))
    assert "an end was not counted" in caplog.text
    assert await house.drops.of_day(house.clock.now().date()) == []


async def test_a_refusal_is_told_in_the_language_of_its_session() -> None:
    house = await House().registered("sw")
    await house.press("1")
    over = await house.take(f"2*{PAYEE}")
    assert over.text == TEXTS.render("sw", "session.over")


# Keys that a screen does not show.


async def test_nobody_goes_home_or_back_before_there_is_a_home() -> None:
    house = House()
    first = await house.press()
    assert house.session().history == []
    for typed, pressed in (("00", "00"), ("00*0", "0"), ("00*0*98", "98")):
        refused = await house.take(typed)
        assert refused.text.endswith(first.text.partition("\n")[2]), pressed
        assert house.session().screen == "first_dial.language"
    await house.take("00*0*98*1")
    assert "A PIN is 4 digits." in (await house.take("00*0*98*1*00")).text
    assert house.session().screen == "first_dial.pin"


async def test_nobody_walks_back_behind_what_was_done() -> None:
    house = await caller()
    await house.press(*TO_PIN, PIN, session_id="a")
    await house.press("3", "1", "2", "1")
    assert house.session().screen == "payments.cancelled"
    await house.take("3*1*2*1*0")
    assert house.session().screen == "home.menu"
    await house.press("5", "1", "1", "0", session_id="b")
    assert house.session("b").screen == "home.menu"


async def test_a_secret_is_never_taken_from_a_dial_string() -> None:
    """Also where what it is typed for has no effect yet: the phone keeps what it dialled."""
    house = await caller()
    await house.press("5", "3", "1", PIN)
    assert house.session().screen == "account.pin_new"
    assert not house.editions.current.steps.may_be_dialled(house.session(), "3690")


async def test_a_confirm_is_never_agreed_to_by_a_dial_string() -> None:
    house = await caller()
    await house.press("1", PAYEE, "1000")
    steps = house.editions.current.steps
    assert not steps.may_be_dialled(house.session(), "1")
    price = await house.take(f"1*{PAYEE}*1000*1", "s2")
    assert "Total KES 1,010" in price.text
    assert "Type your CAPP PIN" in (await house.take(f"1*{PAYEE}*1000*1*1", "s2")).text


# What is kept of a session that is over.


async def test_of_an_ended_session_only_what_the_next_dial_asks_is_kept() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    assert house.session().quote is not None
    await house.take("*".join((*TO_PIN, PIN)))
    session = house.session()
    assert (session.quote, session.summary, session.limits) == (None, None, None)
    assert (session.history, session.items, session.listed) == ([], [], None)
    assert session.code == "CAPP000001"


# Items and pages.


@pytest.mark.parametrize("pressed", ["²", "٢", "002", "3", "-2", "2.", "1e0"])
async def test_an_item_is_its_number_and_nothing_like_it(pressed: str) -> None:
    house = await caller()
    await house.press("5", "4", "1", PAYEE, "Mary", session_id="a")
    await house.press("5", "4")
    assert (await house.take(f"5*4*{pressed}")).text.startswith("Please choose one of these.")
    assert (await house.take(f"5*4*{pressed}*2")).text.startswith("Mary\n")


async def test_an_item_of_a_list_that_was_replaced_is_not_picked() -> None:
    house = await caller()
    await house.press("5", "4", "1", PAYEE, "Mary", session_id="a")
    await house.press("5", "4")
    house.replace("s1", listed="languages")
    refused = await house.take("5*4*2")
    assert (
        refused.text
        == "Please choose one of these.\nSaved numbers\n1. Add a number\n0 Back 00 Home"
    )


async def test_there_is_nothing_behind_the_last_page() -> None:
    house = await caller()
    keys = ["5", "5"]
    await house.press(*keys)
    while house.session().page + 1 < house.session().pages:
        keys.append("98")
        await house.take("*".join(keys))
    assert keys == ["5", "5", "98"]
    beyond = await house.take("*".join((*keys, "98")))
    assert beyond.text.startswith("Please choose one of these.")
    await house.press(*keys, "98", "00", "1")
    assert (house.session().page, house.session().pages) == (0, 1)
    amount = await house.press("1", PAYEE, "98", session_id="b")
    assert "Amount KES 98\n" in amount.text


async def test_blanks_around_a_key_are_nothing() -> None:
    house = await caller()
    assert "Number to pay" in (await house.press(" 1 ")).text


async def test_a_journey_that_is_taken_up_no_longer_is_no_choice() -> None:
    house = await caller()
    await house.press(*TO_PIN)
    await house.press(session_id="s2")
    house.replace("s2", resumes="gone")
    assert (await house.take("1", "s2")).text.startswith("Please choose one of these.")


async def test_late_work_that_fails_is_told_in_the_log_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> str:
        raise RuntimeError(f"broke on {PIN} of {PAYER}")

    house = House()
    house.late.keep(asyncio.create_task(broken()))
    await house.turns.aclose()
    assert "a verb that was late failed: RuntimeError" in caplog.text
    assert PIN not in caplog.text
    assert str(PAYER) not in caplog.text


def test_all_keys_of_a_phone_lie_in_one_slot_of_a_cluster() -> None:
    session, pointer = key_of(1, PAYER, "}{other}"), pointer_of(1, PAYER)
    assert [re.findall(r"\{(.*?)\}", key)[0] for key in (session, pointer)] == [f"1:{PAYER}"] * 2


@pytest.mark.parametrize("budget", [12, 40])
async def test_a_screen_that_was_never_proved_to_fit_is_cut_not_sent_too_long(budget: int) -> None:
    house = await caller(networks=Networks(Network(name="tiny", budget_septets=budget), {}))
    for inputs in ((), ("1",), ("1", PAYEE), ("1", PAYEE, "1000"), ("5", "5"), ("5", "3", "1")):
        reply = await house.press(*inputs, session_id=f"s{len(inputs)}{inputs[-1:]}")
        assert reply.text
        assert fits(reply.text, budget), reply.text
