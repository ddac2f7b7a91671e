"""A forgotten PIN: the customer asks, two people agree, the customer chooses a new one, once."""

import asyncio
from typing import Any

import pytest

from channels.office import write_pin_reset
from engine.clock import Ids
from engine.customers.customers import Customer
from engine.customers.guesses import ATTEMPTS_MAX
from engine.customers.resets import PIN_RESET, PinResets
from engine.customers.store import Customers
from engine.desk.cases import Case, Cases
from engine.desk.desk import Desk
from engine.desk.pin_resets import PinResetting
from engine.desk.proposals import Kind, Person, Proposal, State
from engine.desk.store import ProposalStore
from engine.errors import CustomerMistake, NoWayNow, SamePerson
from engine.payments.notices import MESSAGE, read_message
from tests.integration.customers_room import PHONE, PIN, WRONG, StillClock, customers, registered
from tests.integration.offices import agrees

pytestmark = pytest.mark.long("each turn of a reset; tests/e2e/test_menus.py walks one")

ASHA, BABU = Person("asha"), Person("babu")
DAY = 24 * 3600
NEW_PIN = "3690"


class Room:
    """The customers' room and the desk of one installation."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.clock = StillClock()
        self.ids = Ids(self.clock)
        self.house: Customers = customers(pool, self.clock)
        self.cases = Cases(pool, 1, self.clock)
        self.proposals = ProposalStore(pool, 1)
        resetting = PinResetting(PinResets(pool, 1, self.clock, self.ids), write_pin_reset)
        self.desk = Desk(
            store=self.proposals,
            executors=resetting.executors(),
            clock=self.clock,
            ids=self.ids,
            ahead=agrees,
        )

    async def found(self) -> Customer:
        customer = await self.house.find(PHONE)
        assert customer is not None
        return customer

    async def propose(self, customer: Customer) -> Proposal:
        fields = {"customer": customer.customer_id}
        return await self.desk.propose(Kind.PIN_RESET, fields, by=ASHA, note="knew her birthday")

    async def agreed(self, customer: Customer) -> Proposal:
        return await self.desk.approve((await self.propose(customer)).id, by=BABU)

    async def open_cases(self) -> list[Case]:
        return await self.cases.open_cases(kind=PIN_RESET)

    async def messages(self) -> list[Any]:
        return list(await self.pool.fetch("select * from outbox order by id"))

    async def put_back(self, proposal: Proposal) -> None:
        """A process died before it wrote down what came of the proposal."""
        await self.pool.execute("update proposal set state = 'approved', outcome = ''")


@pytest.fixture
def room(pool: Any) -> Room:
    return Room(pool)


async def test_a_forgotten_pin_from_asking_to_the_new_one(room: Room) -> None:
    customer = await registered(room.house)
    assert not customer.may_reset_pin
    await room.house.ask_pin_reset(customer)
    (case,) = await room.open_cases()
    assert case.key.payment == customer.customer_id
    assert case.detail == "+2547*****001 forgot the PIN"
    proposal = await room.agreed(customer)
    assert proposal.state is State.DONE
    assert await room.open_cases() == []
    assert (await room.found()).may_reset_pin
    await room.house.reset_pin(customer, NEW_PIN)
    assert not (await room.found()).may_reset_pin
    assert (await room.house.check_pin(customer, NEW_PIN)).right
    assert not (await room.house.check_pin(customer, PIN)).right


async def test_the_customer_is_told_by_one_sms(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.set_language(customer.customer_id, "sw")
    await room.house.ask_pin_reset(customer)
    proposal = await room.agreed(customer)
    await room.put_back(proposal)
    await room.desk.carry_out_approved()
    (row,) = await room.messages()
    message = read_message(row["payload"])
    assert (row["kind"], row["payment"].hex) == (MESSAGE, customer.customer_id)
    assert (message.to, message.language, message.template) == (PHONE, "sw", "pin_reset")


async def test_processes_that_carry_it_out_at_once_send_one_sms(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.propose(customer)
    await room.proposals.decide(proposal.id, State.APPROVED, BABU, int(room.clock.epoch() * 1000))
    await asyncio.gather(*(room.pool.fetchval("select pg_sleep(0.1)") for _ in range(8)))
    await asyncio.gather(*(room.desk.carry_out_approved() for _ in range(8)))
    assert (await room.proposals.get(proposal.id)).state is State.DONE
    assert len(await room.messages()) == 1


async def test_asking_again_and_at_once_opens_one_case(room: Room) -> None:
    customer = await registered(room.house)
    await asyncio.gather(*(room.house.ask_pin_reset(customer) for _ in range(8)))
    room.clock.seconds += DAY - 1
    await room.house.ask_pin_reset(customer)
    room.clock.seconds += 2 * DAY
    await room.house.ask_pin_reset(customer)  # a case that is still open is enough
    assert len(await room.open_cases()) == 1


async def test_whom_staff_refused_may_ask_again_tomorrow(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    (case,) = await room.open_cases()
    await room.cases.close(case.key, by=ASHA, note="did not know her birthday")
    await room.house.ask_pin_reset(customer)
    assert await room.open_cases() == []
    room.clock.seconds += DAY
    await room.house.ask_pin_reset(customer)
    assert len(await room.open_cases()) == 1


async def test_nobody_asks_while_a_new_pin_may_be_chosen(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    room.clock.seconds += DAY
    await room.agreed(customer)
    await room.house.ask_pin_reset(customer)
    assert await room.open_cases() == []


async def test_one_person_opens_no_window(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.propose(customer)
    with pytest.raises(SamePerson):
        await room.desk.approve(proposal.id, by=ASHA)
    assert not (await room.found()).may_reset_pin
    with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
        await room.house.reset_pin(customer, NEW_PIN)


@pytest.mark.parametrize("asked_days_ago", [None, 7])
async def test_staff_alone_open_no_window(room: Room, asked_days_ago: int | None) -> None:
    customer = await registered(room.house)
    if asked_days_ago is not None:
        await room.house.ask_pin_reset(customer)
        room.clock.seconds += asked_days_ago * DAY
    proposal = await room.agreed(customer)
    assert proposal.state is State.FAILED
    assert proposal.outcome == "the customer has not asked for it these seven days"
    assert not (await room.found()).may_reset_pin
    assert await room.messages() == []


async def test_a_customer_nobody_knows_fails_the_proposal(room: Room) -> None:
    elsewhere = await registered(customers(room.pool, room.clock, tenant=2))
    proposal = await room.agreed(elsewhere)
    assert proposal.state is State.FAILED
    assert "there is no customer" in proposal.outcome


async def test_the_window_closes_after_a_day(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    room.clock.seconds += DAY
    assert not (await room.found()).may_reset_pin
    with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
        await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.house.check_pin(customer, PIN)).right


async def test_what_is_carried_out_late_gives_no_longer_window(room: Room) -> None:
    """The worker was down: the window still counts from the agreement."""
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.propose(customer)
    assert await room.proposals.decide(
        proposal.id, State.APPROVED, BABU, int(room.clock.epoch() * 1000)
    )
    room.clock.seconds += DAY - 60
    assert await room.desk.carry_out_approved() == 1
    assert (await room.found()).may_reset_pin
    room.clock.seconds += 60
    assert not (await room.found()).may_reset_pin


async def test_an_agreement_older_than_its_window_is_void(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.propose(customer)
    await room.proposals.decide(proposal.id, State.APPROVED, BABU, int(room.clock.epoch() * 1000))
    room.clock.seconds += DAY
    await room.desk.carry_out_approved()
    assert (await room.proposals.get(proposal.id)).state is State.FAILED
    assert await room.messages() == []


async def test_an_agreement_that_was_used_opens_no_second_window(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.agreed(customer)
    await room.house.reset_pin(customer, NEW_PIN)
    await room.put_back(proposal)
    await room.desk.carry_out_approved()
    assert (await room.proposals.get(proposal.id)).state is State.DONE
    assert not (await room.found()).may_reset_pin
    with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
        await room.house.reset_pin(customer, "2580")
    assert (await room.house.check_pin(customer, NEW_PIN)).right


async def test_what_was_carried_out_stays_done_when_its_window_is_over(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    proposal = await room.agreed(customer)
    await room.put_back(proposal)
    room.clock.seconds += DAY
    await room.desk.carry_out_approved()
    assert (await room.proposals.get(proposal.id)).state is State.DONE
    assert len(await room.messages()) == 1


async def test_staff_open_no_second_window_for_what_was_asked_once(
    room: Room,
) -> None:
    """Staff alone could open a second window, and whoever holds the phone use it."""
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.agreed(customer)).state is State.FAILED
    assert not (await room.found()).may_reset_pin
    assert len(await room.messages()) == 1


async def test_who_chooses_behind_the_window_has_guessed_at_nothing(room: Room) -> None:
    """The PIN that they would have now is not the one that counts: three tries would lock it."""
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    room.clock.seconds += DAY
    for _ in range(ATTEMPTS_MAX):
        with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
            await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.house.check_pin(customer, PIN)).right


async def test_of_two_phones_that_choose_at_once_one_succeeds(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    pins = ["3690", "2580", "4713", "9027"]
    outcomes = await asyncio.gather(
        *(room.house.reset_pin(customer, pin) for pin in pins), return_exceptions=True
    )
    assert [type(o) for o in outcomes if o is not None] == [CustomerMistake] * 3
    # Those who were late were compared as guesses, and there were three: it is locked.
    verdict = await room.house.check_pin(customer, pins[outcomes.index(None)])
    assert verdict.locked_until is not None


async def test_the_same_choice_again_is_the_same_reset(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    for _ in range(3):
        await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.house.check_pin(customer, NEW_PIN)).right


async def test_a_repeated_reset_is_no_free_guess(room: Room) -> None:
    """After a reset, trying PINs by resetting again counts like any other guessing."""
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    await room.house.reset_pin(customer, NEW_PIN)
    for pin in ("2580", "4713", "9027", NEW_PIN):
        with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
            await room.house.reset_pin(customer, pin)
    assert (await room.house.check_pin(customer, NEW_PIN)).locked_until is not None


async def test_a_reset_ends_the_lock_that_has_no_end(room: Room) -> None:
    customer = await registered(room.house)
    for _ in range(4):
        for _ in range(ATTEMPTS_MAX):
            verdict = await room.house.check_pin(customer, WRONG)
        assert verdict.locked_until is not None
        if not verdict.until_reset:
            room.clock.seconds = verdict.locked_until.timestamp()
    assert verdict.until_reset
    with pytest.raises(NoWayNow, match=r"no_way\.locked_until_reset"):
        await room.house.change_pin(customer, NEW_PIN)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.house.check_pin(customer, NEW_PIN)).right
    assert (await room.house.check_pin(customer, WRONG)).left == ATTEMPTS_MAX - 1


async def test_who_remembers_after_all_closes_the_window(room: Room) -> None:
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    assert (await room.house.check_pin(customer, PIN)).right
    await room.house.change_pin(customer, NEW_PIN)
    assert not (await room.found()).may_reset_pin
    with pytest.raises(CustomerMistake, match=r"mistake\.reset_over"):
        await room.house.reset_pin(customer, "2580")
    assert (await room.found()).tier == 0


async def test_who_remembers_before_staff_agree_is_given_no_window(room: Room) -> None:
    """Whoever holds the phone by then could choose a PIN in it."""
    customer = await registered(room.house)
    await room.house.ask_pin_reset(customer)
    await room.house.change_pin(customer, NEW_PIN)
    assert (await room.agreed(customer)).state is State.FAILED
    assert not (await room.found()).may_reset_pin
    assert await room.messages() == []


async def test_for_a_day_after_a_reset_the_lowest_tier_counts(room: Room) -> None:
    customer = await registered(room.house)
    await room.pool.execute("update customer set tier = 2")
    await room.house.ask_pin_reset(customer)
    await room.agreed(customer)
    assert (await room.found()).tier == 2
    await room.house.reset_pin(customer, NEW_PIN)
    assert (await room.found()).tier == 0
    room.clock.seconds += DAY - 1
    assert (await room.found()).tier == 0
    room.clock.seconds += 1
    assert (await room.found()).tier == 2
    assert await room.pool.fetchval("select tier from customer") == 2
