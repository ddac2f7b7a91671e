"""`settlement payer settled`, `chain balanced`: what they claim, what they say when not so."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest

from simulator.operators.world import World
from simulator.places import Places
from simulator.steps import chain
from simulator.steps.stage import Stage
from simulator.steps.step import NotSo, Step
from simulator.transcript import parse

NODE, SERVER = "http://node.test/v1", "http://capp.test"
POOLS = {"mpesa_ke": ["0xa1", "0xa2"], "mtn_ug": ["0xb1"]}


class Doors:
    """The server's inspection door and a node, as far as these steps look."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.booked = {"mpesa_ke": 300, "mtn_ug": 200}
        self.pools = {"0xa1": 100, "0xa2": 200, "0xb1": 200}

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "node.test":
            asked = msgspec.json.decode(request.content)
            assert asked["function"] == "0xca03::liquidity::total"
            return httpx.Response(200, json=[str(self.pools[asked["arguments"][0]])])
        if request.url.path == "/inspect/books":
            return httpx.Response(200, json={"balanced": True, "accounts": self._accounts()})
        return httpx.Response(200, json={"payments": [self._payment()]})

    def _accounts(self) -> list[dict[str, Any]]:
        return [
            {
                "account": f"CHAIN_TREASURY {name}", "currency": "USDC", "side": "debit",
                "minor": minor,
            }
            for name, minor in self.booked.items()
        ]  # fmt: skip

    def _payment(self) -> dict[str, Any]:
        money = {"minor": 1, "currency": "KES"}
        settlement = {"corridor": "a:b", "stage": self.stage} if self.stage else None
        return {
            "payment_id": "01", "code": "7K2M9QX4TB", "state": "PAID", "amount": money,
            "fee": money, "receives": money, "payer": "", "payee": "", "steps": [],
            "attempts": [], "settlement": settlement,
        }  # fmt: skip


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
async def stage(doors: Doors) -> AsyncIterator[Stage]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(doors.answer)) as client:
        places = Places(SERVER, "", "", node=NODE, pools=POOLS)
        yield Stage(client, places, World(), play="test", patience_seconds=0.0)


def step(line: str) -> Step:
    (only,) = parse(line + "\n", name="test").steps
    return only


async def test_a_settlement_that_is_there_is_enough(stage: Stage, doors: Doors) -> None:
    doors.stage = "settled"
    await chain.reach(stage, step("settlement +254712000001 settled"))


@pytest.mark.parametrize("seen", [None, "waiting", "parked"])
async def test_a_settlement_that_does_not_come_is_told_as_it_is(
    stage: Stage, doors: Doors, seen: str | None
) -> None:
    doors.stage = seen
    with pytest.raises(NotSo, match=f"is {seen or 'not there'}, not settled"):
        await chain.reach(stage, step("settlement +254712000001 settled"))


async def test_books_that_equal_the_pools_balance(stage: Stage) -> None:
    await chain.balance(stage, step("chain balanced"))


def less_on_the_chain(doors: Doors) -> None:
    doors.pools["0xa2"] -= 1


def unknown_to_the_books(doors: Doors) -> None:
    del doors.booked["mtn_ug"]


@pytest.mark.parametrize(
    ("spoil", "named"), [(less_on_the_chain, "mpesa_ke"), (unknown_to_the_books, "mtn_ug")]
)
async def test_a_difference_is_named_with_both_amounts(
    stage: Stage, doors: Doors, spoil: Callable[[Doors], None], named: str
) -> None:
    spoil(doors)
    with pytest.raises(NotSo, match=f"CHAIN_TREASURY {named} USDC is USDC .* on the chain"):
        await chain.balance(stage, step("chain balanced"))


async def test_without_a_chain_nothing_can_be_claimed_of_it(stage: Stage) -> None:
    stage.places = Places(SERVER, "", "")
    with pytest.raises(NotSo, match="nothing is settled on a chain here"):
        await chain.balance(stage, step("chain balanced"))
