"""The Airtel Money sandbox as a third party would use it: by the reference, over HTTP."""

import base64
import hmac
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from simulator.operators.airtel_money import AirtelSandbox, AirtelSettings, airtel_money_app
from simulator.operators.airtel_money.sealing import KeyPair
from simulator.operators.world import World
from simulator.sandbox import serving
from tests.providers.airtel_client import PAYEE, PAYER, AirtelClient, with_code
from tests.providers.sandbox_clients import Mailbox, mailbox, matches, open_client

pytestmark = pytest.mark.long(
    "the sandbox by itself; test_airtel_against_sandbox.py keeps the adapter at it"
)

COLLECTION, DISBURSEMENT = "DP00800001", "DP00900001"
FLOAT_MINOR = 1_000_000
FIRST_KEY = KeyPair(bits=1024)  # making one takes longer than most tests here


@pytest.fixture
def sandbox() -> AirtelSandbox:
    settings = AirtelSettings(processing_seconds=0.0, callback_delay_seconds=0.0)
    made = AirtelSandbox(World(), settings, collection_minor=0, disbursement_minor=FLOAT_MINOR)
    made.signing_key = made.pin_key = FIRST_KEY
    return made


@pytest.fixture
async def airtel(sandbox: AirtelSandbox) -> AsyncIterator[AirtelClient]:
    async with (
        serving({"airtel": (airtel_money_app(sandbox), 0)}) as urls,
        open_client(urls["airtel"]) as client,
    ):
        made = AirtelClient(client)
        await made.log_in()
        await made.fetch_key()
        yield made


@pytest.fixture
async def box(airtel: AirtelClient) -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        await airtel.settings(callback_url=f"{opened.url}/airtel/callback")
        yield opened


def code_of(response: httpx.Response) -> tuple[int, str, str]:
    status = response.json()["status"]
    assert status["code"] == str(response.status_code)
    assert status["success"] is (response.status_code == 200)
    return (
        response.status_code,
        status.get("response_code", ""),
        status.get("result_code", ""),
    )


# Tokens and headers (sections 3 and 4).


async def test_token_lives_three_minutes_and_says_so_in_a_string(airtel: AirtelClient) -> None:
    message = (await airtel.log_in(scope="whatever")).json()
    assert message["token_type"] == "bearer"
    assert message["expires_in"] == "180"
    await airtel.settings(expires_in_as_number=True)
    assert (await airtel.log_in()).json()["expires_in"] == 180


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": None}, 401),
        ({"grant_type": "password"}, 400),
    ],
)
async def test_wrong_credentials_get_no_token(
    airtel: AirtelClient, fields: dict[str, Any], status: int
) -> None:
    response = await airtel.log_in(**fields)
    assert response.status_code == status
    assert "access_token" not in response.json()


async def test_dead_or_missing_token_is_refused_in_oauths_words(airtel: AirtelClient) -> None:
    await airtel.settings(token_seconds=0)
    await airtel.log_in()
    for token in (airtel.token, "unknown"):
        airtel.token = token
        response = await airtel.push()
        assert response.status_code == 401
        assert response.json() == {
            "error_description": "The access token is invalid or has expired",
            "error": "invalid_token",
        }
    assert (await airtel.push(headers={"Authorization": None})).status_code == 401
    assert await airtel.movements() == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Country": None}, "ROUTER003"),
        ({"X-Country": "XX"}, "ROUTER006"),
        ({"X-Country": "UG"}, "ROUTER007"),
        ({"X-Currency": None}, "ROUTER119"),
        ({"X-Currency": "UGX"}, "ROUTER112"),
    ],
)
async def test_country_and_currency_must_be_ours(
    airtel: AirtelClient, headers: dict[str, str | None], code: str
) -> None:
    assert code_of(await airtel.push(headers=headers))[:2] == (400, code)


async def test_address_that_is_not_on_the_list_is_kept_out(airtel: AirtelClient) -> None:
    await airtel.settings(address_allowed=False)
    assert (await airtel.push()).status_code == 403


# Collections (section 5).


async def test_collection_is_queued_then_paid(airtel: AirtelClient, box: Mailbox) -> None:
    response = await airtel.push(id="ord202601010001", amount=150.5)
    assert code_of(response)[0] == 200
    assert response.json()["data"] == {
        "transaction": {"id": "ord202601010001", "status": "SUCCESS"}
    }
    (letter,) = await box.wait()
    told = letter.json["transaction"]
    assert list(letter.json) == ["transaction"]
    assert (letter.method, letter.path) == ("POST", "/airtel/callback")
    assert list(told) == ["id", "message", "status_code", "airtel_money_id"]
    assert (told["id"], told["status_code"]) == ("ord202601010001", "TS")
    assert matches(r"MP\d{6}\.\d{4}\.A\d{5}", told["airtel_money_id"])
    assert told["message"].startswith("Paid KES 150.50 to CAPP")
    found = await airtel.final("ord202601010001")
    assert (found["status"], found["response_code"]) == ("TS", COLLECTION + "001")
    assert found["airtel_money_id"] == told["airtel_money_id"]
    (movement,) = await airtel.movements()
    assert (movement["reference"], movement["amount_minor"]) == ("ord202601010001", 15_050)
    assert movement["msisdn"] == with_code(PAYER)
    assert await airtel.balance_minor(with_code(PAYER)) == 1_000_000 - 15_050


async def test_version_two_is_signed(airtel: AirtelClient) -> None:
    assert code_of(await airtel.push(version=2, signed=True))[0] == 200
    assert code_of(await airtel.push(version=2))[0] == 200  # the portal's switch is off
    await airtel.settings(signing_required=True)
    unsigned = await airtel.push(version=2)
    wrong = await airtel.push(version=2, headers={"x-signature": "eA==", "x-key": "eA=="})
    await airtel.client.post("/_sandbox/keys")
    old = await airtel.push(version=2, signed=True)
    for response in (unsigned, wrong, old):
        assert code_of(response)[:2] == (400, COLLECTION + "026")
    await airtel.fetch_key()
    assert code_of(await airtel.push(version=2, signed=True))[0] == 200


async def test_signature_is_over_these_very_bytes(airtel: AirtelClient) -> None:
    elsewhere = airtel.signature(b'{"reference":"INV0001"}')
    response = await airtel.push(version=2, headers={**elsewhere})
    assert code_of(response)[:2] == (400, COLLECTION + "026")


@pytest.mark.parametrize(
    ("msisdn", "codes"),
    [
        (with_code(PAYER), (400, COLLECTION + "005", "ESB000033")),
        (int(with_code(PAYER)), (400, COLLECTION + "005", "ESB000033")),
        (f"0{PAYER}", (400, "", "ESB000036")),
        (PAYER[:-1], (400, "", "ESB000033")),
        (f"+{with_code(PAYER)}", (400, COLLECTION + "005", "ESB000033")),
        ("", (400, "ROUTER003", "")),
    ],
)
async def test_number_in_another_shape_is_refused(
    airtel: AirtelClient, msisdn: Any, codes: tuple[int, str, str]
) -> None:
    assert code_of(await airtel.push(msisdn=msisdn)) == codes


async def test_number_may_be_a_json_number_and_lenience_is_a_switch(airtel: AirtelClient) -> None:
    assert code_of(await airtel.push(msisdn=int(PAYER)))[0] == 200
    await airtel.settings(lenient_msisdn=True)
    assert code_of(await airtel.push(msisdn=with_code(PAYER)))[0] == 200
    wallets = (await airtel.get("wallets"))["wallets"]
    assert [wallet["msisdn"] for wallet in wallets] == [with_code(PAYER)]


async def test_number_nobody_has_is_not_found(airtel: AirtelClient) -> None:
    await airtel.settings(auto_wallets=False)
    response = await airtel.push()
    assert code_of(response)[:2] == (400, COLLECTION + "005")
    assert response.json()["status"]["message"] == "Msisdn Not Found"


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"reference": None}, "ROUTER003"),
    ({"reference": "abc"}, "ESB000008"),
    ({"reference": "INV#1"}, "ESB000008"),
    ({"id": "abc"}, "ESB000008"),
    ({"id": "x" * 65}, "ESB000008"),
    ({"id": "a b c d"}, "ESB000008"),
    ({"id": 7}, "ESB000008"),
    ({"amount": None}, "ROUTER003"),
    ({"amount": "150"}, "ESB000008"),
    ({"amount": 1.001}, "ESB000008"),
    ({"amount": 0}, COLLECTION + "004"),
    ({"amount": -5}, COLLECTION + "004"),
    ({"amount": 1e12}, COLLECTION + "003"),
    ({"transaction": None}, "ROUTER003"),
    ({"subscriber": {"msisdn": PAYER, "country": "UG"}}, "ESB000034"),
    ({"subscriber": {"msisdn": PAYER, "currency": "UGX"}}, "ESB000035"),
]


@pytest.mark.parametrize(("fields", "code"), MALFORMED)
async def test_malformed_collection_is_refused_and_kept_nowhere(
    airtel: AirtelClient, sandbox: AirtelSandbox, fields: dict[str, Any], code: str
) -> None:
    status, response_code, result_code = code_of(await airtel.push(**fields))
    assert (status, response_code or result_code) == (400, code)
    assert sandbox.transactions == {}


async def test_spaces_hyphens_and_left_out_fields_pass(airtel: AirtelClient) -> None:
    bare: dict[str, Any] = {
        "subscriber": {"msisdn": PAYER},
        "transaction": {"amount": 5, "id": "a-b-c-d"},
    }
    assert code_of(await airtel.push(reference="School fees", **bare))[0] == 200


async def test_body_that_is_no_json_is_missing_everything(airtel: AirtelClient) -> None:
    response = await airtel.client.post(
        "/merchant/v1/payments/", content=b"amount=5", headers=airtel.headers()
    )
    assert code_of(response)[:2] == (400, "ROUTER003")


async def test_last_slash_may_be_missing(airtel: AirtelClient) -> None:
    body = {
        "reference": "INV0001",
        "subscriber": {"msisdn": PAYER},
        "transaction": {"amount": 5, "id": "ord0001"},
    }
    assert code_of(await airtel.post("/merchant/v1/payments", body))[0] == 200


async def test_used_id_is_refused_and_nobody_pays_twice(airtel: AirtelClient) -> None:
    await airtel.push(id="ord0001")
    assert code_of(await airtel.push(id="ord0001", amount=10)) == (400, "", "ESB000041")
    await airtel.final("ord0001")
    assert [movement["amount_minor"] for movement in await airtel.movements()] == [15_000]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"pin": "1234"}, "TS", "001"),
        ({"pin": "4321"}, "TF", "002"),
        ({"decline": True}, "TF", "008"),
    ],
)
async def test_payer_is_asked_and_decides(
    airtel: AirtelClient, box: Mailbox, answer: dict[str, Any], status: str, code: str
) -> None:
    await airtel.settings(approval="ask")
    await airtel.push(id="ord0001")
    prompt = await airtel.prompt(with_code(PAYER))
    assert "KES 150 to CAPP" in prompt["text"]
    asked = (await airtel.enquire("ord0001")).json()
    assert asked["data"]["transaction"]["status"] == "TIP"
    assert asked["status"]["response_code"] == COLLECTION + "006"
    await airtel.answer(with_code(PAYER), **answer)
    (letter,) = await box.wait()
    assert letter.json["transaction"]["status_code"] == status
    found = await airtel.final("ord0001")
    assert (found["status"], found["response_code"]) == (status, COLLECTION + code)
    assert len(await airtel.movements()) == (status == "TS")


async def test_prompt_nobody_answers_expires_without_a_callback(
    airtel: AirtelClient, box: Mailbox
) -> None:
    await airtel.settings(approval="ask", approval_window_seconds=0.02)
    await airtel.push(id="ord0001")
    found = await airtel.final("ord0001")
    assert (found["status"], found["response_code"]) == ("TE", COLLECTION + "029")
    await airtel.settings(approval="approve")
    await airtel.push(id="ord0002")
    assert [letter.json["transaction"]["id"] for letter in await box.wait()] == ["ord0002"]


async def test_payer_without_money_or_barred_fails(airtel: AirtelClient) -> None:
    await airtel.wallet(with_code(PAYER), balance_minor=14_999)
    await airtel.push(id="ord0001")
    assert (await airtel.final("ord0001"))["response_code"] == COLLECTION + "007"
    await airtel.wallet(with_code(PAYER), balance_minor=100_000, active=False)
    await airtel.push(id="ord0002")
    assert (await airtel.final("ord0002"))["response_code"] == COLLECTION + "010"
    assert await airtel.movements() == []


async def test_unknown_id_is_not_found(airtel: AirtelClient) -> None:
    for kind, code in (("payments", COLLECTION + "025"), ("disbursements", DISBURSEMENT + "015")):
        assert code_of(await airtel.enquire("ord0001", kind=kind)) == (400, code, "ESB000045")


# Callbacks (section 8).


@pytest.mark.parametrize("over", ["transaction", "body", "header"])
async def test_callback_is_signed_in_each_of_the_three_ways(
    airtel: AirtelClient, box: Mailbox, over: str
) -> None:
    await airtel.settings(callback_key="portal-key", callback_hash=over)
    await airtel.push()
    (letter,) = await box.wait()
    told = letter.json.pop("hash", None) if over != "header" else None
    message = msgspec.json.decode(letter.body)
    given = message.pop("hash", letter.headers.get("x-airtel-signature"))
    texts = {
        "transaction": msgspec.json.encode(message["transaction"]),
        "body": msgspec.json.encode(message),
        "header": letter.body,
    }
    digest = base64.b64encode(hmac.digest(b"portal-key", texts[over], "sha256")).decode()
    assert given == digest
    assert (told is None) == (over == "header")


async def test_fault_that_could_never_strike_is_refused(airtel: AirtelClient) -> None:
    response = await airtel.client.post(
        "/_sandbox/faults", json={"on": "collect", "fault": "paid_afterwards"}
    )
    assert (response.status_code, (await airtel.get("faults"))["faults"]) == (400, [])


async def test_callback_may_come_twice_lie_or_be_unlisted(
    airtel: AirtelClient, box: Mailbox
) -> None:
    await airtel.fault("callback", "callback_twice")
    await airtel.push()
    first, second = await box.wait(2)
    assert first.body == second.body
    await airtel.fault("callback", "callback_wrong_amount")
    await airtel.push(id="ord9001", amount=150)
    assert "KES 150.01" in (await box.wait(3))[2].json["transaction"]["message"]
    await airtel.fault("callback", "unknown_status")
    await airtel.push(id="ord9002")
    assert (await box.wait(4))[3].json["transaction"]["status_code"] == "TX"
    assert (await airtel.final("ord9002"))["status"] == "TS"
    await airtel.fault("query", "unknown_status")
    assert (await airtel.enquire("ord9002")).json()["data"]["transaction"]["status"] == "TX"


# Refunds (section 5.3).


async def test_refund_gives_the_whole_amount_back_once(airtel: AirtelClient) -> None:
    await airtel.push(id="ord0000", msisdn=PAYEE)  # there would be money for a second one
    await airtel.final("ord0000")
    await airtel.push(id="ord0001")
    paid = await airtel.final("ord0001")
    response = await airtel.give_back(paid["airtel_money_id"])
    told = response.json()["data"]["transaction"]
    assert (response.status_code, told["status"]) == (200, "SUCCESS")
    assert told["airtel_money_id"] not in ("", paid["airtel_money_id"])
    assert await airtel.balance_minor(with_code(PAYER)) == 1_000_000
    assert code_of(await airtel.give_back(paid["airtel_money_id"], version=2))[0] == 400
    kinds = [each["kind"] for each in await airtel.movements()]
    assert kinds == ["collection", "collection", "refund"]
    assert code_of(await airtel.give_back("MP260101.0000.A99999"))[1] == COLLECTION + "025"
    assert code_of(await airtel.give_back(None))[1] == "ROUTER003"


# Disbursements (section 6).


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_disbursement_is_over_when_it_is_answered(airtel: AirtelClient, version: int) -> None:
    response = await airtel.pay(version=version, id="pay0001", signed=version > 1)
    assert code_of(response) == (200, DISBURSEMENT + "001", "ESB000010")
    told = response.json()["data"]["transaction"]
    assert (told["id"], told["status"]) == ("pay0001", "TS")
    assert matches(r"pay-CI\d{6}\.\d{4}\.A\d{5}", told["airtel_money_id"])
    assert told["reference_id"].isdigit()
    found = await airtel.enquire("pay0001", kind="disbursements", version=version)
    assert found.json()["data"]["transaction"]["status"] == "TS"
    assert await airtel.balance_minor(with_code(PAYEE)) == 1_050_000
    again = await airtel.pay(version=version, id="pay0001", signed=version > 1)
    assert code_of(again) == (400, DISBURSEMENT + "017", "ESB000041")
    assert len(await airtel.movements()) == 1


async def test_disbursement_may_be_over_later(airtel: AirtelClient) -> None:
    await airtel.settings(payouts="later")
    response = await airtel.pay(id="pay0001")
    assert code_of(response)[1] == DISBURSEMENT + "006"
    assert response.json()["data"]["transaction"]["status"] == "TIP"
    assert (await airtel.final("pay0001", kind="disbursements"))["status"] == "TS"


async def test_pin_is_looked_into(airtel: AirtelClient) -> None:
    cases = [
        (airtel.sealed("0000"), "ROUTER115"),
        (airtel.sealed("8462", oaep=True), "ROUTER116"),
        (airtel.sealed("PIN!"), "ROUTER116"),
        (airtel.sealed("7"), "ROUTER116"),  # as another key's PIN is opened, once in thousands
        ("8462", "ROUTER116"),
        ("", "ROUTER003"),
    ]
    for pin, code in cases:
        assert code_of(await airtel.pay(pin=pin))[:2] == (400, code)
    assert await airtel.movements() == []
    await airtel.settings(pin_padding="oaep-sha256")
    assert code_of(await airtel.pay(pin=airtel.sealed("8462", oaep=True)))[0] == 200


async def test_versions_two_and_three_want_what_is_theirs(airtel: AirtelClient) -> None:
    plain = {"amount": 500, "id": "pay0001"}
    assert code_of(await airtel.pay(version=2, transaction=plain))[1] == "ROUTER003"
    salary = {"msisdn": PAYEE, "wallet_type": "GOLD"}
    assert code_of(await airtel.pay(version=3, payee=salary))[1] == "ROUTER003"
    await airtel.settings(signing_required=True)
    assert code_of(await airtel.pay(version=2))[1] == DISBURSEMENT + "016"
    assert code_of(await airtel.pay(version=3))[1] == DISBURSEMENT + "016"
    assert code_of(await airtel.pay(version=1))[0] == 200  # nothing is signed there


async def test_payout_that_cannot_be_is_answered_as_failed_or_refused(
    airtel: AirtelClient, sandbox: AirtelSandbox
) -> None:
    await airtel.wallet(with_code(PAYEE), active=False)
    barred = await airtel.pay()
    assert code_of(barred)[:2] == (200, DISBURSEMENT + "010")
    assert barred.json()["data"]["transaction"]["status"] == "TF"
    await airtel.wallet(with_code(PAYEE), active=True)
    sandbox.ledger.balances_minor["disbursement"] = 49_999
    await airtel.settings(payout_failures="error")
    assert code_of(await airtel.pay())[:2] == (400, DISBURSEMENT + "007")
    assert code_of(await airtel.pay(amount=0))[:2] == (400, DISBURSEMENT + "004")
    await airtel.settings(auto_wallets=False)
    assert code_of(await airtel.pay(msisdn="733000009"))[:2] == (400, DISBURSEMENT + "012")
    assert await airtel.movements() == []


# Every code of section 10 by the admin's door.


@pytest.mark.parametrize("code", [COLLECTION + n for n in ("000", "003", "009", "024", "029")])
async def test_collection_code_can_be_had_at_once_and_as_an_end(
    airtel: AirtelClient, code: str
) -> None:
    await airtel.code("collect", code)
    assert code_of(await airtel.push(id="ord0001"))[:2] == (400, code)
    await airtel.code("collect", code, ends=True, msisdn=with_code(PAYER))
    assert code_of(await airtel.push(id="ord0001"))[0] == 200
    found = await airtel.final("ord0001")
    assert (found["status"], found["response_code"]) == ("TF", code)
    assert code_of(await airtel.push(id="ord0002"))[0] == 200


@pytest.mark.parametrize("code", [DISBURSEMENT + n for n in ("003", "009", "011", "014", "019")])
async def test_disbursement_code_can_be_had_at_once_and_as_an_end(
    airtel: AirtelClient, code: str
) -> None:
    await airtel.code("disburse", code, http=500, times=2)
    for _ in range(2):
        assert code_of(await airtel.pay(id="pay0001"))[:2] == (500, code)
    await airtel.code("disburse", code, ends=True)
    assert code_of(await airtel.pay(id="pay0001"))[:2] == (200, code)
    assert code_of(await airtel.pay(id="pay0002"))[:2] == (200, DISBURSEMENT + "001")


async def test_codes_of_questions_and_senseless_ones(airtel: AirtelClient) -> None:
    for on, path in (
        ("query", "/standard/v1/payments/ord0001"),
        ("balance", "/standard/v1/users/balance"),
        ("user", f"/standard/v1/users/{PAYER}"),
        ("keys", "/v1/rsa/encryption-keys"),
    ):
        await airtel.code(on, "ROUTER117")
        assert code_of(await airtel.get(path))[:2] == (400, "ROUTER117")
    await airtel.code("refund", "ESB000001")
    assert code_of(await airtel.give_back("MP1")) == (400, "", "ESB000001")
    bad = await airtel.client.post("/_sandbox/codes", json={"on": "sms", "code": "x"})
    assert bad.status_code == 400


# The account's questions (sections 7 and 9).


async def test_balance_has_commas_and_two_decimals(airtel: AirtelClient) -> None:
    told = (await airtel.get("/standard/v1/users/balance")).json()
    assert told["data"] == {
        "balance": "10,000.00",
        "currency": "KES",
        "account_status": "Active",
    }
    assert told["status"]["response_code"] == "DP02100000001"
    await airtel.push(id="ord0001")
    await airtel.final("ord0001")
    by_type = {
        one: (await airtel.get("/standard/v2/users/balance", type=one)).json()["data"]["balance"]
        for one in ("COLL", "DISB", "CASHIN")
    }
    assert by_type == {"COLL": "150.00", "DISB": "10,000.00", "CASHIN": "0.00"}
    wrong = await airtel.get("/standard/v2/users/balance", type="ALL")
    assert code_of(wrong)[:2] == (400, "ROUTER003")


async def test_user_is_told_by_national_number(airtel: AirtelClient) -> None:
    await airtel.wallet(with_code(PAYER), name="Jane Doe", active=False)
    response = await airtel.get(f"/standard/v1/users/{PAYER}")
    assert code_of(response)[:2] == (200, "DP02200000001")
    told = response.json()["data"]
    assert (told["first_name"], told["last_name"], told["msisdn"]) == ("Jane", "Doe", PAYER)
    assert (told["is_barred"], told["grade"]) == (True, "SUBS")
    await airtel.settings(auto_wallets=False)
    assert code_of(await airtel.get("/standard/v1/users/733000009"))[1] == "DP02200000002"
    assert code_of(await airtel.get(f"/standard/v1/users/{with_code(PAYER)}"))[0] == 400


async def test_keys_are_told_with_their_end(airtel: AirtelClient) -> None:
    response = await airtel.get("/v1/rsa/encryption-keys")
    assert code_of(response)[:2] == (200, "DP02010001001")
    told = response.json()["data"]
    assert matches(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d", told["valid_upto"])
    assert "pin_key" not in told
    await airtel.settings(separate_pin_key=True, key_bits=2048)
    await airtel.client.post("/_sandbox/keys")
    renewed = (await airtel.get("/v1/rsa/encryption-keys")).json()["data"]
    assert len({told["key"], renewed["key"], renewed["pin_key"]}) == 3
    assert renewed["key_id"] == told["key_id"] + 1


# Faults.


@pytest.mark.parametrize(
    ("fault", "status", "moved"),
    [
        ("error_500_before", 500, 0),
        ("error_500_after", 500, 1),
        ("error_503", 503, 0),
        ("throttle_429", 429, 0),
        ("html_200", 200, 0),
        ("truncated_json", 200, 1),
    ],
)
async def test_fault_strikes_a_payout_before_or_after_it_is_done(
    airtel: AirtelClient, fault: str, status: int, moved: int
) -> None:
    await airtel.fault("disburse", fault, msisdn=with_code(PAYEE))
    response = await airtel.pay()
    assert response.status_code == status
    with pytest.raises((msgspec.DecodeError, KeyError, TypeError)):
        msgspec.json.decode(response.content)["data"]
    assert len(await airtel.movements()) == moved


async def test_fault_expired_token_is_cured_by_a_new_one(airtel: AirtelClient) -> None:
    await airtel.fault("collect", "expired_token")
    assert (await airtel.push()).status_code == 401
    await airtel.log_in()
    assert (await airtel.push()).status_code == 200


@pytest.mark.parametrize(
    ("on", "fault", "code"),
    [
        ("collect", "insufficient_funds", COLLECTION + "007"),
        ("collect", "wrong_pin", COLLECTION + "002"),
        ("collect", "decline", COLLECTION + "008"),
        ("disburse", "insufficient_funds", DISBURSEMENT + "007"),
        ("disburse", "recipient_rejected", DISBURSEMENT + "010"),
    ],
)
async def test_fault_gives_a_payment_its_end(
    airtel: AirtelClient, on: str, fault: str, code: str
) -> None:
    await airtel.fault(on, fault)
    if on == "collect":
        await airtel.push(id="ord0001")
        found = await airtel.final("ord0001")
    else:
        await airtel.pay(id="ord0001")
        found = await airtel.final("ord0001", kind="disbursements")
    assert (found["status"], found["response_code"]) == ("TF", code)
    assert await airtel.movements() == []
