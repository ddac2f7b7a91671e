"""Airtel's fourteen countries, their numbers and settings; balances and users (section 7)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.clock import Clock
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    BalancePort,
    CallbackTrust,
    Direction,
    NamePort,
    StatementPort,
)
from providers.airtel_money import MARKETS, AirtelMoney
from providers.registry import build_operators
from tests.providers.airtel_subjects import (
    AIRTEL,
    COLLECT,
    COLLECT_PATHS,
    DISBURSE,
    DISBURSE_PATHS,
    KEYS_PATH,
    PIN,
    QUEUED,
    REFUND,
    airtel_key,
    airtel_settings,
    envelope,
    kenyan_order,
    keys_answer,
    opened,
    refused,
    zambian_airtel_order,
)
from tests.providers.company import SILENCE, Answer, Company, Reaction
from tests.providers.conftest import HandClock
from tests.providers.subjects import KENYAN, SECRETS


@pytest.fixture
async def airtel(company: Company, clock: HandClock) -> AsyncIterator[AirtelMoney]:
    async with opened(company, clock) as adapter:
        yield adapter


COUNTRIES = {  # section 11; dialling codes of reference msisdn, section 2
    "UG": ("UGX", "256"), "KE": ("KES", "254"), "TZ": ("TZS", "255"), "RW": ("RWF", "250"),
    "ZM": ("ZMW", "260"), "MW": ("MWK", "265"), "NG": ("NGN", "234"), "GA": ("XAF", "241"),
    "CG": ("XAF", "242"), "TD": ("XAF", "235"), "NE": ("XOF", "227"), "CD": ("CDF", "243"),
    "SC": ("SCR", "248"), "MG": ("MGA", "261"),
}  # fmt: skip


def test_the_fourteen_countries_are_those_of_the_reference() -> None:
    assert {c: (m.facts.currency, m.dialling_code) for c, m in MARKETS.items()} == COUNTRIES
    codes = [market.facts.code for market in MARKETS.values()]
    assert len(set(codes)) == 14 and all(20 <= code <= 39 for code in codes)
    for country, market in MARKETS.items():
        facts = market.facts
        assert (facts.name, facts.country) == (f"airtel_{country.lower()}", country)
        assert facts.confirm_callback_above_minor == 0  # a callback tells no amount
        assert facts.collect_minor_max % facts.unit_minor == 0


NUMBERS = [
    ("UG", "+256752604392", True, "752604392"),
    ("NG", "+2348020000001", True, "8020000001"),
    ("CG", "+242055000001", True, "055000001"),
    ("CG", "+242055000001", False, "55000001"),
    ("GA", "+24104000001", True, "04000001"),
    ("NE", "+22796000001", True, "96000001"),
]


@pytest.mark.parametrize(("country", "number", "keeps_zero", "national"), NUMBERS)
async def test_numbers_go_without_the_countrys_code(
    company: Company,
    clock: HandClock,
    country: str,
    number: str,
    keeps_zero: bool,
    national: str,
) -> None:
    company.on(COLLECT_PATHS[1], QUEUED)
    facts = MARKETS[country].facts
    money = Money(100 * facts.unit_minor, facts.currency)
    async with opened(company, clock, country=country, keeps_zero=keeps_zero) as airtel:
        await airtel.collect(kenyan_order(COLLECT, money=money, msisdn=Msisdn(number)))
    assert company.received(COLLECT_PATHS[1])[0].json["subscriber"]["msisdn"] == national


async def test_number_of_another_country_is_never_sent(
    company: Company, airtel: AirtelMoney
) -> None:
    with pytest.raises(Rejected) as caught:
        await airtel.collect(kenyan_order(COLLECT, msisdn=Msisdn("+256752604392")))
    assert "752604392" not in str(caught.value)
    assert company.requests == []


async def test_currency_may_have_a_word_of_its_own(company: Company, clock: HandClock) -> None:
    company.on(COLLECT_PATHS[1], QUEUED)
    async with opened(company, clock, country="GA", currency_word="CFA") as airtel:
        order = kenyan_order(COLLECT, money=Money(500, "XAF"), msisdn=Msisdn("+24104000001"))
        await airtel.collect(order)
    (request,) = company.received(COLLECT_PATHS[1])
    assert request.headers["x-currency"] == "CFA"
    assert {request.json[part]["currency"] for part in ("subscriber", "transaction")} == {"CFA"}


# Balances and users (section 7).


def balance(amount: Any, currency: str = "KES", code: str = "DP02100000001") -> Answer:
    told = {"balance": amount, "currency": currency, "account_status": "Active"}
    return envelope(code, data=told)


@pytest.mark.parametrize(
    ("amount", "money"),
    [
        ("37,600.00", Money(3_760_000, "KES")),
        ("1,037,600.05", Money(103_760_005, "KES")),
        ("0", Money(0, "KES")),
        ("37600.5", Money(3_760_050, "KES")),
        (12, Money(1_200, "KES")),
        ("-5.00", Money(-500, "KES")),
    ],
)
async def test_balance_has_thousands_commas(
    company: Company, airtel: AirtelMoney, amount: Any, money: Money
) -> None:
    company.on("/standard/v1/users/balance", balance(amount))
    assert airtel.balance_accounts == ("wallet",)
    assert await airtel.ask_balance("wallet", "https://pay.example.org/cb") == money


async def test_balances_are_told_apart_by_version_two(company: Company, clock: HandClock) -> None:
    path = "/standard/v2/users/balance"
    company.on(path, balance("10"), balance("20"))
    async with opened(company, clock, balance_version=2) as airtel:
        assert airtel.balance_accounts == ("collection", "disbursement")
        told = [await airtel.ask_balance(account, "") for account in airtel.balance_accounts]
    assert told == [Money(1_000, "KES"), Money(2_000, "KES")]
    assert [request.target for request in company.received(path)] == [
        f"{path}?type=COLL",
        f"{path}?type=DISB",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        balance("1,00.00"),
        balance("10.001"),
        balance("ten"),
        balance("10", currency="UGX"),
        balance("10", code="DP02100000002"),
        refused("DP02100000000"),
        envelope("DP02100000001"),
        Answer(429),
        SILENCE,
    ],
)
async def test_what_is_no_balance_tells_nothing(
    company: Company, airtel: AirtelMoney, answer: Reaction
) -> None:
    company.on("/standard/v1/users/balance", answer)
    with pytest.raises(ProviderError) as caught:
        await airtel.ask_balance("wallet", "")
    assert not any(secret in str(caught.value) for secret in SECRETS)


USER_PATH = "/standard/v1/users/712345678"


def user(**fields: Any) -> Answer:
    told = {
        "first_name": "JANE",
        "last_name": "DOE",
        "msisdn": "712345678",
        "grade": "SUBS",
        "is_barred": False,
        "is_pin_set": True,
        "registration": {"status": "SUCCESS"},
        "nationatility": "Kenyan",
    }
    return envelope("DP02200000001", data={**told, **fields})


async def test_user_is_asked_for_by_national_number(company: Company, airtel: AirtelMoney) -> None:
    company.on(USER_PATH, user(is_barred=True))
    found = await airtel.find_user(KENYAN)
    assert found is not None
    assert (found.name, found.is_barred, found.has_pin) == ("JANE DOE", True, True)
    assert "JANE" not in repr(found)
    assert await airtel.name_of(KENYAN) == "JANE DOE"


@pytest.mark.parametrize("answer", [refused("DP02200000002"), user(first_name="", last_name=None)])
async def test_nobody_and_nameless_have_no_name(
    company: Company, airtel: AirtelMoney, answer: Answer
) -> None:
    company.on(USER_PATH, answer)
    assert await airtel.name_of(KENYAN) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("DP02200000000"), OutcomeUnknown),
        (refused("DP02200000002", http=500), OutcomeUnknown),
        (envelope("DP02200000009"), OutcomeUnknown),
        (Answer(403), Rejected),
        (Answer(429), Throttled),
        (SILENCE, OutcomeUnknown),
    ],
)
async def test_user_that_nobody_told_of_is_an_error(
    company: Company, airtel: AirtelMoney, answer: Reaction, error: type[ProviderError]
) -> None:
    company.on(USER_PATH, answer)
    with pytest.raises(error) as caught:
        await airtel.name_of(KENYAN)
    assert not any(secret in str(caught.value) for secret in SECRETS)


async def test_it_can_all_that_an_operator_may(airtel: AirtelMoney) -> None:
    assert isinstance(airtel, BalancePort)
    assert isinstance(airtel, StatementPort)
    assert isinstance(airtel, NamePort)
    assert airtel.facts.callback is CallbackTrust.UNSIGNED


# From the environment.

NEEDED = {"BASE_URL": "http://127.0.0.1:1", "CLIENT_ID": "1", "CLIENT_SECRET": "2", "PIN": PIN}


def environment(country: str, **more: str) -> dict[str, str]:
    prefix = f"CAPP_AIRTEL_{country}_"
    return {prefix + name: value for name, value in {**NEEDED, **more}.items()}


@pytest.mark.parametrize("country", COUNTRIES)
async def test_every_country_is_built_from_its_own_variables(country: str) -> None:
    name = f"airtel_{country.lower()}"
    built = build_operators(
        environment(country, COLLECT_MINOR_MAX="70000", CONFIRM_ABOVE_MINOR="5", CALLBACK_KEY="k"),
        clock=Clock(),
        names=[name],
    )
    facts = built[name].facts
    assert (facts.name, facts.country, facts.collect_minor_max) == (name, country, 70_000)
    assert facts.confirm_callback_above_minor == 5
    assert facts.callback is CallbackTrust.SIGNED
    await built[name].aclose()


@pytest.mark.parametrize(
    ("more", "gives_back"),
    [
        ({}, True),
        ({"DISBURSE_MINOR_MAX": "0"}, False),
        ({"DISBURSE_MINOR_MAX": "0", "REFUND_BY": "refund"}, True),
    ],
)
async def test_who_pays_nothing_out_gives_back_by_airtels_refund_or_not_at_all(
    more: dict[str, str], gives_back: bool
) -> None:
    built = build_operators(environment("KE", **more), clock=Clock(), names=["airtel_ke"])
    facts = built["airtel_ke"].facts
    assert facts.can_refund is gives_back
    assert facts.gives_back(Money(15_000, "KES")) is gives_back
    await built["airtel_ke"].aclose()


@pytest.mark.parametrize(
    ("more", "is_safe"),
    [
        ({}, True),
        ({"DISBURSEMENT_VERSION": "2"}, True),
        ({"DISBURSEMENT_VERSION": "3"}, False),  # no text says it of the third
        ({"DISBURSEMENT_VERSION": "3", "REPEATS_PAYOUTS": "1"}, True),
        ({"REPEATS_PAYOUTS": "0"}, False),
    ],
)
async def test_payouts_are_repeated_where_a_text_says_that_a_used_id_is_refused(
    more: dict[str, str], is_safe: bool
) -> None:
    built = build_operators(environment("KE", **more), clock=Clock(), names=["airtel_ke"])
    facts = built["airtel_ke"].facts
    assert facts.repeat_is_safe(DISBURSE) is facts.repeat_is_safe(REFUND) is is_safe
    assert not facts.repeat_is_safe(COLLECT)
    await built["airtel_ke"].aclose()


async def test_zambia_signs_and_the_others_do_not(company: Company, clock: HandClock) -> None:
    AIRTEL.script_tokens(company)
    for country, version in (("ZM", 2), ("KE", 1)):
        company.on(COLLECT_PATHS[version], QUEUED)
        company.on(KEYS_PATH, keys_answer(airtel_key()))
        name = f"airtel_{country.lower()}"
        variables = {**environment(country), f"CAPP_AIRTEL_{country}_BASE_URL": company.url}
        adapter = build_operators(variables, clock=clock, names=[name])[name]
        make = zambian_airtel_order if country == "ZM" else kenyan_order
        await adapter.collect(make(COLLECT))
        await adapter.aclose()
        assert len(company.received(COLLECT_PATHS[version])) == 1


SENSELESS = [
    ("PIN", "12a4"), ("PIN", "12345"), ("COLLECTION_VERSION", "3"), ("DISBURSEMENT_VERSION", "4"),
    ("ENQUIRY_VERSION", "0"), ("BALANCE_VERSION", "x"), ("PIN_PADDING", "none"),
    ("CALLBACK_HASH", "both"), ("REFUND_BY", "post"), ("UNIT_MINOR", "0"), ("BASE_URL", "uat"),
    ("ENCRYPTION_KEY", "x"), ("PIN_KEY", "eA=="), ("PER_SECOND", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SENSELESS)
def test_senseless_setting_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError) as caught:
        build_operators(environment("KE", **{name: value}), clock=Clock(), names=["airtel_ke"])
    assert PIN not in str(caught.value) and "12a4" not in str(caught.value)


def test_pin_is_in_no_repr() -> None:
    settings = airtel_settings("http://127.0.0.1:1", callback_key="airtel-callback-x17")
    assert PIN not in repr(settings)
    assert not any(secret in repr(settings) for secret in SECRETS)


@pytest.mark.parametrize("direction", list(Direction))
async def test_amounts_it_cannot_take_are_never_sent(
    company: Company, airtel: AirtelMoney, direction: Direction
) -> None:
    call = {COLLECT: airtel.collect, DISBURSE: airtel.disburse, REFUND: airtel.refund}[direction]
    for money in (Money(150, "KES"), Money(0, "KES"), Money(15_000_100, "KES"), Money(1, "UGX")):
        with pytest.raises(Rejected):
            await call(kenyan_order(direction, money=money))
    assert company.received(COLLECT_PATHS[1]) == company.received(DISBURSE_PATHS[1]) == []
