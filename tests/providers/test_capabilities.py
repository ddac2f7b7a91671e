"""The table of what operators can do: true to their facts, and the one in the README."""

from typing import Any

import msgspec
import pytest

from engine.ports import CallbackTrust, OperatorFacts
from providers.capabilities import HEADER, table_of
from providers.registry import OPERATORS
from providers.zamtel import ZAMBIA
from tests.providers.capability_table import all_ports, written
from tests.unit.payments.examples import MPESA


class Mute:
    """An operator that has facts and can do nothing beside what every one must."""

    def __init__(self, facts: OperatorFacts) -> None:
        self.facts = facts


class Talkative(Mute):
    """One that implements every port there is."""

    balance_accounts = ("one",)

    async def ask_balance(self, account: str, callback_url: str) -> None:
        """Nothing is held."""

    def read_balance(self, body: bytes) -> None:
        """Nothing is told."""

    def references_of(self, attempt_id: str) -> tuple[str, ...]:
        return (attempt_id,)

    async def name_of(self, msisdn: str) -> None:
        """Nobody is known."""


def row(port: Any) -> dict[str, str]:
    line = table_of([port]).splitlines()[-1]
    return dict(zip(HEADER, line.strip("| ").split(" | "), strict=True))


def changed(**facts: Any) -> dict[str, str]:
    return row(Mute(msgspec.structs.replace(MPESA, **facts)))


def test_facts_are_said_as_they_are() -> None:
    assert row(Mute(MPESA)) == {
        "operator": "`mpesa_ke`",
        "country": "KE",
        "unit": "KES 1",
        "collects": "1 to 250,000",
        "pays out": "10 to 250,000",
        "gives back": "the collection",
        "asked how it went": "yes",
        "calls back": "unsigned, asked above 10,000",
        "safe to repeat": "payout, refund",
        "balance": "no",
        "own word in statements": "no",
        "payee's name": "no",
        "pay-ins": "no",
        "changed SIMs": "no",
    }


@pytest.mark.parametrize(
    ("facts", "column", "said"),
    [
        ({"collect_minor_max": 0}, "collects", "no"),
        ({"collect_minor_max": 0}, "gives back", "no"),
        ({"collect_minor_max": 0, "collect_repeat_is_safe": True}, "safe to repeat", "payout"),
        ({"refund_repeat_is_safe": False}, "safe to repeat", "payout"),
        ({"disburse_repeat_is_safe": False}, "safe to repeat", "refund"),
        ({"can_refund": False}, "gives back", "by hand"),
        ({"can_refund": False}, "safe to repeat", "payout"),
        ({"disburse_minor_max": 0}, "pays out", "no"),
        ({"disburse_minor_max": 0}, "safe to repeat", "refund"),
        ({"refund_is_payout": True}, "gives back", "by a payout"),
        ({"refund_is_payout": True, "disburse_minor_max": 0}, "gives back", "by hand"),
        ({"can_be_asked": False}, "asked how it went", "no"),
        ({"can_be_asked": False}, "calls back", "unsigned"),
        ({"confirm_callback_above_minor": 0}, "calls back", "unsigned, always asked"),
        ({"callback": CallbackTrust.NONE}, "calls back", "never"),
        ({"callback": CallbackTrust.SIGNED}, "calls back", "signed, asked above 10,000"),
        ({"callback": CallbackTrust.SIGNED, "can_be_asked": False}, "calls back", "signed"),
        ({"collect_repeat_is_safe": True}, "safe to repeat", "collection, payout, refund"),
    ],
)
def test_what_an_operator_cannot_do_is_said(facts: dict[str, Any], column: str, said: str) -> None:
    assert changed(**facts)[column] == said


def test_ports_are_found_by_what_an_adapter_can_do() -> None:
    told = row(Talkative(MPESA))
    columns = ("balance", "own word in statements", "payee's name")
    assert [told[column] for column in columns] == ["yes"] * 3


def test_the_lines_are_in_order_of_country_and_name() -> None:
    ports: list[Any] = [Mute(ZAMBIA), Mute(MPESA)]
    lines = table_of(ports).splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == ["mpesa_ke", "zamtel_zm"]


def test_every_operator_states_what_a_second_refund_does() -> None:
    for port in all_ports():
        facts = port.facts
        if facts.refund_is_payout:  # then a refund is as safe as the payout that it is
            assert facts.refund_repeat_is_safe is facts.disburse_repeat_is_safe, facts.name
            assert facts.can_disburse or not facts.can_refund, facts.name
        if not facts.can_refund:
            assert not facts.refund_repeat_is_safe, facts.name


def test_the_readme_has_every_operator_as_it_is() -> None:
    """`python -m tests.providers.capability_table` writes it anew."""
    ports = all_ports()
    assert sorted(port.facts.name for port in ports) == sorted(OPERATORS)
    assert written() == table_of(ports)


def test_no_two_operators_share_a_code() -> None:
    """It is part of account numbers: two who share one have one float and one set of books."""
    by_code: dict[int, list[str]] = {}
    for port in all_ports():
        by_code.setdefault(port.facts.code, []).append(port.facts.name)
    shared = {code: names for code, names in by_code.items() if len(names) > 1}
    assert shared == {}, f"the next that is free: {max(by_code) + 1}"
