"""The description of the API for clients says what the table says, and is a valid one."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs
import pytest

from channels.api.asking import KEY_PATTERN
from channels.api.checks import Checks
from channels.api.description import codes_of, describe
from channels.api.endpoints import AnyEndpoint, Nothing
from channels.api.markets import Markets
from channels.api.payments import Payments
from channels.api.problems import Code
from channels.api.quotes import Quotes
from channels.api.reservations import ClientReservations
from channels.api.v1 import PREFIX, table_of
from engine.hooks.body import EventTold, Happened, write_body
from engine.hooks.events import EventKind
from engine.payments.lifecycle import State
from tests.unit.payments.examples import quote

TABLE = table_of(
    Quotes.__new__(Quotes), Payments.__new__(Payments), Markets.__new__(Markets),
    Checks.__new__(Checks), ClientReservations.__new__(ClientReservations),
)  # fmt: skip
TOLD: dict[str, Any] = json.loads(describe(PREFIX, TABLE))
QUOTE, NUMBER = "0" * 32, "+254712000001"
AMOUNT = {"minor": 1, "currency": "KES"}


def operation(endpoint: AnyEndpoint) -> dict[str, Any]:
    found: dict[str, Any] = TOLD["paths"][endpoint.path][endpoint.method.lower()]
    return found


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda e: e.what)
def test_every_endpoint_is_described_with_all_it_may_answer(endpoint: AnyEndpoint) -> None:
    told = operation(endpoint)
    assert told["operationId"] == endpoint.what
    assert told["security"] == [{"key": [scope]} for scope in sorted(endpoint.grants)]
    statuses = {str(endpoint.status), *(str(code.status) for code in codes_of(endpoint))}
    assert set(told["responses"]) == statuses
    words = {
        word
        for status, answer in told["responses"].items()
        if int(status) >= 400
        for word in answer["content"]["application/problem+json"]["schema"]["allOf"][1][
            "properties"
        ]["code"]["enum"]
    }
    assert words == {code.word for code in codes_of(endpoint)}
    assert ("requestBody" in told) is (endpoint.body_type is not Nothing)


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda e: e.what)
def test_every_word_of_path_and_query_is_described_and_what_changes_wants_a_key(
    endpoint: AnyEndpoint,
) -> None:
    told = {(p["in"], p["name"]): p for p in operation(endpoint)["parameters"]}
    expected = {("path", name) for name in endpoint.path_type.__struct_fields__}
    expected |= {("query", name) for name in endpoint.query_type.__struct_encode_fields__}
    if endpoint.method == "POST":
        expected |= {("header", "Idempotency-Key")}
        assert told["header", "Idempotency-Key"]["schema"]["pattern"] == KEY_PATTERN
    assert set(told) == expected
    assert all(p["required"] for (place, _), p in told.items() if place != "query")


@pytest.mark.parametrize("where", ["https://pay.example", "https://pay.example/t/duka"])
def test_whoever_reads_the_description_asks_where_they_read_it(where: str) -> None:
    """As a reader of OpenAPI puts an address together: the server's, and the path behind it."""
    (server,) = TOLD["servers"]
    base = urljoin(f"{where}/openapi.json", server["url"])
    assert {base + path for path in TOLD["paths"]} == {where + PREFIX + e.path for e in TABLE}


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(TOLD)
    for part in text.split('"$ref": "')[1:]:
        *_, kind, name = part.partition('"')[0].split("/")
        assert name in TOLD["components"][kind]


def test_what_is_sent_to_who_subscribed_is_described_as_it_is_sent() -> None:
    told = json.loads(describe(PREFIX, TABLE, [EventTold]))
    assert "webhooks" not in TOLD
    message = told["webhooks"]["EventTold"]["post"]
    headers = {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert {p["name"] for p in message["parameters"]} == headers
    schema = message["requestBody"]["content"]["application/json"]["schema"]
    happened = Happened(QUOTE, EventKind.PAID, QUOTE, 24, State.PAID, 1, quote())
    body = json.loads(write_body(happened, whole_numbers=False))
    assert jsonschema_rs.is_valid(schema | {"components": told["components"]}, body)
    del body["data"]["code"]
    assert not jsonschema_rs.is_valid(schema | {"components": told["components"]}, body)


def test_what_a_refusal_says_in_its_headers_is_described() -> None:
    for place in TOLD["paths"].values():
        for told in place.values():
            for status, answer in told["responses"].items():
                headers = set(answer["headers"])
                assert ("Retry-After" in headers) is (
                    status in ("429", "503", "504") or "`under_way`" in answer["description"]
                )
                assert ("WWW-Authenticate" in headers) is (status == "401")
                assert ("RateLimit" in headers) is (status != "401")


def test_a_description_is_text_and_no_block_of_code() -> None:
    """Markdown takes what is four blanks in for a program, and every docstring is."""
    for schema in TOLD["components"]["schemas"].values():
        assert "\n    " not in schema["description"]


def test_a_status_says_which_words_there_are() -> None:
    told = TOLD["components"]["schemas"]["PaymentStatus"]["properties"]
    assert told["outcome"]["enum"] == ["under_way", "paid", "refunded", "not_taken"]
    assert "`on_hold`" in told["state"]["description"]
    assert "`new`" not in told["state"]["description"]


CHOICES: list[tuple[dict[str, Any], bool]] = [
    ({"quote": QUOTE}, True),
    ({"payer": NUMBER, "payee": NUMBER, "amount": AMOUNT}, True),
    ({}, False),
    ({"quote": QUOTE, "payer": NUMBER}, False),
    ({"payer": NUMBER, "payee": NUMBER}, False),
    ({"quote": QUOTE, "payer": NUMBER, "payee": NUMBER, "amount": AMOUNT}, False),
    ({"quote": QUOTE, "tenant": 1}, False),
]


@pytest.mark.parametrize(("body", "is_good"), CHOICES)
def test_what_is_sent_is_a_quote_or_a_price_and_the_schema_says_so(
    body: dict[str, Any], is_good: bool
) -> None:
    schemas = TOLD["components"]["schemas"]
    schema = schemas["PaymentAsked"] | {"components": {"schemas": schemas}}
    assert jsonschema_rs.is_valid(schema, body) is is_good


def test_the_same_table_is_described_by_the_same_bytes() -> None:
    assert describe(PREFIX, TABLE) == describe(PREFIX, TABLE)
    other = (replace(TABLE[0], refuses=frozenset({Code.NOT_LEGAL})), *TABLE[1:])
    assert describe(PREFIX, other) != describe(PREFIX, TABLE)
