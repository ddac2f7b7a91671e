from typing import Any

import msgspec
import pytest
import yaml

from channels.numbering import NUMBERING
from engine.errors import CustomerMistake, NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn, Prefixes
from engine.payments.routing import Directory
from tests.unit.payments.examples import MPESA, MTN, PAYEE, PAYER


@pytest.fixture(scope="module")
def directory() -> Directory:
    numbering = yaml.safe_load(NUMBERING.read_text())
    operators = {"mpesa_ke": MPESA, "mtn_ug": MTN}
    return Directory(operators, Prefixes(numbering["ranges"]), numbering["networks"])


def test_both_ends_are_found_by_their_numbers(directory: Directory) -> None:
    ways = directory.choose_ways(PAYER, "99999", PAYEE)
    assert (ways.payer.name, ways.payee.name) == ("mpesa_ke", "mtn_ug")


def test_the_network_that_served_the_dial_is_believed_before_the_prefix(
    directory: Directory,
) -> None:
    ported = Msisdn("+254733000001")  # an Airtel range
    assert directory.payer_operator(ported, "63902") == "mpesa_ke"
    assert directory.payer_operator(ported, "") == "airtel_ke"


def test_a_wallet_holds_what_its_operator_says_not_what_its_country_has() -> None:
    dollars = msgspec.structs.replace(MPESA, name="orange_cd", country="CD", currency="USD")
    numbers = Prefixes({"CD": {"orange_cd": ["84"], "mtn_cd": ["81"]}, "KE": {"mpesa_ke": ["71"]}})
    directory = Directory({"orange_cd": dollars, "mtn_ug": MTN}, numbers, {"64110": "mtn_ug"})
    assert directory.payer_currency(Msisdn("+243841000001"), "") == "USD"
    assert directory.payer_currency(Msisdn("+243841000001"), "64110") == "UGX"  # who served it
    assert directory.payer_currency(Msisdn("+243811000001"), "") == "CDF"  # we cannot call it
    assert directory.payer_currency(Msisdn("+27821000001"), "") == "ZAR"
    assert directory.payer_currency(Msisdn("+33612345678"), "") is None


@pytest.mark.parametrize(
    ("payee", "key"),
    [
        (PAYER, "mistake.own_number"),
        (Msisdn("+251912000001"), "mistake.operator_unknown"),
        (Msisdn("+256701000001"), "mistake.operator_unsupported"),
    ],
)
def test_a_payee_we_cannot_pay_is_told_why(directory: Directory, payee: Msisdn, key: str) -> None:
    with pytest.raises(CustomerMistake) as caught:
        directory.choose_ways(PAYER, "", payee)
    assert caught.value.text_key == key


def test_an_operator_pays_into_the_wallets_it_reaches(directory: Directory) -> None:
    mtn = msgspec.structs.replace(MTN, reaches=("airtel_ug",))
    airtel = msgspec.structs.replace(MTN, code=3, name="airtel_ug")
    abroad = msgspec.structs.replace(MPESA, code=4, name="mpesa_tz", reaches=("mtn_ug",))
    numbers = Prefixes({"UG": {"airtel_ug": ["70"], "mtn_ug": ["77"]}, "KE": {"mpesa_ke": ["71"]}})
    payee = Msisdn("+256701000001")

    both = Directory({f.name: f for f in (MPESA, mtn, airtel, abroad)}, numbers, {})
    ways = both.choose_ways(PAYER, "", payee)
    assert (ways.payee, ways.wallet, ways.payouts) == (airtel, "airtel_ug", (airtel, mtn))
    assert both.payouts_to("mtn_ug") == (mtn,)  # another currency would be another promise

    alone = Directory({"mpesa_ke": MPESA, "mtn_ug": mtn}, numbers, {})
    ways = alone.choose_ways(PAYER, "", payee)
    assert (ways.payee, ways.wallet, ways.payouts) == (mtn, "airtel_ug", (mtn,))


def test_a_payer_whose_operator_we_cannot_collect_from_has_no_way(directory: Directory) -> None:
    with pytest.raises(NoWayNow):
        directory.choose_ways(PAYER, "63903", PAYEE)


def test_two_operators_with_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="share a code"):
        Directory({"a": MPESA, "b": MPESA}, Prefixes({}), {})


def test_an_operator_that_collects_nothing_has_no_payers() -> None:
    closed = msgspec.structs.replace(MPESA, collect_minor_min=0, collect_minor_max=0)
    numbers = Prefixes({"UG": {"mtn_ug": ["77"]}, "KE": {"mpesa_ke": ["71"]}})
    directory = Directory({"mpesa_ke": closed, "mtn_ug": MTN}, numbers, {})
    with pytest.raises(NoWayNow) as caught:
        directory.choose_ways(PAYER, "", PAYEE)
    assert caught.value.text_key == "no_way.corridor"
    assert directory.choose_ways(PAYEE, "", PAYER).payee == closed  # it still pays out


def test_an_operator_that_pays_nothing_out_is_never_chosen_to() -> None:
    closed = msgspec.structs.replace(MTN, disburse_minor_min=0, disburse_minor_max=0)
    other = msgspec.structs.replace(MTN, code=3, name="airtel_ug", reaches=("mtn_ug",))
    numbers = Prefixes({"UG": {"mtn_ug": ["77"]}, "KE": {"mpesa_ke": ["71"]}})

    alone = Directory({"mpesa_ke": MPESA, "mtn_ug": closed}, numbers, {})
    with pytest.raises(CustomerMistake) as caught:
        alone.choose_ways(PAYER, "", PAYEE)
    assert caught.value.text_key == "mistake.operator_unsupported"
    assert alone.payouts_to("mtn_ug") == ()

    both = Directory({"mpesa_ke": MPESA, "mtn_ug": closed, "airtel_ug": other}, numbers, {})
    ways = both.choose_ways(PAYER, "", PAYEE)
    assert (ways.payee, ways.wallet, ways.payouts) == (other, "mtn_ug", (other,))


@pytest.mark.parametrize(
    ("changes", "minor", "found"),
    [
        ({}, 102_000, ["mpesa_ke", "airtel_ke"]),
        ({}, 900, []),  # below what either pays out
        ({"disburse_minor_max": 100_000}, 102_000, ["mpesa_ke"]),
        ({"unit_minor": 1_000_000}, 102_000, ["mpesa_ke"]),
        ({"currency": "UGX"}, 102_000, ["mpesa_ke"]),
        ({"reaches": ()}, 102_000, ["mpesa_ke"]),
    ],
)
def test_a_refund_may_go_by_whoever_can_pay_that_amount_into_the_payers_wallet(
    changes: dict[str, Any], minor: int, found: list[str]
) -> None:
    airtel = msgspec.structs.replace(MPESA, code=4, name="airtel_ke", reaches=("mpesa_ke",))
    airtel = msgspec.structs.replace(airtel, **changes)
    known = Directory({"mpesa_ke": MPESA, "airtel_ke": airtel, "mtn_ug": MTN}, Prefixes({}), {})
    ways = known.refund_ways("mpesa_ke", Money(minor, "KES"))
    assert [facts.name for facts in ways] == found


def test_the_wallets_of_a_country_are_those_that_somebody_can_pay_into() -> None:
    mtn = msgspec.structs.replace(MTN, reaches=("airtel_ug",))
    shut = msgspec.structs.replace(MTN, code=3, name="utl_ug", disburse_minor_max=0)
    numbers = Prefixes({"UG": {"mtn_ug": ["77"], "roke_ug": ["734"]}})
    directory = Directory({f.name: f for f in (MPESA, mtn, shut)}, numbers, {})
    assert directory.wallets_in("UG") == ("airtel_ug", "mtn_ug")
    assert directory.wallets_in("KE") == ("mpesa_ke",)
    assert directory.wallets_in("TZ") == directory.wallets_in("") == ()


def test_an_operator_has_a_country_whether_we_can_call_it_or_not(directory: Directory) -> None:
    assert directory.country_of("mtn_ug") == directory.country_of("roke_ug") == "UG"
    assert directory.country_of("nobody_ug") is None
    assert directory.network_operator("64101") == "airtel_ug"
    assert directory.network_operator("99999") is None
