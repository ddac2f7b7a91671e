"""Orange Money's four APIs: what is sent, and what recorded answers and callbacks mean."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from engine.clock import AttemptId, Clock, Ids
from engine.errors import OutcomeUnknown, Rejected, Unreachable, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    FORGED,
    Accepted,
    CallbackTrust,
    FixedAddressPort,
    Outcome,
    Reason,
    SignedCallbackPort,
    callback_at,
)
from providers.environment import MissingSettings
from providers.orange_money import MARKETS, Api, B2b, Core, EWallet, WebPayment
from providers.orange_money.markets import facts_of, international, national
from providers.orange_money.references import (
    attempt_of,
    reference_of,
    short_reference_of,
    transaction_id_of,
)
from providers.orange_money.signature import is_signed
from providers.registry import OPERATORS, build_operators
from tests.providers import orange_subjects as orange
from tests.providers.company import CLOSES, SILENCE, Answer, Company
from tests.providers.conftest import NOON, HandClock
from tests.providers.orange_subjects import (
    CD,
    CI,
    CM,
    COLLECT,
    DISBURSE,
    PAY_TOKEN,
    REFERENCE,
    REFUND,
    SHORT_REFERENCE,
    SN,
    TRANSACTION_ID,
)
from tests.providers.subjects import (
    ATTEMPT,
    CALLBACK_URL,
    CODE,
    certificate_pem,
    safaricom_key,
)

NOWHERE = "http://127.0.0.1:1"


def web(url: str = NOWHERE, clock: Clock | None = None, **changes: Any) -> WebPayment:
    return WebPayment(CI, orange.web_settings(url, **changes), clock=clock or HandClock())


def core(url: str = NOWHERE, **changes: Any) -> Core:
    return Core(CM, orange.core_settings(url, **changes), clock=HandClock())


def wallet(url: str = NOWHERE, **changes: Any) -> EWallet:
    return EWallet(SN, orange.wallet_settings(url, **changes), clock=HandClock())


def b2b(url: str = NOWHERE, **changes: Any) -> B2b:
    return B2b(CD, orange.b2b_settings(url, **changes), clock=HandClock())


@asynccontextmanager
async def closing(adapter: Any) -> AsyncIterator[Any]:
    try:
        yield adapter
    finally:
        await adapter.aclose()


# Countries and contracts.


def test_every_country_says_by_which_api_it_is_served() -> None:
    served = {market.country: market.api for market in MARKETS.values()}
    assert served == {
        **dict.fromkeys(("CI", "ML", "BF", "NE", "GN", "MG"), Api.WEB_PAYMENT),
        "SN": Api.WALLET,
        "CM": Api.CORE,
        "CD": Api.B2B,
    }
    assert set(MARKETS) <= set(OPERATORS)


def test_codes_of_operators_are_in_the_range_that_is_oranges() -> None:
    codes = [market.code for market in MARKETS.values()]
    assert len(set(codes)) == len(codes)
    assert all(40 <= code < 60 for code in codes)


BASE = {"BASE_URL": NOWHERE, "CLIENT_ID": "id", "CLIENT_SECRET": "secret-1"}
WEB = {**BASE, "MERCHANT_KEY": "secret-2", "MERCHANT_NAME": "CAPP", "RETURN_URL": "https://x.org"}
CORE = {
    "BASE_URL": NOWHERE, "CONSUMER_KEY": "key", "CONSUMER_SECRET": "secret-3", "API_USER": "u",
    "API_PASSWORD": "secret-4", "CHANNEL_MSISDN": "690000000", "PIN": "secret-5",
}  # fmt: skip
WALLET = {
    **BASE, "MERCHANT_CODE": "123456", "MERCHANT_NAME": "CAPP", "AGENT_MSISDN": "770000000",
    "PIN": "secret-6",
}  # fmt: skip
NEEDED: Mapping[Api, Mapping[str, str]] = {
    Api.WEB_PAYMENT: WEB,
    Api.CORE: CORE,
    Api.WALLET: WALLET,
    Api.B2B: {**BASE, "POS_ID": "POS0001"},
}


def environment(country: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"CAPP_ORANGE_{country}_{name}": value for name, value in values.items()}


def build(country: str, values: Mapping[str, str]) -> Any:
    name = f"orange_{country.lower()}"
    built = build_operators(environment(country, values), clock=HandClock(), names=[name])
    return built[name]


@pytest.mark.parametrize("market", MARKETS.values(), ids=lambda market: market.name)
async def test_country_is_built_from_its_own_variables(market: Any) -> None:
    needed = NEEDED[market.api]
    adapter = build(market.country, needed)
    assert adapter.facts.name == market.name
    assert adapter.facts.currency == market.currency
    with pytest.raises(MissingSettings) as caught:
        build(market.country, {})
    assert set(caught.value.names) == set(environment(market.country, needed))


def test_another_api_may_serve_a_country_by_contract() -> None:
    adapter = build("CM", {**WEB, "API": "web_payment"})
    assert isinstance(adapter, WebPayment)
    assert (adapter.facts.name, adapter.facts.currency) == ("orange_cm", "XAF")


SENSELESS = [
    ("CI", WEB, "API", "soap"),
    ("CI", WEB, "LANGUAGE", "sw"),
    ("CI", WEB, "MERCHANT_NAME", "x" * 31),
    ("CI", WEB, "RETURN_URL", "https://" + "x" * 120),
    ("CI", WEB, "BASE_URL", "orange"),
    ("CI", WEB, "CLOSE_AFTER_SECONDS", "599"),
    ("CI", WEB, "CLOSE_AFTER_SECONDS", "0"),
    ("CM", CORE, "CHANNEL_MSISDN", "237690000000"),
    ("CM", CORE, "CHANNEL_MSISDN", "69000000x"),
    ("CM", CORE, "CHANNEL_MSISDN", "٦٩٠٠٠٠٠٠٠"),
    ("CM", CORE, "CA_FILE", "/no/such/file.pem"),
    ("SN", WALLET, "MERCHANT_CODE", "12345"),
    ("SN", WALLET, "MERCHANT_CODE", "12345x"),
    ("SN", WALLET, "AGENT_MSISDN", "٧٧٠٠٠٠٠٠٠"),
    ("SN", WALLET, "LINK_SECONDS", "86401"),
    ("SN", WALLET, "LINK_SECONDS", "0"),
    ("CD", NEEDED[Api.B2B], "CASHIN_SERVICE", "../cashin"),
    ("CD", NEEDED[Api.B2B], "CURRENCY", "XOF"),
]


@pytest.mark.parametrize(("country", "values", "name", "value"), SENSELESS)
def test_senseless_setting_is_refused_at_the_start_without_showing_a_secret(
    country: str, values: Mapping[str, str], name: str, value: str
) -> None:
    with pytest.raises(ValueError) as caught:
        build(country, {**values, name: value})
    assert "secret" not in str(caught.value)


async def test_a_country_of_pages_collects_only_where_somebody_brings_the_link() -> None:
    facts = build("CI", WEB).facts
    assert (facts.can_collect, facts.can_disburse, facts.can_refund) == (False, False, False)
    facts = build("CI", {**WEB, "BY_LINK": "1"}).facts
    assert (facts.can_collect, facts.can_disburse, facts.can_refund) == (True, False, False)
    assert facts.collects_by_link


async def test_senegal_pays_out_and_collects_only_where_somebody_brings_the_link() -> None:
    facts = build("SN", WALLET).facts
    assert (facts.can_collect, facts.can_disburse, facts.can_refund) == (False, True, True)
    facts = build("SN", {**WALLET, "BY_LINK": "1"}).facts
    assert facts.can_collect and facts.collects_by_link
    for seconds in ("1", "86400"):
        assert build("SN", {**WALLET, "LINK_SECONDS": seconds}).facts.name == "orange_sn"


async def test_congo_without_permission_pays_nobody_out_and_serves_dollars() -> None:
    needed = NEEDED[Api.B2B]
    facts = build("CD", {**needed, "CASHIN_SERVICE": "none", "CURRENCY": "USD"}).facts
    assert (facts.can_collect, facts.can_disburse, facts.can_refund) == (True, False, False)
    assert (facts.currency, facts.collect_minor_max) == ("USD", 200_000)


def test_callback_is_signed_only_where_a_secret_was_agreed_upon() -> None:
    assert wallet().facts.callback is CallbackTrust.SIGNED
    assert wallet(signing_secret="").facts.callback is CallbackTrust.UNSIGNED
    assert wallet().facts.confirm_callback_above_minor == 0


@pytest.mark.parametrize("country", ["CM", "SN", "CD"])
def test_callbacks_are_always_asked_about_unless_a_setting_says_otherwise(country: str) -> None:
    needed = NEEDED[MARKETS[f"orange_{country.lower()}"].api]
    assert build(country, needed).facts.confirm_callback_above_minor == 0
    facts = build(country, {**needed, "CONFIRM_ABOVE_MINOR": "5000"}).facts
    assert facts.confirm_callback_above_minor == 5000


def test_numbers_lose_their_country_and_get_it_back() -> None:
    for market, msisdn, local in (
        (CI, orange.IVORIAN, "0712345699"),
        (SN, orange.SENEGALESE, "771234567"),
        (CM, orange.CAMEROONIAN, "690123456"),
        (CD, orange.CONGOLESE, "840123456"),
        (MARKETS["orange_bf"], Msisdn("+22674000001"), "74000001"),
    ):
        assert national(market, msisdn) == local
        assert international(market, local) == msisdn
        assert international(market, msisdn.digits) == msisdn
        assert international(market, str(msisdn)) == msisdn
    for senseless in ("", "7", "69*****56", "12345678901234567", "٠٧١٢٠٠٠٠٠١"):
        assert international(CM, senseless) is None


def test_references_are_the_same_after_every_restart_and_short_enough() -> None:
    assert reference_of(ATTEMPT) == REFERENCE
    assert short_reference_of(ATTEMPT) == SHORT_REFERENCE
    assert transaction_id_of(ATTEMPT) == TRANSACTION_ID
    assert (len(REFERENCE) <= 30, len(SHORT_REFERENCE) <= 20) == (True, True)


def test_references_of_different_attempts_differ_and_lead_back() -> None:
    attempts = [Ids(Clock()).attempt() for _ in range(500)]
    for made in (reference_of, short_reference_of, transaction_id_of):
        assert len({made(attempt) for attempt in attempts}) == len(attempts)
    assert [attempt_of(transaction_id_of(attempt)) for attempt in attempts] == attempts


@pytest.mark.parametrize(
    "text", ["", "x", TRANSACTION_ID.upper(), ATTEMPT, "{" + TRANSACTION_ID + "}"]
)
def test_transaction_id_that_is_not_ours_to_the_letter_is_nobodys(text: str) -> None:
    assert attempt_of(text) is None


# Web Payment.


async def test_page_is_ordered_as_the_reference_records_it(company: Company) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_PATH, orange.PAGE_MADE)
    async with closing(web(company.url)) as adapter:
        accepted = await adapter.collect(orange.ivorian_order(COLLECT))
    assert accepted.provider_reference == orange.PAGE_TOKEN
    assert accepted.pay_link == orange.PAGE
    assert orange.PAGE not in repr(accepted)
    (token,) = company.received("/oauth/v3/token")
    assert token.body == b"grant_type=client_credentials"
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    pair = base64.b64encode(b"orange-client-x18:orange-secret-x19").decode()
    assert token.headers["authorization"] == f"Basic {pair}"
    (sent,) = company.received(orange.WEB_PATH)
    assert sent.json == {
        "merchant_key": "orange-merchant-x20",
        "currency": "XOF",
        "order_id": REFERENCE,
        "amount": 1200,
        "return_url": "https://pay.example.org/thanks",
        "cancel_url": "https://pay.example.org/thanks",
        "notif_url": callback_at(CALLBACK_URL, "callback"),
        "lang": "fr",
        "reference": "CAPP",
    }


async def test_page_of_the_sandbox_is_paid_in_its_own_currency(company: Company) -> None:
    orange.WEB.script_tokens(company)
    path = "/orange-money-webpay/dev/v1/webpayment"
    company.on(path, orange.PAGE_MADE)
    async with closing(web(company.url, country="dev", currency="OUV")) as adapter:
        await adapter.collect(orange.ivorian_order(COLLECT))
    assert company.received(path)[0].json["currency"] == "OUV"


async def test_callback_address_that_is_too_long_is_refused_before_anything_is_sent(
    company: Company,
) -> None:
    long = f"https://pay.example.org/cb/{'f' * 100}"
    async with closing(web(company.url)) as adapter:
        with pytest.raises(Rejected) as caught:
            await adapter.collect(orange.ivorian_order(COLLECT, callback_url=long))
    assert (caught.value.code, company.requests) == ("notif_url", [])


@pytest.mark.parametrize(
    "link", [None, "", "javascript:alert(1)", "https://x/\n", "https://" + "x" * 600]
)
async def test_page_without_an_address_to_show_is_no_acceptance(
    company: Company, link: str | None
) -> None:
    orange.WEB.script_tokens(company)
    message = {**orange.PAGE_MADE.message, "payment_url": link}
    company.on(orange.WEB_PATH, Answer(201, message=message))
    async with closing(web(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown) as caught:
            await adapter.collect(orange.ivorian_order(COLLECT))
    assert caught.value.provider_reference == orange.PAGE_TOKEN  # it can be asked about


@pytest.mark.parametrize("token", [None, "", 5, "x" * 257, "ü", "a\n"])
async def test_page_without_a_token_is_no_acceptance(company: Company, token: Any) -> None:
    orange.WEB.script_tokens(company)
    message = {**orange.PAGE_MADE.message, "pay_token": token}
    company.on(orange.WEB_PATH, Answer(201, message=message))
    async with closing(web(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.collect(orange.ivorian_order(COLLECT))


async def test_reused_order_id_proves_nothing(company: Company) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_PATH, Answer(403, message={"code": 50, "message": "used"}))
    async with closing(web(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.collect(orange.ivorian_order(COLLECT))


async def test_path_nobody_serves_is_our_configuration(company: Company) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_PATH, Answer(404, message={"code": 60, "message": "Resource not found"}))
    async with closing(web(company.url)) as adapter:
        with pytest.raises(Rejected) as caught:
            await adapter.collect(orange.ivorian_order(COLLECT))
    assert (caught.value.code, caught.value.reason) == ("60", Reason.CONFIGURATION)


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_web_payment_never_sends_a_payout(company: Company, direction: Any) -> None:
    async with closing(web(company.url)) as adapter:
        pay = adapter.disburse if direction is DISBURSE else adapter.refund
        with pytest.raises(Rejected) as caught:
            await pay(orange.ivorian_order(direction))
    assert (caught.value.code, caught.value.reason) == ("not_offered", Reason.CONFIGURATION)
    assert company.requests == []


WEB_STATES = [
    ("INITIATED", Outcome.PENDING, None),
    ("PENDING", Outcome.PENDING, None),
    ("SUCCESS", Outcome.SUCCEEDED, None),
    ("FAILED", Outcome.FAILED, Reason.OTHER),
    ("EXPIRED", Outcome.FAILED, Reason.NOT_REACHED),
    ("success", Outcome.PENDING, None),
    ("CANCELLED", Outcome.PENDING, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), WEB_STATES)
async def test_states_of_a_page(
    company: Company, status: str, outcome: Outcome, reason: Reason | None
) -> None:
    orange.WEB.script_tokens(company)
    message = {"status": status, "order_id": REFERENCE, "txnid": None}
    company.on(orange.WEB_STATUS_PATH, Answer(201, message=message))
    asked = orange.ivorian_order(COLLECT, provider_reference=orange.PAGE_TOKEN)
    async with closing(web(company.url, AgedClock(60))) as adapter:
        found = await adapter.query(asked)
    assert (found.outcome, found.reason, found.code) == (outcome, reason, status)
    (sent,) = company.received(orange.WEB_STATUS_PATH)
    assert sent.json == {
        "order_id": REFERENCE, "amount": 1200, "pay_token": orange.PAGE_TOKEN,
    }  # fmt: skip


class AgedClock(HandClock):
    """So many seconds after the attempt was made."""

    def __init__(self, age: float) -> None:
        super().__init__(int(ATTEMPT[:12], 16) / 1000 + age)


@pytest.mark.parametrize(
    ("age", "outcome"), [(1799, Outcome.PENDING), (1801, Outcome.FAILED), (9e5, Outcome.FAILED)]
)
@pytest.mark.parametrize("status", ["INITIATED", "PENDING"])
async def test_page_nobody_began_to_pay_is_closed_by_us_and_no_other(
    company: Company, age: float, outcome: Outcome, status: str
) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_STATUS_PATH, Answer(201, message={"status": status}))
    asked = orange.ivorian_order(COLLECT, provider_reference=orange.PAGE_TOKEN)
    async with closing(web(company.url, AgedClock(age))) as adapter:
        found = await adapter.query(asked)
    assert found.outcome is (outcome if status == "INITIATED" else Outcome.PENDING)


async def test_page_whose_answer_was_lost_cannot_be_asked_about(company: Company) -> None:
    async with closing(web(company.url)) as adapter:
        found = await adapter.query(orange.ivorian_order(COLLECT))
    assert (found.outcome, company.requests) == (Outcome.PENDING, [])


async def test_answer_about_another_page_is_no_evidence(company: Company) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_STATUS_PATH, Answer(201, message={"status": "SUCCESS", "order_id": "x"}))
    async with closing(web(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.query(orange.ivorian_order(COLLECT, provider_reference="x"))


async def test_page_can_be_asked_about_after_links_were_given_up(company: Company) -> None:
    orange.WEB.script_tokens(company)
    company.on(orange.WEB_STATUS_PATH, orange.PAGE_PAID)
    asked = orange.ivorian_order(COLLECT, provider_reference=orange.PAGE_TOKEN)
    async with closing(web(company.url, by_link=False)) as adapter:
        assert (await adapter.query(asked)).outcome is Outcome.SUCCEEDED
        with pytest.raises(Rejected):
            await adapter.collect(orange.ivorian_order(COLLECT))
    assert company.received(orange.WEB_PATH) == []


def test_recorded_notification_of_a_page() -> None:
    body = b'{"status":"SUCCESS","notif_token":"demoNotifToken32","txnid":"MP260101.1341.A00001"}'
    callback = web().read_callback("callback", body)
    assert callback.finding.outcome is Outcome.SUCCEEDED
    assert callback.finding.receipt == "MP260101.1341.A00001"
    assert not callback.answers_query
    assert "demoNotifToken32" not in callback.redacted
    assert web().facts.confirm_callback_above_minor == 0  # it is always asked about


# Cameroon's core API.


async def test_prompt_is_ordered_as_the_reference_records_it(company: Company) -> None:
    orange.CORE.script_tokens(company)
    company.on(f"{orange.CORE_PATH}/mp/pay", orange.core_answer())
    async with closing(core(company.url)) as adapter:
        accepted = await adapter.collect(orange.cameroonian_order(COLLECT))
    assert accepted == Accepted(provider_reference=PAY_TOKEN)
    (init,) = company.received(f"{orange.CORE_PATH}/mp/init")
    (pay,) = company.received(f"{orange.CORE_PATH}/mp/pay")
    both = base64.b64encode(b"orange-user-x21:orange-password-x22").decode()
    assert [each.headers["x-auth-token"] for each in (init, pay)] == [both, both]
    assert (init.method, init.body) == ("POST", b"")
    assert pay.json == {
        "notifUrl": callback_at(CALLBACK_URL, "callback"),
        "channelUserMsisdn": "690000000",
        "amount": "100",
        "subscriberMsisdn": "690123456",
        "pin": "orange-pin-x23",
        "orderId": SHORT_REFERENCE,
        "description": f"Payment {CODE}",
        "payToken": PAY_TOKEN,
    }


@pytest.mark.parametrize(
    "reaction",
    [
        SILENCE,
        CLOSES,
        Answer(500),
        Answer(417),
        orange.core_answer(417, status="PENDING"),
        orange.core_answer(417, inittxnstatus="60019", status="SUCCESSFULL"),
        orange.core_answer(417, inittxnstatus="200", status="FAILED"),  # its first half was well
        orange.core_answer(500, inittxnstatus="60019", status="FAILED"),  # 417 alone refuses
        orange.core_answer(200, status="SUCCESSFULL", amount="a lot"),
        Answer(500, message={"fault": {"code": 900901, "message": "after the door"}}),
    ],
)
async def test_token_outlives_the_lost_answer_of_a_payment(company: Company, reaction: Any) -> None:
    orange.CORE.script_tokens(company)
    company.on(f"{orange.CORE_PATH}/cashin/pay", reaction)
    async with closing(core(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown) as caught:
            await adapter.disburse(orange.cameroonian_order(DISBURSE))
    assert caught.value.provider_reference == PAY_TOKEN
    assert len(company.received(f"{orange.CORE_PATH}/cashin/pay")) == 1


@pytest.mark.parametrize(
    "reaction",
    [SILENCE, CLOSES, Answer(500), Answer(200), Answer(200, message={"data": {"payToken": "a/b"}})],
)
async def test_payment_that_was_never_prepared_was_never_ordered(
    company: Company, reaction: Any
) -> None:
    orange.CORE.script_tokens(company)
    company.on(f"{orange.CORE_PATH}/mp/init", reaction)
    async with closing(core(company.url)) as adapter:
        with pytest.raises(Unreachable):
            await adapter.collect(orange.cameroonian_order(COLLECT))
    assert company.received(f"{orange.CORE_PATH}/mp/pay") == []


@pytest.mark.parametrize(
    ("code", "direction", "reason"),
    [
        ("60019", COLLECT, Reason.INSUFFICIENT_FUNDS),
        ("60019", DISBURSE, Reason.CONFIGURATION),
        ("60019", REFUND, Reason.CONFIGURATION),
        ("00017", COLLECT, Reason.OTHER),
    ],
)
async def test_refused_payment_of_cameroon(
    company: Company, code: str, direction: Any, reason: Reason
) -> None:
    orange.CORE.script_tokens(company)
    text = "Le solde du compte du payeur est insuffisant"
    refused = orange.core_answer(417, inittxnstatus=code, inittxnmessage=text, status="FAILED")
    for product in ("mp", "cashin"):
        company.on(f"{orange.CORE_PATH}/{product}/pay", refused)
    async with closing(core(company.url)) as adapter:
        call = {COLLECT: adapter.collect, DISBURSE: adapter.disburse, REFUND: adapter.refund}
        with pytest.raises(Rejected) as caught:
            await call[direction](orange.cameroonian_order(direction))
    assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_fault_of_the_gateway_in_cameroon_is_our_configuration(company: Company) -> None:
    orange.CORE.script_tokens(company)
    fault = {"fault": {"code": 900908, "message": "Resource forbidden"}}
    company.on(f"{orange.CORE_PATH}/mp/pay", Answer(403, message=fault))
    async with closing(core(company.url)) as adapter:
        with pytest.raises(Rejected) as caught:
            await adapter.collect(orange.cameroonian_order(COLLECT))
    assert (caught.value.code, caught.value.reason) == ("900908", Reason.CONFIGURATION)


CORE_STATES = [
    ("PENDING", Outcome.PENDING, None),
    ("SUCCESSFULL", Outcome.SUCCEEDED, None),
    ("SUCCESSFUL", Outcome.SUCCEEDED, None),
    ("SUCCESS", Outcome.SUCCEEDED, None),
    ("FAILED", Outcome.FAILED, Reason.OTHER),
    ("CANCELLED", Outcome.FAILED, Reason.DECLINED),
    ("EXPIRED", Outcome.FAILED, Reason.NOT_REACHED),
    ("EN_COURS", Outcome.PENDING, None),
    ("Failed", Outcome.PENDING, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), CORE_STATES)
async def test_states_of_a_payment_in_cameroon(
    company: Company, status: str, outcome: Outcome, reason: Reason | None
) -> None:
    orange.CORE.script_tokens(company)
    company.on(
        f"{orange.CORE_PATH}/mp/paymentstatus/{PAY_TOKEN}", orange.core_answer(status=status)
    )
    asked = orange.cameroonian_order(COLLECT, provider_reference=PAY_TOKEN)
    async with closing(core(company.url)) as adapter:
        found = await adapter.query(asked)
        told = adapter.read_callback(
            "callback",
            msgspec.json.encode({"payToken": PAY_TOKEN, "status": status, "message": "x"}),
        ).finding
    assert (found.outcome, found.reason, found.code) == (outcome, reason, status)
    assert (found.amount, found.msisdn) == (Money(100, "XAF"), orange.CAMEROONIAN)
    assert (told.outcome, told.reason, told.provider_reference) == (outcome, reason, PAY_TOKEN)


@pytest.mark.parametrize(
    ("status", "outcome"), [("SUCCESSFULL", Outcome.SUCCEEDED), ("FAILED", Outcome.FAILED)]
)
async def test_payout_that_is_over_at_once_says_so(
    company: Company, status: str, outcome: Outcome
) -> None:
    orange.CORE.script_tokens(company)
    company.on(f"{orange.CORE_PATH}/cashin/pay", orange.core_answer(status=status))
    async with closing(core(company.url)) as adapter:
        accepted = await adapter.disburse(orange.cameroonian_order(DISBURSE))
    assert accepted.finding is not None
    assert accepted.finding.outcome is outcome


async def test_question_about_cameroon_needs_the_token_and_its_own_answer(company: Company) -> None:
    orange.CORE.script_tokens(company)
    path = f"{orange.CORE_PATH}/mp/paymentstatus/{PAY_TOKEN}"
    company.on(
        path,
        orange.core_answer(payToken="ANOTHER", status="SUCCESSFULL"),
        orange.core_answer(payToken=None, status="SUCCESSFULL"),
    )
    async with closing(core(company.url)) as adapter:
        nothing = await adapter.query(orange.cameroonian_order(COLLECT))
        assert (nothing.outcome, company.requests) == (Outcome.PENDING, [])
        for reference in (PAY_TOKEN, "../mp/pay", "a b", "a" * 65):
            with pytest.raises(OutcomeUnknown):
                await adapter.query(orange.cameroonian_order(COLLECT, provider_reference=reference))
        unnamed = await adapter.query(
            orange.cameroonian_order(COLLECT, provider_reference=PAY_TOKEN)
        )
    assert unnamed.outcome is Outcome.SUCCEEDED  # it names none, so it is that of the question
    assert {each.path for each in company.requests} == {"/token", path}


def test_missing_certificates_of_a_chain_can_be_given(tmp_path: Path) -> None:
    file = tmp_path / "orange.pem"
    file.write_bytes(certificate_pem())
    assert core("https://127.0.0.1:1", ca_file=str(file)).facts.name == "orange_cm"
    with pytest.raises(ValueError, match="certificates"):
        core("https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))


# B2B.


async def test_cash_out_is_ordered_as_the_reference_records_it(company: Company) -> None:
    orange.BUSINESS.script_tokens(company)
    company.on(f"{orange.B2B_PATH}/cashout", orange.b2b_answer())
    async with closing(b2b(company.url)) as adapter:
        assert await adapter.collect(orange.congolese_order(COLLECT)) == Accepted()
    (sent,) = company.received(f"{orange.B2B_PATH}/cashout")
    assert sent.json == {
        "peerId": "840123456",
        "peerIdType": "msisdn",
        "amount": 1000,
        "currency": "CDF",
        "posId": "POS0001",
        "transactionId": TRANSACTION_ID,
    }


async def test_service_of_payouts_goes_by_the_name_that_is_set(company: Company) -> None:
    orange.BUSINESS.script_tokens(company)
    company.on(f"{orange.B2B_PATH}/omdcashin", orange.b2b_answer())
    async with closing(b2b(company.url, cashin_service="omdcashin")) as adapter:
        await adapter.disburse(orange.congolese_order(DISBURSE))
    async with closing(b2b(company.url, cashin_service="")) as adapter:
        for pay in (adapter.disburse, adapter.refund):
            with pytest.raises(Rejected) as caught:
                await pay(orange.congolese_order(DISBURSE))
            assert caught.value.code == "not_offered"
    assert len(company.received(f"{orange.B2B_PATH}/omdcashin")) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"transactionId": TRANSACTION_ID, "reference": "MP1"},
        {"status": "FAILED", "message": "new", "transactionData": {}},
        {"status": 500, "transactionData": {"status": "PENDING"}},
    ],
)
async def test_a_202_that_does_not_say_it_is_under_way_is_asked_about(
    company: Company, message: dict[str, Any]
) -> None:
    orange.BUSINESS.script_tokens(company)
    company.on(f"{orange.B2B_PATH}/cashin", Answer(202, message=message))
    async with closing(b2b(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.disburse(orange.congolese_order(DISBURSE))
    assert len(company.received(f"{orange.B2B_PATH}/cashin")) == 1


async def test_a_flat_202_is_an_acceptance_as_well(company: Company) -> None:
    orange.BUSINESS.script_tokens(company)
    flat = {"transactionId": TRANSACTION_ID, "status": "PENDING", "reference": "MP1"}
    company.on(f"{orange.B2B_PATH}/cashin", Answer(202, message=flat))
    async with closing(b2b(company.url)) as adapter:
        assert await adapter.disburse(orange.congolese_order(DISBURSE)) == Accepted()


async def test_fraction_of_a_franc_is_refused_before_anything_is_sent(company: Company) -> None:
    async with closing(b2b(company.url)) as adapter:
        with pytest.raises(Rejected):
            await adapter.collect(orange.congolese_order(COLLECT, money=Money(100_050, "CDF")))
    assert company.requests == []


B2B_STATES = [
    ("PENDING", Outcome.PENDING, None),
    ("SUCCESS", Outcome.SUCCEEDED, None),
    ("FAILED", Outcome.FAILED, Reason.OTHER),
    ("SUCCESSFULL", Outcome.PENDING, None),
    ("CANCELLED", Outcome.PENDING, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), B2B_STATES)
@pytest.mark.parametrize("flat", [False, True])
async def test_states_of_a_transaction_in_either_profile(
    company: Company, status: str, outcome: Outcome, reason: Reason | None, flat: bool
) -> None:
    orange.BUSINESS.script_tokens(company)
    answer = orange.b2b_answer(200, status)
    if flat:
        told = {"transactionId": TRANSACTION_ID, "status": status, "reference": "MP1"}
        answer = Answer(200, message=told)
    company.on(f"{orange.B2B_PATH}/{TRANSACTION_ID}", answer)
    async with closing(b2b(company.url)) as adapter:
        found = await adapter.query(orange.congolese_order(COLLECT))
    assert (found.outcome, found.reason, found.code) == (outcome, reason, status)
    assert found.receipt == ("MP1" if flat else "MP260101.1349.A00001")
    if not flat:
        assert (found.amount, found.msisdn) == (Money(100_000, "CDF"), orange.CONGOLESE)


async def test_transaction_nobody_knows_is_not_found_and_another_ones_answer_is_none(
    company: Company,
) -> None:
    orange.BUSINESS.script_tokens(company)
    path = f"{orange.B2B_PATH}/{TRANSACTION_ID}"
    unknown = Answer(404, message={"code": 60, "message": "Resource not found"})
    # A server that broke knows nobody either, and that proves nothing.
    others = [Answer(status, message=unknown.message) for status in (400, 500)]
    another = orange.b2b_answer(200, "SUCCESS", transactionId="another")
    company.on(path, unknown, *others, another)
    async with closing(b2b(company.url)) as adapter:
        found = await adapter.query(orange.congolese_order(COLLECT))
        assert found.outcome is Outcome.NOT_FOUND
        for _ in (*others, another):
            with pytest.raises(OutcomeUnknown):
                await adapter.query(orange.congolese_order(COLLECT))


B2B_CALLBACK = (
    b'{"transactionId":"0193488c-2d7a-7c3e-9f01-12233445566a","status":"SUCCESS",'
    b'"peerId":"840123456","peerIdType":"msisdn","amount":1000,"currency":"CDF",'
    b'"reference":"MP260101.1349.A00001"}'
)
AGREED = {"authorization": "Basic orange-callback-x26"}


def test_recorded_callback_on_the_one_address_says_which_attempt_it_means() -> None:
    adapter = b2b()
    assert isinstance(adapter, FixedAddressPort)
    attempt_id, callback = adapter.read_fixed_callback(B2B_CALLBACK, AGREED)
    assert attempt_id == ATTEMPT
    found = callback.finding
    assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, Money(100_000, "CDF"))
    assert (found.msisdn, found.receipt) == (orange.CONGOLESE, "MP260101.1349.A00001")
    assert "840123456" not in callback.redacted
    assert callback == adapter.read_callback("callback", B2B_CALLBACK)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ""}, {"authorization": "Basic x"}, {"authorization": "Bäsic ü"}],
)
def test_callback_without_the_value_agreed_upon_is_forged(headers: dict[str, str]) -> None:
    with pytest.raises(Unreadable) as caught:
        b2b().read_fixed_callback(B2B_CALLBACK, headers)
    assert caught.value.code == FORGED


def test_callback_where_nothing_was_agreed_upon_is_never_believed() -> None:
    for headers in ({}, {"authorization": ""}, AGREED):
        with pytest.raises(Unreadable):
            b2b(callback_authorization="").read_fixed_callback(B2B_CALLBACK, headers)


def test_callback_about_no_transaction_of_ours_is_unreadable() -> None:
    body = B2B_CALLBACK.replace(TRANSACTION_ID.encode(), b"0b1c2d3e")
    with pytest.raises(Unreadable):
        b2b().read_fixed_callback(body, AGREED)


# Sonatel's eWallet.


async def test_link_is_ordered_as_the_reference_records_it(company: Company) -> None:
    orange.WALLET.script_tokens(company)
    company.on(orange.LINK_PATH, orange.LINK_MADE)
    async with closing(wallet(company.url, return_url="https://x.org")) as adapter:
        accepted = await adapter.collect(orange.senegalese_order(COLLECT))
    assert accepted == Accepted(pay_link=orange.LINK)
    (token,) = company.received("/oauth/v1/token")
    assert token.body == (
        b"grant_type=client_credentials&client_id=orange-client-x18&client_secret=orange-secret-x19"
    )
    assert "authorization" not in token.headers
    (sent,) = company.received(orange.LINK_PATH)
    assert sent.headers["x-callback-url"] == callback_at(CALLBACK_URL, "callback")
    assert sent.headers["x-api-key"] == orange.API_KEY
    assert sent.json == {
        "code": "123456",
        "name": "CAPP",
        "amount": {"value": 500, "unit": "XOF"},
        "validity": 600,
        "reference": REFERENCE,
        "metadata": {},
        "callbackSuccessUrl": "https://x.org",
        "callbackCancelUrl": "https://x.org",
        "restrictions": {"isSingleUse": True},
    }


async def test_link_may_be_the_long_one_and_needs_no_proof_to_come_back_with(
    company: Company,
) -> None:
    orange.WALLET.script_tokens(company)
    message = {**orange.LINK_MADE.message, "shortLink": None}
    company.on(orange.LINK_PATH, Answer(200, message=message), Answer(201, message=message))
    async with closing(wallet(company.url, api_key="")) as adapter:
        for _ in range(2):
            accepted = await adapter.collect(orange.senegalese_order(COLLECT))
            assert accepted == Accepted(pay_link="https://om.example/d/abc")
    assert "x-api-key" not in company.received(orange.LINK_PATH)[0].headers


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_payout_carries_the_sealed_pin(company: Company, direction: Any) -> None:
    orange.WALLET.script_tokens(company)
    path = f"{orange.WALLET_PATH}/cashins"
    company.on(path, orange.CASHED_IN)
    async with closing(wallet(company.url)) as adapter:
        pay = adapter.disburse if direction is DISBURSE else adapter.refund
        accepted = await pay(orange.senegalese_order(direction))
        await pay(orange.senegalese_order(direction))
    assert accepted.provider_reference == "CI260101.1029.C00001"
    assert accepted.finding is not None
    assert accepted.finding.outcome is Outcome.SUCCEEDED
    message = company.received(path)[0].json
    sealed = base64.b64decode(message["partner"].pop("encryptedPinCode"))
    assert safaricom_key().decrypt(sealed, PKCS1v15()) == b"orange-pin-x23"
    assert message == {
        "partner": {"idType": "MSISDN", "id": "770000000"},
        "customer": {"idType": "MSISDN", "id": "771234567"},
        "amount": {"value": 500, "unit": "XOF"},
        "reference": REFERENCE,
        "receiveNotification": True,
    }
    assert len(company.received(orange.KEY_PATH)) == 1


@pytest.mark.parametrize("amount", [{"value": "x", "unit": "XOF"}, {"value": 1, "unit": "XXX"}])
async def test_payout_whose_answer_cannot_be_read_is_asked_about_by_its_id(
    company: Company, amount: Any
) -> None:
    orange.WALLET.script_tokens(company)
    message = {**orange.CASHED_IN.message, "amount": amount}
    company.on(f"{orange.WALLET_PATH}/cashins", Answer(200, message=message))
    async with closing(wallet(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown) as caught:
            await adapter.disburse(orange.senegalese_order(DISBURSE))
    assert caught.value.provider_reference == "CI260101.1029.C00001"


async def test_revoked_key_is_fetched_anew_and_the_payout_sent_once_more(company: Company) -> None:
    orange.WALLET.script_tokens(company)
    path = f"{orange.WALLET_PATH}/cashins"
    revoked = Answer(400, message={"code": "4003", "title": "Key revoked"})
    company.on(path, revoked, orange.CASHED_IN)
    async with closing(wallet(company.url)) as adapter:
        accepted = await adapter.disburse(orange.senegalese_order(DISBURSE))
    assert accepted.finding is not None
    assert len(company.received(path)) == len(company.received(orange.KEY_PATH)) == 2


async def test_key_that_is_revoked_again_leaves_the_outcome_unknown(company: Company) -> None:
    orange.WALLET.script_tokens(company)
    path = f"{orange.WALLET_PATH}/cashins"
    company.on(path, Answer(400, message={"code": "4003"}))
    async with closing(wallet(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.disburse(orange.senegalese_order(DISBURSE))
    assert len(company.received(path)) == 2


@pytest.mark.parametrize("key", [None, "", "!!", "AAAA", 5])
async def test_without_a_key_to_seal_with_nothing_is_ordered(company: Company, key: Any) -> None:
    orange.WALLET.script_tokens(company)
    company.on(orange.KEY_PATH, Answer(message={"keyId": "1", "key": key}))
    async with closing(wallet(company.url)) as adapter:
        with pytest.raises(Unreachable):
            await adapter.disburse(orange.senegalese_order(DISBURSE))
    assert company.received(f"{orange.WALLET_PATH}/cashins") == []


@pytest.mark.parametrize("known", [False, True])
async def test_business_code_is_a_refusal_only_where_orange_confirmed_it(
    company: Company, known: bool
) -> None:
    orange.WALLET.script_tokens(company)
    company.on(
        f"{orange.WALLET_PATH}/cashins",
        Answer(400, message={"code": "2020"}, content_type="application/problem+json"),
    )
    codes = frozenset({"2020"} if known else ())
    async with closing(wallet(company.url, refused_codes=codes)) as adapter:
        with pytest.raises(Rejected if known else OutcomeUnknown):
            await adapter.disburse(orange.senegalese_order(DISBURSE))


WALLET_STATES = [
    *((word, Outcome.PENDING, None) for word in ("PRE_INITIATED", "INITIATED", "PENDING")),
    ("ACCEPTED", Outcome.PENDING, None),
    ("SUCCESS", Outcome.SUCCEEDED, None),
    ("FAILED", Outcome.FAILED, Reason.OTHER),
    ("REJECTED", Outcome.FAILED, Reason.OTHER),
    ("CANCELLED", Outcome.FAILED, Reason.DECLINED),
    ("EXPIRED", Outcome.PENDING, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), WALLET_STATES)
async def test_states_of_a_wallet_transaction(
    company: Company, status: str, outcome: Outcome, reason: Reason | None
) -> None:
    orange.WALLET.script_tokens(company)
    search, known = f"{orange.WALLET_PATH}/transactions", "CI260101.1029.C00001"
    company.on(search, Answer(message=[orange.transaction(status=status)]))
    company.on(f"{search}/{known}/status", Answer(message={"status": status}))
    async with closing(wallet(company.url)) as adapter:
        found = await adapter.query(orange.senegalese_order(COLLECT))
        by_id = await adapter.query(orange.senegalese_order(DISBURSE, provider_reference=known))
    assert (found.outcome, found.reason, found.code) == (outcome, reason, status)
    assert (found.amount, found.msisdn) == (Money(500, "XOF"), orange.SENEGALESE)
    assert (by_id.outcome, by_id.reason, by_id.provider_reference) == (outcome, reason, known)
    (asked,) = company.received(search)
    assert asked.target.endswith(f"?reference={REFERENCE}")


@pytest.mark.parametrize("transaction_id", ["../cashins", "a b", "a?b", "é", "", "..", "1" * 65])
async def test_transaction_id_that_is_none_is_never_asked_about(
    company: Company, transaction_id: str
) -> None:
    orange.WALLET.script_tokens(company)
    async with closing(wallet(company.url)) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.query(
                orange.senegalese_order(DISBURSE, provider_reference=transaction_id)
            )
    assert company.requests == []


ENTRIES: list[tuple[Any, Outcome | None]] = [
    ([], Outcome.NOT_FOUND),
    ([orange.transaction(reference="another")], Outcome.NOT_FOUND),
    ([orange.transaction(status="FAILED"), orange.transaction()], Outcome.SUCCEEDED),
    ([orange.transaction(status="FAILED"), orange.transaction(status="NEW")], Outcome.PENDING),
    ([orange.transaction(status="FAILED")], Outcome.FAILED),
    ({"content": [orange.transaction()]}, None),
    ([orange.transaction(), "x"], None),
    ([{"reference": REFERENCE}], None),
    (None, None),
]


@pytest.mark.parametrize(("entries", "outcome"), ENTRIES)
async def test_search_counts_only_our_own_entries_and_the_one_that_moved_money(
    company: Company, entries: Any, outcome: Outcome | None
) -> None:
    orange.WALLET.script_tokens(company)
    body = msgspec.json.encode(entries)
    company.on(f"{orange.WALLET_PATH}/transactions", Answer(body=body))
    async with closing(wallet(company.url)) as adapter:
        if outcome is None:
            with pytest.raises(OutcomeUnknown):
                await adapter.query(orange.senegalese_order(COLLECT))
        else:
            assert (await adapter.query(orange.senegalese_order(COLLECT))).outcome is outcome


# Section 4, the test vector.
VECTOR_BODY = (
    b'{"amount":{"value":500,"unit":"XOF"},"partner":{"idType":"CODE","id":"123456"},'
    b'"customer":{"idType":"MSISDN","id":"770000000"},"reference":"ord-0001",'
    b'"type":"MERCHANT_PAYMENT","channel":"API","transactionId":"MP260101.1029.C00001",'
    b'"paymentMethod":"QRCODE","status":"SUCCESS","metadata":{}}'
)
VECTOR_AT = 1767261600
VECTOR = "444b2370d63c0e751adcdabc48a89b3a98c5b9131bf7f7cf6d55f424763cbba2"


def vector(header: str, *, now: float = VECTOR_AT, body: bytes = VECTOR_BODY) -> bool:
    headers = {"x-sonatel-signature": header}
    return is_signed(body, headers, api_key="", secret="demo-secret", now=now)


def test_published_signature_holds() -> None:
    assert vector(f"t={VECTOR_AT},v1={VECTOR}")


@pytest.mark.parametrize(
    ("header", "now"),
    [
        ("", 0),
        ("garbage", 0),
        (f"t={VECTOR_AT}", 0),
        (f"v1={VECTOR}", 0),
        (f"t={VECTOR_AT},v1={VECTOR[:-1]}3", 0),
        (f"t={VECTOR_AT},v1={VECTOR.upper()}", 0),
        (f"t={VECTOR_AT + 1},v1={VECTOR}", 0),
        (f"t=١٧٦٧,v1={VECTOR}", 0),
        (f"t={'9' * 400},v1={VECTOR}", 0),
        (f"t={VECTOR_AT},v1={VECTOR}", 301),
        (f"t={VECTOR_AT},v1={VECTOR}", -301),
        (f"t={VECTOR_AT}," + "v1=0," * 50 + f"v1={VECTOR}", 0),
        (f"t={VECTOR_AT},v1=\udcff", 0),
    ],
)
def test_signature_that_is_not_theirs_or_not_of_now_is_none(header: str, now: float) -> None:
    assert not vector(header, now=float(VECTOR_AT + now))  # as clocks tell it


def test_signature_is_over_the_very_bytes_and_either_secret_of_two_will_do() -> None:
    assert not vector(f"t={VECTOR_AT},v1={VECTOR}", body=VECTOR_BODY + b" ")
    assert vector(f"t={VECTOR_AT},v1={'0' * 64},v1={VECTOR}")
    assert vector(f"t={VECTOR_AT},v1={VECTOR}", now=VECTOR_AT + 299)


def signed(body: bytes, *, at: float = NOON) -> dict[str, str]:
    moment = str(int(at))
    key = orange.SIGNING_SECRET.encode()
    digest = hmac.new(key, moment.encode() + b"," + body, hashlib.sha256).hexdigest()
    return {
        "authorization": f"Basic {orange.API_KEY}",
        "x-sonatel-signature": f"t={moment},v1={digest}",
    }


def test_recorded_notification_of_a_wallet_is_read_under_its_signature() -> None:
    adapter = wallet()
    assert isinstance(adapter, SignedCallbackPort)
    callback = adapter.read_signed_callback("callback", VECTOR_BODY, signed(VECTOR_BODY))
    found = callback.finding
    assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, Money(500, "XOF"))
    assert (found.msisdn, found.receipt) == ("+221770000000", "MP260101.1029.C00001")
    assert "770000000" not in callback.redacted
    assert "MP260101.1029.C00001" in callback.redacted


@pytest.mark.parametrize("missing", ["authorization", "x-sonatel-signature"])
def test_notification_without_either_proof_is_forged(missing: str) -> None:
    headers = signed(VECTOR_BODY)
    del headers[missing]
    for given in (headers, {}, {**headers, missing: "x"}):
        with pytest.raises(Unreadable) as caught:
            wallet().read_signed_callback("callback", VECTOR_BODY, given)
        assert caught.value.code == FORGED
    with pytest.raises(Unreadable):
        wallet().read_callback("callback", VECTOR_BODY)


def test_notification_is_a_hint_where_no_proof_was_agreed_upon() -> None:
    adapter = wallet(api_key="", signing_secret="")
    assert adapter.read_callback("callback", VECTOR_BODY).finding.outcome is Outcome.SUCCEEDED
    assert adapter.facts.confirm_callback_above_minor == 0


# All four.


@pytest.mark.parametrize("word", ["PROCESSING", "successful", "Done", "0x0", "-0", "999999", 4999])
def test_unlisted_status_word_of_a_callback_means_pending(word: Any) -> None:
    body = msgspec.json.encode({"status": word, "reason": "FAILED"})
    for adapter in (web(), core(), b2b()):
        finding = adapter.read_callback("callback", body).finding
        assert (finding.outcome, finding.reason) == (Outcome.PENDING, None)
        assert finding.code == str(word)
    finding = wallet().read_signed_callback("callback", body, signed(body)).finding
    assert (finding.outcome, finding.reason) == (Outcome.PENDING, None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"SUCCESS","amount":{"value":1.5,"unit":"XOF"}}',
        b'{"status":"SUCCESS","amount":{"value":"many","unit":"XOF"}}',
        b'{"status":"SUCCESS","amount":{"value":5,"unit":"XXX"}}',
    ],
)
def test_amount_that_is_none_makes_a_notification_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        wallet().read_signed_callback("callback", body, signed(body))


def test_statements_may_name_an_attempt_by_what_was_sent() -> None:
    for adapter, reference in (
        (web(), REFERENCE),
        (core(), SHORT_REFERENCE),
        (wallet(), REFERENCE),
        (b2b(), TRANSACTION_ID),
    ):
        assert adapter.references_of(AttemptId(ATTEMPT)) == (reference,)


def test_limits_are_whole_units_and_what_is_not_offered_has_none() -> None:
    for market in MARKETS.values():
        facts = facts_of(market, pays_out=False)
        assert facts.collect_minor_max % facts.unit_minor == 0
        assert (facts.disburse_minor_min, facts.disburse_minor_max) == (0, 0)
        assert not facts.collect_repeat_is_safe
        assert not facts.disburse_repeat_is_safe
