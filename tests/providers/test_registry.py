"""The registry: adapters from the environment, and one clear error when something is missing."""

from pathlib import Path

import pytest

from engine.clock import Clock
from providers.africastalking import AfricasTalkingSms, AfricasTalkingUssd
from providers.environment import MissingSettings, SenselessSettings
from providers.mpesa import Mpesa
from providers.mtn_momo import MtnMomo
from providers.nalo import NaloUssd
from providers.registry import (
    OPERATORS,
    USSD,
    build_operators,
    build_sms,
    build_ussd,
)
from providers.twilio import TwilioSms
from tests.providers.capability_table import all_ports
from tests.providers.subjects import certificate_pem

HOME = ("mpesa_ke", "mtn_ug")
"""Those that are called without a word in `CAPP_OPERATORS`."""

ENVIRONMENT = {
    "CAPP_MPESA_KE_BASE_URL": "http://127.0.0.1:1",
    "CAPP_MPESA_KE_CONSUMER_KEY": "secret-1",
    "CAPP_MPESA_KE_CONSUMER_SECRET": "secret-2",
    "CAPP_MPESA_KE_SHORTCODE": "174379",
    "CAPP_MPESA_KE_PASSKEY": "secret-3",
    "CAPP_MPESA_KE_B2C_SHORTCODE": "600984",
    "CAPP_MPESA_KE_INITIATOR": "testapi",
    "CAPP_MPESA_KE_INITIATOR_PASSWORD": "secret-4",
    "CAPP_MPESA_KE_CERTIFICATE": certificate_pem().decode(),
    "CAPP_MTN_UG_BASE_URL": "http://127.0.0.1:1",
    "CAPP_MTN_UG_API_USER": "secret-5",
    "CAPP_MTN_UG_API_KEY": "secret-6",
    "CAPP_MTN_UG_COLLECTION_KEY": "secret-7",
    "CAPP_MTN_UG_DISBURSEMENT_KEY": "secret-8",
    "CAPP_AFRICASTALKING_BASE_URL": "http://127.0.0.1:1",
    "CAPP_AFRICASTALKING_USERNAME": "capp",
    "CAPP_AFRICASTALKING_API_KEY": "secret-9",
    "CAPP_TWILIO_BASE_URL": "http://127.0.0.1:1",
    "CAPP_TWILIO_ACCOUNT_SID": "AC1",
    "CAPP_TWILIO_AUTH_TOKEN": "secret-10",
    "CAPP_TWILIO_SENDER": "+254700000000",
}
OPTIONAL = {
    "CAPP_MPESA_KE_REACHES",
    "CAPP_MTN_UG_REACHES",
    "CAPP_MPESA_KE_CONFIRM_ABOVE_MINOR",
    "CAPP_MTN_UG_CONFIRM_ABOVE_MINOR",
    "CAPP_AFRICASTALKING_SENDER",
}


async def test_every_operator_is_built_under_its_own_name() -> None:
    built = build_operators(ENVIRONMENT, clock=Clock(), names=HOME)
    assert list(built) == list(HOME)
    assert set(HOME) <= set(OPERATORS)
    assert {name: adapter.facts.name for name, adapter in built.items()} == {
        name: name for name in built
    }
    assert len({adapter.facts.code for adapter in built.values()}) == len(built)
    assert isinstance(built["mpesa_ke"], Mpesa)
    assert isinstance(built["mtn_ug"], MtnMomo)


def report_url(name: str) -> str:
    return f"https://pay.example.org/sms/{name}/report"


async def test_sms_gateways_are_built_in_the_order_asked_for() -> None:
    built = build_sms(ENVIRONMENT, names=["twilio", "africastalking"], report_url=report_url)
    assert [(name, type(port)) for name, port in built.items()] == [
        ("twilio", TwilioSms),
        ("africastalking", AfricasTalkingSms),
    ]
    assert list(build_sms(ENVIRONMENT, report_url=report_url)) == ["africastalking"]


async def test_who_is_named_twice_is_built_once() -> None:
    asked: list[str] = []

    def note(name: str) -> str:
        asked.append(name)
        return report_url(name)

    names = ["twilio", "africastalking", "twilio"]
    assert list(build_sms(ENVIRONMENT, names=names, report_url=note)) == asked == names[:2]


def test_sms_gateway_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'nobody'; known: africastalking, twilio"):
        build_sms(ENVIRONMENT, names=["twilio", "nobody"], report_url=report_url)


def test_ussd_gateways_are_built_each_once_in_the_order_asked_for() -> None:
    built = build_ussd(["nalo", "africastalking", "nalo"], shortcodes=["*384*96#"])
    assert [type(gateway) for gateway in built] == [NaloUssd, AfricasTalkingUssd]
    assert [gateway.name for gateway in build_ussd(USSD, shortcodes=[])] == list(USSD)


@pytest.mark.parametrize("code", ["12", "38496", "384*96", "*384*96", "384*96#"])
def test_a_shortcode_without_star_and_hash_is_ours_only_where_it_is_found_in_what_is_dialled(
    code: str,
) -> None:
    with pytest.raises(SenselessSettings, match=r"CAPP_SHORTCODES: nobody dials '.*'; write \*384"):
        build_ussd(["africastalking", "hubtel", "mtn_ussd"], shortcodes=["*384*96#", code])
    for name in ("nalo", "arkesel"):
        assert len(build_ussd([name, "africastalking"], shortcodes=[code])) == 2


@pytest.mark.parametrize("code", ["384-96", "*384 96#", "USSD", "*#", "#", "*" + "1" * 31 + "#"])
def test_a_shortcode_that_no_gateway_ever_tells_is_refused(code: str) -> None:
    with pytest.raises(SenselessSettings, match="CAPP_SHORTCODES: nobody dials"):
        build_ussd(USSD, shortcodes=[code])


@pytest.mark.parametrize("code", ["*384*96#", "*713#", "#123#", "*#06#", "**21*4#", "*1*2*3*4*5#"])
def test_a_shortcode_as_a_phone_dials_it_is_refused_by_no_gateway(code: str) -> None:
    for name in USSD:
        assert build_ussd([name], shortcodes=[code])


def test_gateway_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'nobody'; known: africastalking, hubtel"):
        build_ussd(["hubtel", "nobody"], shortcodes=[])


def test_one_error_names_all_that_is_missing_and_no_value() -> None:
    partial = {
        **ENVIRONMENT,
        "CAPP_MTN_UG_API_KEY": "  ",
        "CAPP_MPESA_KE_CERTIFICATE": "",
    }
    del partial["CAPP_MPESA_KE_PASSKEY"]
    with pytest.raises(MissingSettings) as caught:
        build_operators(partial, clock=Clock(), names=HOME)
    assert caught.value.names == (
        "CAPP_MPESA_KE_CERTIFICATE",
        "CAPP_MPESA_KE_PASSKEY",
        "CAPP_MTN_UG_API_KEY",
    )
    assert all(name in str(caught.value) for name in caught.value.names)
    assert "secret" not in str(caught.value)


def test_nothing_else_is_needed_than_what_is_listed() -> None:
    with pytest.raises(MissingSettings) as caught:
        build_operators({}, clock=Clock(), names=HOME)
    with pytest.raises(MissingSettings) as gateway:
        build_sms({}, names=["africastalking", "twilio"], report_url=report_url)
    assert {*caught.value.names, *gateway.value.names} == set(ENVIRONMENT)


async def test_only_the_chosen_operators_are_asked_for() -> None:
    only = {name: value for name, value in ENVIRONMENT.items() if "MTN" in name}
    assert list(build_operators(only, clock=Clock(), names=["mtn_ug"])) == ["mtn_ug"]


def test_operator_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="mpesa_tz"):
        build_operators(ENVIRONMENT, clock=Clock(), names=["mpesa_tz"])


async def test_certificate_may_be_a_file_or_a_single_line(tmp_path: Path) -> None:
    file = tmp_path / "safaricom.pem"
    file.write_bytes(certificate_pem())
    one_line = certificate_pem().decode().replace("\n", "\\n")
    for value in (str(file), one_line):
        environment = {**ENVIRONMENT, "CAPP_MPESA_KE_CERTIFICATE": value}
        assert build_operators(environment, clock=Clock(), names=HOME)


SENSELESS = [
    ("CAPP_MPESA_KE_CERTIFICATE", "no/such/file.pem"),
    ("CAPP_MPESA_KE_CERTIFICATE", "-----BEGIN CERTIFICATE-----\nnone"),
    ("CAPP_MPESA_KE_SHORTCODE", "abc"),
    ("CAPP_MPESA_KE_TILL", "12"),
    ("CAPP_MPESA_KE_PAYOUT_VERSION", "v2"),
    ("CAPP_MPESA_KE_REFUND_BY", "cheque"),
    ("CAPP_MPESA_KE_PAY_IN_VERSION", "3"),
    ("CAPP_MPESA_KE_PAY_IN_UNANSWERED", "completed"),
    ("CAPP_MPESA_KE_BASE_URL", "sandbox"),
    ("CAPP_MTN_UG_CONFIRM_ABOVE_MINOR", "-1"),
    ("CAPP_MPESA_KE_CONFIRM_ABOVE_MINOR", "much"),
    ("CAPP_MTN_UG_REACHES", "Airtel Uganda"),
    ("CAPP_MTN_UG_REACHES", "airtel_ug;lycamobile_ug"),
]


@pytest.mark.parametrize(("name", "value"), SENSELESS)
def test_senseless_value_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        build_operators({**ENVIRONMENT, name: value}, clock=Clock(), names=HOME)


async def test_confirmation_threshold_comes_from_the_environment() -> None:
    defaults = build_operators(ENVIRONMENT, clock=Clock(), names=HOME)
    assert defaults["mpesa_ke"].facts.confirm_callback_above_minor == 1_000_000
    assert defaults["mtn_ug"].facts.confirm_callback_above_minor == 300_000
    changed = {name: "12345" for name in OPTIONAL if name.endswith("MINOR")}
    built = build_operators({**ENVIRONMENT, **changed}, clock=Clock(), names=HOME)
    for adapter in built.values():
        assert adapter.facts.confirm_callback_above_minor == 12_345


async def test_how_mpesa_pays_and_gives_back_comes_from_the_environment() -> None:
    usual = build_operators(ENVIRONMENT, clock=Clock(), names=["mpesa_ke"])["mpesa_ke"]
    assert (usual.facts.refund_is_payout, usual.facts.refund_by_receipt) == (True, False)
    assert usual.facts.disburse_repeat_is_safe
    chosen = {"CAPP_MPESA_KE_REFUND_BY": "reversal", "CAPP_MPESA_KE_PAYOUT_VERSION": "v1"}
    built = build_operators({**ENVIRONMENT, **chosen}, clock=Clock(), names=["mpesa_ke"])
    facts = built["mpesa_ke"].facts
    assert (facts.refund_is_payout, facts.refund_by_receipt) == (False, True)
    assert not facts.disburse_repeat_is_safe


async def test_whose_wallets_an_operator_reaches_comes_from_the_environment() -> None:
    alone = build_operators(ENVIRONMENT, clock=Clock(), names=HOME)
    assert {adapter.facts.reaches for adapter in alone.values()} == {()}
    reaches = {"CAPP_MTN_UG_REACHES": " airtel_ug, lycamobile_ug,"}
    built = build_operators({**ENVIRONMENT, **reaches}, clock=Clock(), names=HOME)
    assert built["mtn_ug"].facts.reaches == ("airtel_ug", "lycamobile_ug")
    assert built["mpesa_ke"].facts.reaches == ()


CODES = """
    mpesa_ke=1 mtn_ug=2 airtel_ke=20 airtel_ug=21 airtel_tz=22 airtel_rw=23 airtel_zm=24
    airtel_mw=25 airtel_ng=26 airtel_ga=27 airtel_cg=28 airtel_td=29 airtel_ne=30 airtel_cd=31
    airtel_sc=32 airtel_mg=33 orange_ci=40 orange_sn=41 orange_ml=42 orange_bf=43 orange_ne=44
    orange_gn=45 orange_cm=46 orange_mg=47 orange_cd=48 zamtel_zm=60 mtn_gh=80 mtn_ci=81 mtn_zm=82
    mtn_cm=83 mtn_bj=84 mtn_cg=85 mtn_sz=86 mtn_gn=87 mtn_za=88 mtn_lr=89 mtn_rw=90 mtn_ss=91
    mtn_ng=92
"""


async def test_no_operator_has_another_code_than_ever() -> None:
    """It is in the numbers of its accounts and in every attempt. A new operator gets one nobody
    has had."""
    ports = all_ports()
    for port in ports:
        await port.aclose()
    told = sorted((port.facts.code, port.facts.name) for port in ports)
    assert [f"{name}={code}" for code, name in told] == CODES.split()


DOCUMENTED = {"mpesa", "mtn-momo", "airtel-money", "orange-money", "zamtel"}
"""A company more is a word more; paths below it: `tests/integration/test_webhooks.py`."""
FORBIDDEN = ("mpesa", "m-pesa", "safaricom", "exe", "cmd", "sql", "query")


async def test_every_operator_may_call_back_by_the_word_businesses_know() -> None:
    given = {}
    for port in all_ports():
        known = f"{port.facts.name}: one of {port.facts.webhooks} must be in DOCUMENTED"
        assert len(DOCUMENTED & {*port.facts.webhooks}) == 1, known
        given[port.facts.name] = port.facts.webhooks[0]
        await port.aclose()
    assert len(given) > 30
    # Reference mpesa.md, section 11: it is not given what it refuses.
    assert not [word for word in FORBIDDEN if word in given["mpesa_ke"]]


async def test_what_an_operator_is_called_in_its_addresses_is_a_setting() -> None:
    variables = {**ENVIRONMENT, "CAPP_MTN_UG_WEBHOOK": "momo-1"}
    built = build_operators(variables, clock=Clock(), names=HOME)
    assert built["mtn_ug"].facts.webhooks == ("momo-1", "mtn-momo")
    assert built["mpesa_ke"].facts.webhooks == ("daraja", "mpesa")
    for port in built.values():
        await port.aclose()


@pytest.mark.parametrize("word", ["a/b", "Momo", "-", "a b", "mömö", "a--b"])
def test_a_word_that_is_none_of_an_address_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="CAPP_MTN_UG_WEBHOOK"):
        build_operators(
            {**ENVIRONMENT, "CAPP_MTN_UG_WEBHOOK": word}, clock=Clock(), names=["mtn_ug"]
        )
