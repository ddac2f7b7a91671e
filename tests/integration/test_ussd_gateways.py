"""One dialogue in every gateway's dialect: the real door, real turns, sessions in a real Redis."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from channels.ussd import ussd_routes
from engine.ports import EndReason
from engine.session.drops import Drops
from engine.session.pipeline import open_pipeline
from engine.session.store import SessionStore
from providers.registry import USSD, build_ussd
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, SHORTCODE, House

TOKEN = "t" * 32
PAYEE = "256772000002"
SEND = ["1", PAYEE, "1000", "1", PIN]

Fields = dict[str, Any]
Screen = tuple[str, bool]


@dataclass
class Phone:
    """A caller behind one gateway. `message` makes what the gateway posts for a key press."""

    web: httpx.AsyncClient
    name: str
    message: Callable[["Phone", str], Fields]
    screen: Callable[[httpx.Response], Screen]
    dialled: str = ""
    typed: list[str] = field(default_factory=list)
    session: str = "demo01"
    messages: int = 0

    async def dial(self, code: str = SHORTCODE) -> Screen:
        self.dialled, self.typed, self.messages = code, [], 0
        return await self._post(code)

    async def press(self, *keys: str) -> Screen:
        for key in keys:
            self.typed.append(key)
            screen = await self._post(key)
        return screen

    async def repeat(self) -> httpx.Response:
        return await self.post(self.last)

    async def post(self, fields: Fields) -> httpx.Response:
        is_form = self.name == "africastalking"
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        body = urlencode(fields) if is_form else json.dumps(fields)
        url = f"/ussd/{self.name}/{TOKEN}"
        return await self.web.post(url, content=body, headers={"content-type": kind})

    async def _post(self, text: str) -> Screen:
        self.messages += 1
        self.last = self.message(self, text)
        answer = await self.post(self.last)
        assert answer.status_code == 200
        return self.screen(answer)


def africastalking(phone: Phone, _: str) -> Fields:
    behind = phone.dialled.removeprefix(SHORTCODE[:-1]).strip("*#")
    return {
        "sessionId": phone.session, "serviceCode": SHORTCODE, "phoneNumber": PAYER,
        "networkCode": "63902", "text": "*".join([behind] * bool(behind) + phone.typed),
    }  # fmt: skip


def hubtel(phone: Phone, text: str) -> Fields:
    kind = "Initiation" if phone.messages == 1 else "Response"
    return {
        "Type": kind, "Mobile": PAYER.digits, "SessionId": phone.session, "ServiceCode": "384*96",
        "Message": text, "Operator": "mtn", "Sequence": phone.messages, "ClientState": "",
    }  # fmt: skip


def nalo(phone: Phone, text: str) -> Fields:
    fields = {
        "USERID": "NALOTest", "MSISDN": PAYER.digits, "USERDATA": text,
        "MSGTYPE": phone.messages == 1, "NETWORK": "MTN", "SESSIONID": phone.session,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value != ""}


def arkesel(phone: Phone, text: str) -> Fields:
    return {
        "sessionID": phone.session, "userID": "ARKTest", "newSession": phone.messages == 1,
        "msisdn": PAYER.digits, "userData": text, "network": "MTN",
    }  # fmt: skip


def mtn_ussd(phone: Phone, text: str) -> Fields:
    return {
        "sessionId": phone.session, "messageType": "0" if phone.messages == 1 else "1",
        "msisdn": PAYER.digits, "serviceCode": SHORTCODE, "ussdString": text,
    }  # fmt: skip


def plain(answer: httpx.Response) -> Screen:
    return answer.text[4:], answer.text.startswith("END ")


DIALECTS: dict[str, tuple[Callable[[Phone, str], Fields], Callable[[httpx.Response], Screen]]] = {
    "africastalking": (africastalking, plain),
    "hubtel": (hubtel, lambda a: (a.json()["Message"], a.json()["Type"] == "release")),
    "nalo": (nalo, lambda a: (a.json()["MSG"], not a.json()["MSGTYPE"])),
    "arkesel": (arkesel, lambda a: (a.json()["message"], not a.json()["continueSession"])),
    "mtn_ussd": (
        mtn_ussd,
        lambda a: (a.json()["data"]["inboundResponse"], not a.json()["data"]["userInputRequired"]),
    ),
}


@pytest.fixture
async def house(redis_url: str) -> AsyncIterator[House]:
    redis = open_pipeline(redis_url, timeout_seconds=30.0)
    yield await House(SessionStore(redis, 1, RECORD_SEAL)).registered()
    await redis.aclose()


@pytest.fixture
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    gateways = build_ussd(DIALECTS, shortcodes=[SHORTCODE])
    routes = [route for each in gateways for route in ussd_routes(each, house.turns, TOKEN)]
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        yield client


@pytest.fixture(params=DIALECTS)
def phone(request: pytest.FixtureRequest, web: httpx.AsyncClient) -> Phone:
    return Phone(web, request.param, *DIALECTS[request.param])


def test_every_gateway_is_spoken_here() -> None:
    assert set(DIALECTS) == set(USSD)


async def test_a_payment_is_the_same_through_every_gateway(phone: Phone, house: House) -> None:
    home, ended = await phone.dial()
    assert "1. Send money" in home and not ended
    for key in SEND[:-1]:
        text, ended = await phone.press(key)
        assert not ended
    assert text.startswith("Pay KES") or "PIN" in text
    text, ended = await phone.press(SEND[-1])
    assert ended and text.startswith("CAPP000001 started: UGX")
    assert len(house.payments.confirmed) == 1
    again = phone.screen(await phone.repeat())
    assert again[1]
    assert len(house.payments.confirmed) == 1


async def test_dialled_string_leads_to_the_same_screen_as_its_keys(phone: Phone) -> None:
    await phone.dial()
    by_keys = await phone.press("1", PAYEE)
    phone.session = "demo02"
    assert await phone.dial(f"{SHORTCODE[:-1]}*1*{PAYEE}#") == by_keys
    assert not by_keys[1]


@pytest.mark.parametrize("phone", ["nalo", "arkesel"], indirect=True)
async def test_code_that_is_not_ours_ends_with_a_sentence(phone: Phone) -> None:
    text, ended = await phone.dial("*384*97#")
    assert ended and "not in service" in text


@pytest.mark.parametrize("phone", ["africastalking", "hubtel"], indirect=True)
async def test_repeat_is_told_from_the_same_key_again(phone: Phone, house: House) -> None:
    await phone.dial()
    asked = await phone.press("1")
    assert phone.screen(await phone.repeat()) == asked
    again = await phone.press("1")  # no number, so the question comes again with a complaint
    assert again != asked and again[0].endswith(asked[0])
    assert phone.screen(await phone.repeat()) == again


async def test_older_nalo_account_dials_anew_under_the_same_id(
    web: httpx.AsyncClient, house: House
) -> None:
    phone = Phone(web, "nalo", *DIALECTS["nalo"], session="")
    home = await phone.dial()
    assert "SESSIONID" not in phone.last
    await phone.press("1", PAYEE)
    house.clock.seconds += 3600
    assert await phone.dial() == home
    assert (await phone.press(*SEND))[0].startswith("CAPP000001 started")


ENDS: dict[str, tuple[Fields, EndReason]] = {
    "hubtel": ({"Type": "Release"}, EndReason.CANCELLED),
    "mtn_ussd": ({"messageType": "5"}, EndReason.TIMED_OUT),
}


@pytest.mark.parametrize("phone", ENDS, indirect=True)
async def test_end_among_the_turns_closes_the_session_and_is_counted(
    phone: Phone, house: House
) -> None:
    change, reason = ENDS[phone.name]
    await phone.dial()
    await phone.press("1")
    assert (await phone.post({**phone.last, **change})).status_code == 200
    text, ended = await phone.press(PAYEE)
    assert ended and "has ended" in text
    (counted,) = await Drops(house.redis, 1).of_day(house.clock.now().date())
    assert (counted.reason, counted.times) == (reason, 1)
