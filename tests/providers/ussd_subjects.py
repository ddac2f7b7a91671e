"""The USSD gateways under test: their recorded messages and answers, as the contract suite needs.

A new gateway joins the suite with one more `Gateway`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from engine.ports import UssdPort
from providers.africastalking import AfricasTalkingUssd
from providers.arkesel import ArkeselUssd
from providers.hubtel import HubtelUssd
from providers.mtn_ussd import MtnUssd
from providers.nalo import NaloUssd

PIN = "4711"
SCREEN = "1. Send\n2. Balance"
SHORTCODES = frozenset({"*713*4#", "*713#"})

Fields = dict[str, Any]


def form(fields: Fields) -> bytes:
    return "&".join(f"{quote_plus(k)}={quote_plus(str(v))}" for k, v in fields.items()).encode()


def document(fields: Fields) -> bytes:
    return json.dumps(fields).encode()


@dataclass(frozen=True)
class Gateway:
    """One gateway: a dial, a later turn that types the PIN, and the answers to the later turn."""

    name: str
    build: Callable[[], UssdPort]
    dial: Fields
    turn: Fields
    typed: str  # the fields that hold what was typed, whose dialogue it is, and who calls
    session: str
    caller: str
    open_answer: bytes
    last_answer: bytes
    answer_type: str = "application/json"
    optional: frozenset[str] = frozenset()  # may be missing, null or empty
    numbers: frozenset[str] = frozenset()  # may come as whole numbers too
    flags: frozenset[str] = frozenset()
    end: Fields | None = None  # told at the address of turns
    apart: Fields | None = None  # told at an address of its own
    write: Callable[[Fields], bytes] = document
    media_type: str = "application/json"
    expected: Fields = field(default_factory=dict)  # of the later turn, beside the usual

    def with_field(self, name: str, value: Any) -> bytes:
        return self.write({**self.turn, name: value})

    def without(self, name: str) -> bytes:
        return self.write({k: v for k, v in self.turn.items() if k != name})

    def doubled(self, name: str) -> bytes:
        """The field a second time, behind the others."""
        again = self.write({name: self.turn[name]})
        if self.write is form:
            return self.write(self.turn) + b"&" + again
        return self.write(self.turn)[:-1] + b"," + again[1:]


AFRICASTALKING = Gateway(
    name="africastalking",
    build=AfricasTalkingUssd,
    dial={
        "sessionId": "ATUid_demo1",
        "serviceCode": "*713*4#",
        "phoneNumber": "+254711000001",
        "networkCode": "63902",
        "text": "",
    },
    turn={
        "sessionId": "ATUid_demo1",
        "serviceCode": "*713*4#",
        "phoneNumber": "+254711000001",
        "networkCode": "63902",
        "text": PIN,
    },
    typed="text",
    session="sessionId",
    caller="phoneNumber",
    open_answer=b"CON 1. Send\n2. Balance",
    last_answer=b"END 1. Send\n2. Balance",
    answer_type="text/plain",
    apart={
        "date": "2026-01-01 10:00:00",
        "sessionId": "ATUid_demo1",
        "serviceCode": "*713*4#",
        "phoneNumber": "+254711000001",
        "networkCode": "63902",
        "status": "Incomplete",
        "hopsCount": "4",
        "durationInMillis": "25000",
        "input": PIN,
        "lastAppResponse": "CON PIN:",
    },
    write=form,
    media_type="application/x-www-form-urlencoded",
    expected={"network": "63902", "cumulative": True},
)

_HUBTEL = {
    "Mobile": "233240000001",
    "SessionId": "demo01",
    "ServiceCode": "713*4",
    "Operator": "mtn",
    "ClientState": "",
    "Platform": "USSD",
}
HUBTEL = Gateway(
    name="hubtel",
    build=HubtelUssd,
    dial={"Type": "Initiation", **_HUBTEL, "Message": "*713*4#", "Sequence": 1},
    turn={"Type": "Response", **_HUBTEL, "Message": PIN, "Sequence": 3},
    typed="Message",
    session="SessionId",
    caller="Mobile",
    open_answer=(
        b'{"SessionId":"demo01","Type":"response","Message":"1. Send\\n2. Balance",'
        b'"Label":"1. Send","ClientState":"","DataType":"input","FieldType":"text"}'
    ),
    last_answer=(
        b'{"SessionId":"demo01","Type":"release","Message":"1. Send\\n2. Balance",'
        b'"Label":"1. Send","ClientState":"","DataType":"display","FieldType":"text"}'
    ),
    optional=frozenset({"Operator", "Platform", "Sequence", "ClientState"}),
    numbers=frozenset({"Sequence"}),
    end={"Type": "Timeout", **_HUBTEL, "Message": PIN, "Sequence": 4},
    expected={"sequence": "3"},
)

_NALO = {
    "USERID": "NALOTest",
    "MSISDN": "233240000001",
    "NETWORK": "MTN",
    "SESSIONID": "16590115252429751",
}
NALO = Gateway(
    name="nalo",
    build=lambda: NaloUssd(SHORTCODES),
    dial={**_NALO, "USERDATA": "*713*4#", "MSGTYPE": True},
    turn={**_NALO, "USERDATA": PIN, "MSGTYPE": False},
    typed="USERDATA",
    session="SESSIONID",
    caller="MSISDN",
    open_answer=(
        b'{"USERID":"NALOTest","MSISDN":"233240000001","USERDATA":"4711",'
        b'"MSG":"1. Send\\n2. Balance","MSGTYPE":true}'
    ),
    last_answer=(
        b'{"USERID":"NALOTest","MSISDN":"233240000001","USERDATA":"4711",'
        b'"MSG":"1. Send\\n2. Balance","MSGTYPE":false}'
    ),
    optional=frozenset({"NETWORK", "SESSIONID"}),
    flags=frozenset({"MSGTYPE"}),
    expected={"shortcode": "", "echo": ("NALOTest", "233240000001", PIN)},
)

_ARKESEL = {
    "sessionID": "demo01",
    "userID": "ARKTest",
    "msisdn": "233240000001",
    "network": "MTN",
}
ARKESEL = Gateway(
    name="arkesel",
    build=lambda: ArkeselUssd(SHORTCODES),
    dial={**_ARKESEL, "newSession": True, "userData": "*713*4#"},
    turn={**_ARKESEL, "newSession": False, "userData": PIN},
    typed="userData",
    session="sessionID",
    caller="msisdn",
    open_answer=(
        b'{"sessionID":"demo01","userID":"ARKTest","msisdn":"233240000001",'
        b'"message":"1. Send\\n2. Balance","continueSession":true}'
    ),
    last_answer=(
        b'{"sessionID":"demo01","userID":"ARKTest","msisdn":"233240000001",'
        b'"message":"1. Send\\n2. Balance","continueSession":false}'
    ),
    optional=frozenset({"network"}),
    flags=frozenset({"newSession"}),
    expected={"shortcode": "", "echo": ("ARKTest", "233240000001")},
)

_MTN = {"sessionId": "demo01", "msisdn": "256772000001", "serviceCode": "*713*4#"}
MTN = Gateway(
    name="mtn_ussd",
    build=MtnUssd,
    dial={**_MTN, "messageType": "0", "ussdString": "*713*4#", "imsi": "641100000000001"},
    turn={**_MTN, "messageType": "1", "ussdString": PIN, "imsi": "641100000000001"},
    typed="ussdString",
    session="sessionId",
    caller="msisdn",
    open_answer=(
        b'{"statusCode":"0000","statusMessage":"Success","transactionId":"demo01","data":'
        b'{"inboundResponse":"1. Send\\n2. Balance","userInputRequired":true,"messageType":1,'
        b'"serviceCode":"*713*4#","msisdn":"256772000001"},'
        b'"_link":{"self":{"href":"/messages/ussd/inbound"}}}'
    ),
    last_answer=(
        b'{"statusCode":"0000","statusMessage":"Success","transactionId":"demo01","data":'
        b'{"inboundResponse":"1. Send\\n2. Balance","userInputRequired":false,"messageType":2,'
        b'"serviceCode":"*713*4#","msisdn":"256772000001"},'
        b'"_link":{"self":{"href":"/messages/ussd/inbound"}}}'
    ),
    optional=frozenset({"imsi"}),
    numbers=frozenset({"messageType"}),
    end={**_MTN, "messageType": "5", "ussdString": PIN},
    expected={"network": "64110", "echo": ("*713*4#", "256772000001")},
)

GATEWAYS = [AFRICASTALKING, HUBTEL, NALO, ARKESEL, MTN]

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a blank": b" ",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "a text": b'"4711"',
    "a number": b"4711",
    "cut short": b'{"a": "4711',
    "not UTF-8": b'{"a": "\xff\xfe4711"}',
    "UTF-16": '{"a": "4711"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": "4711"}',
    "NaN": b'{"a": NaN, "b": "4711"}',
    "infinity": b'{"a": -Infinity, "b": "4711"}',
    "a trailing comma": b'{"a": "4711",}',
    "single quotes": b"{'a': '4711'}",
    "a second document": b'{"a": "4711"}{}',
    "too deep": b'{"a":' * 1500,
    "lists too deep": b'{"a":' + b"[" * 4000,
    "a number too long": b'{"a": ' + b"4" * 5000 + b"}",
    "too many fields": json.dumps({f"f{n}": PIN for n in range(100)}).encode(),
    "too long": b'{"a": "' + b"4711" * 10_000 + b'"}',
    "a raw control character": b'{"a": "4711\n"}',
    "multipart": b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n4711\r\n--x--',
    "XML": b"<ussd><type>1</type><msg>4711</msg></ussd>",
}
"""What is no message of any gateway; a PIN is in most of them."""
