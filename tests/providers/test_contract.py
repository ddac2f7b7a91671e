"""What every adapter promises, whatever company it speaks to: one suite, all of them."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.ports import (
    Accepted,
    Callback,
    Direction,
    Finding,
    OperatorPort,
    Outcome,
    Reason,
    SmsAccepted,
)
from providers.http import Exchange
from providers.registry import SMS
from tests.providers import company as companies
from tests.providers import subjects
from tests.providers.airtel_subjects import AIRTEL, AIRTEL_SIGNED
from tests.providers.company import Answer, Company, Raw, Reaction
from tests.providers.conftest import HandClock
from tests.providers.mtn_subjects import MTN_ABROAD
from tests.providers.orange_subjects import ORANGE
from tests.providers.subjects import MPESA, MTN, SECRETS, Operation, Subject

SUBJECTS = (*subjects.SUBJECTS, MTN_ABROAD, AIRTEL, AIRTEL_SIGNED, *ORANGE)
Case = tuple[Subject, Operation]
CASES: list[Case] = [(subject, each) for subject in SUBJECTS for each in subject.operations]
WITH_TOKEN = [case for case in CASES if case[0].token_paths]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    ids = [f"{subject.name} {operation.name}" for subject, operation in cases]
    return pytest.mark.parametrize(("subject", "operation"), cases, ids=ids)


@asynccontextmanager
async def built(
    subject: Subject, url: str, clock: HandClock, traced: list[Exchange]
) -> AsyncIterator[Any]:
    adapter = subject.build(url, clock, traced.append)
    try:
        yield adapter
    finally:
        await adapter.aclose()


def assert_discreet(*shown: object) -> None:
    """No secret, PIN, token, name or whole number in any of these, as text or as a traceback."""
    for each in shown:
        text = f"{each!r} {each}"
        if isinstance(each, BaseException):
            text += "".join(traceback.format_exception(each)) + repr(vars(each))
        for secret in SECRETS:
            assert secret not in text


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, traced: list[Exchange]) -> Any:
    caplog.set_level(logging.DEBUG)
    yield
    assert_discreet(caplog.text, traced)


@named(CASES)
async def test_success_is_one_request_and_one_trace(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, operation.success)
    async with built(subject, company.url, clock, traced) as adapter:
        result = await operation.call(adapter)
    assert isinstance(result, Finding if operation.is_query else Accepted | SmsAccepted)
    assert len(company.received(operation.path)) == 1
    assert [
        each.status for each in traced if each.operation not in ("token", *subject.preparing)
    ] == [operation.success.status]
    assert {each.provider for each in traced} == {subject.name}


_PROSE = ("errorMessage", "message", "Message", "ResponseDescription", "reason", "error")
NO_EVIDENCE: dict[str, Reaction] = {
    "closes": companies.CLOSES,
    "resets": companies.RESETS,
    "is silent": companies.SILENCE,
    "is cut short": companies.CUT_SHORT,
    "is no HTTP": companies.NOT_HTTP,
    "is dripping": Raw(b"HTTP/1.1 202 Accepted\r\n" * 20, pause_seconds=0.02),
    "is a 500 page": companies.HTML_500,
    "is an empty 500": companies.EMPTY_500,
    "is a 502": Answer(502, body=b"Bad Gateway", content_type="text/plain"),
    "is a 503 page": Answer(503, body=b"<html/>", content_type="text/html"),
    "is a 504": Answer(504),
    "is an empty 200": companies.EMPTY_200,
    "is a 200 page": companies.HTML_OK,
    "is broken JSON": Answer(200, body=b'{"ResponseCode": "0"'),
    "is a JSON list": Answer(200, body=b'["0"]'),
    "is JSON without meaning": Answer(200, message={"hello": "world"}),
    "is too deep": Answer(200, body=b'{"a":' * 5000),
    "is a redirect": companies.ELSEWHERE,
    "is a teapot": Answer(418, message={"code": "TEAPOT", "errorCode": "418.000.01"}),
    "repeats what it was told": Answer(503, message=dict.fromkeys(_PROSE, " ".join(SECRETS))),
    "has an unlisted code": Answer(500, message={"code": "NEW_ONE", "errorCode": "500.009.99"}),
}

# Where an adapter reads by itself; what carries all requests (`test_http.py`) judges the others.
QUICK = {"closes", "is a 500 page", "is JSON without meaning", "has an unlisted code"}
REACTIONS = [
    pytest.param(reaction, id=name, marks=[] if name in QUICK else pytest.mark.long("of one kind"))
    for name, reaction in NO_EVIDENCE.items()
]


@named(CASES)
@pytest.mark.parametrize("reaction", REACTIONS)
async def test_answer_no_list_knows_leaves_the_outcome_unknown_and_is_asked_once(
    subject: Subject,
    operation: Operation,
    reaction: Reaction,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, reaction)
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(OutcomeUnknown) as caught:
            await operation.call(adapter)
    assert len(company.received(operation.path)) == 1
    assert_discreet(caught.value)


# As many companies write it; each finds a code here that its lists have not.
_UNLISTED = {
    "code": "NEW_ONE", "errorCode": "500.009.99", "state": "FAILED", "status": "FAILED",
    "error": {"code": "NEW_ONE", "message": "new"},
}  # fmt: skip
_LONG = pytest.mark.long("of one kind")
_STATUSES = [400, *(pytest.param(status, marks=_LONG) for status in (404, 409, 422))]


@named(CASES)
@pytest.mark.parametrize("status", _STATUSES)
async def test_unlisted_code_is_no_refusal_under_any_status(
    subject: Subject,
    operation: Operation,
    status: int,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    """A status is a class of answers; unless its reference says so it ends no order."""
    subject.script_tokens(company)
    company.on(operation.path, Answer(status, message=_UNLISTED))
    is_final = status in subject.refuses_by and not operation.is_query
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(Rejected if is_final else OutcomeUnknown):
            await operation.call(adapter)
    assert len(company.received(operation.path)) == 1


# What companies, and those who stand in front of them, write where something went wrong.
TOLD_AS_TAKEN: dict[str, dict[str, Any]] = {
    "a code": {"message": {"code": "NEW_ONE", "message": "new"}},
    "a code of a list": {"message": {"code": "NOT_ENOUGH_FUNDS", "message": "not enough"}},
    "a code of an error": {"message": {"errorCode": "500.009.99", "errorMessage": "new"}},
    "an error": {"message": {"error": {"code": "NEW_ONE", "message": "new"}}},
    "a fault": {"message": {"fault": {"code": "999999", "message": "new"}}},
    "a refusal in front": {"message": {"statusCode": 401, "message": "Access denied"}},
    "a problem": {"message": {"type": "about:blank", "title": "new", "status": 400, "code": "9"}},
    "a page": {"body": b"<html>Request Rejected</html>", "content_type": "text/html"},
    "a sentence": {"body": b"Service unavailable", "content_type": "text/plain"},
    "a list": {"body": b'[{"code": "NEW_ONE"}]'},
    "half of it": {"body": b'{"code": "NEW_'},
}


@named([case for case in CASES if not case[1].is_query])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param(
            told, id=name, marks=[] if name in ("a code", "a problem", "a page") else _LONG
        )
        for name, told in TOLD_AS_TAKEN.items()
    ],
)
async def test_an_error_under_the_status_of_an_acceptance_is_neither_taken_nor_refused(
    subject: Subject,
    operation: Operation,
    told: dict[str, Any],
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    """It may have been taken, and the error be of what came after: nothing is sent again."""
    subject.script_tokens(company)
    company.on(operation.path, Answer(operation.success.status, **told))
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(OutcomeUnknown) as caught:
            await operation.call(adapter)
    assert len(company.received(operation.path)) == 1
    assert_discreet(caught.value)


@named(CASES)
@pytest.mark.parametrize("status", [500, pytest.param(404, marks=_LONG)])
async def test_words_of_success_under_another_status_prove_nothing(
    subject: Subject,
    operation: Operation,
    status: int,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    """A server that broke, or has no such place, may say anything: nothing was taken or paid."""
    subject.script_tokens(company)
    company.on(operation.path, replace(operation.success, status=status))
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(OutcomeUnknown):
            await operation.call(adapter)
    assert len(company.received(operation.path)) == 1


@named(CASES)
async def test_closed_port_is_unreachable(
    subject: Subject, operation: Operation, clock: HandClock, traced: list[Exchange]
) -> None:
    url = f"http://127.0.0.1:{companies.closed_port()}"
    async with built(subject, url, clock, traced) as adapter:
        with pytest.raises(Unreachable) as caught:
            await operation.call(adapter)
    assert_discreet(caught.value)


@named(CASES)
async def test_too_many_requests_is_throttled_for_as_long_as_they_say(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, Answer(429, headers=(("Retry-After", "42"),)))
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(Throttled) as caught:
            await operation.call(adapter)
    assert caught.value.retry_after_seconds == 42.0


@named(WITH_TOKEN)
@pytest.mark.parametrize("fault", ["closes", "is silent", "is an empty 500", "is a 200 page"])
async def test_without_a_token_nothing_was_sent(
    subject: Subject,
    operation: Operation,
    fault: str,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    for path in subject.token_paths:
        company.on(path, NO_EVIDENCE[fault])
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(Unreachable) as caught:
            await operation.call(adapter)
    assert company.received(operation.path) == []
    assert_discreet(caught.value)


@named(WITH_TOKEN)
async def test_refused_credentials_are_our_configuration_and_no_evidence_for_a_query(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company, subject.key_refused)
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(ProviderError) as caught:
            await operation.call(adapter)
    assert company.received(operation.path) == []
    if operation.is_query:
        assert type(caught.value) is OutcomeUnknown
    else:
        assert isinstance(caught.value, Rejected)
        assert caught.value.reason == Reason.CONFIGURATION
    assert_discreet(caught.value)


@named(WITH_TOKEN)
async def test_refused_token_is_renewed_and_the_request_repeated_once(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, subject.token_refused, operation.success)
    async with built(subject, company.url, clock, traced) as adapter:
        await operation.call(adapter)
    first, second = company.received(operation.path)
    assert first == second  # the same request, to the letter
    assert subject.token_requests(company) == 2


@named(WITH_TOKEN)
async def test_token_refused_twice_is_throttled_not_failed(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, subject.token_refused)
    async with built(subject, company.url, clock, traced) as adapter:
        with pytest.raises(Throttled) as caught:
            await operation.call(adapter)
    assert len(company.received(operation.path)) == 2
    assert_discreet(caught.value)


@named(WITH_TOKEN)
async def test_twenty_requests_share_one_token(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, operation.success)
    async with built(subject, company.url, clock, traced) as adapter:
        await asyncio.gather(*(operation.call(adapter) for _ in range(20)))
    assert subject.token_requests(company) == 1
    assert len(company.received(operation.path)) == 20


@named(WITH_TOKEN)
async def test_tokens_are_renewed_before_their_hour_is_over(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    subject.script_tokens(company)
    company.on(operation.path, operation.success)
    async with built(subject, company.url, clock, traced) as adapter:
        await operation.call(adapter)
        clock.seconds += 3590
        await operation.call(adapter)
    assert subject.token_requests(company) == 2


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_repr_of_adapter_and_settings_shows_no_secret(
    subject: Subject, clock: HandClock, traced: list[Exchange]
) -> None:
    settings = subject.settings("http://127.0.0.1:1")
    assert "http://127.0.0.1:1" in repr(settings)
    async with built(subject, "http://127.0.0.1:1", clock, traced) as adapter:
        assert_discreet(adapter, settings)


OPERATORS = [subject for subject in SUBJECTS if subject.name not in SMS]
KINDS: dict[str, tuple[str, ...]] = {
    "mpesa_ke": (
        "stk-callback",
        "b2c-result",
        "b2c-v1-result",
        "status-result",
        "reversal-result",
        "b2b-result",
    ),
    "mtn_ug": ("collection", "disbursement", "remittance"),
    "zamtel_zm": (),
    "airtel_ke": ("callback", "status"),
    "airtel_zm": ("callback", "status"),
    "orange_ci": ("callback", "status"),
    "orange_cm": ("callback", "status"),
    "orange_sn": ("callback", "status"),
    "orange_cd": ("callback", "status"),
}
GARBAGE = [b"", b"null", b"[]", b"{}", b"{", b"\xff\xfe", b'{"a":' * 5000, b"x" * 100_000]


ORDERS = [case for case in CASES if case[1].name.upper() in Direction.__members__]


@named(ORDERS)
async def test_an_order_that_may_be_repeated_bears_one_reference_each_time(
    subject: Subject,
    operation: Operation,
    company: Company,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    """Or the operator cannot know the second for the first, and whoever repeats it pays twice."""
    subject.script_tokens(company)
    company.on(operation.path, operation.success)
    async with built(subject, company.url, clock, traced) as adapter:
        if not adapter.facts.repeat_is_safe(Direction[operation.name.upper()]):
            return  # nobody repeats it
        references = adapter.references_of(subjects.ATTEMPT)
        for _ in range(2):
            await operation.call(adapter)
            clock.seconds += 7200
    sent = [
        f"{each.target} {each.headers} {each.body!r}" for each in company.received(operation.path)
    ]
    assert len(sent) == 2
    assert any(all(word in request for request in sent) for word in references)


@pytest.mark.parametrize("subject", OPERATORS, ids=lambda subject: subject.name)
async def test_callback_of_another_kind_or_shape_is_unreadable(
    subject: Subject, clock: HandClock, traced: list[Exchange]
) -> None:
    async with built(subject, "http://127.0.0.1:1", clock, traced) as adapter:
        for kind in (*KINDS[subject.name], "", "nonsense", "stk/../x\x00"):
            for body in GARBAGE:
                with pytest.raises(Unreadable):
                    adapter.read_callback(kind, body)


_WORDS = st.sampled_from(
    [
        *("Body", "stkCallback", "ResultCode", "CheckoutRequestID", "CallbackMetadata", "Item"),
        *("Name", "Value", "Key", "Amount", "PhoneNumber", "Result", "ResultParameters"),
        *("ResultParameter", "TransactionStatus", "TransactionAmount", "ReceiverPartyPublicName"),
        *("status", "reason", "code", "amount", "currency", "payer", "payee", "partyId", "MSISDN"),
        *("SUCCESSFUL", "Completed", "FAILED", "UGX", "KES", "partyIdType", "0", "1032", "\x00"),
        *("SUCCESS", "transactionData", "peerId", "payToken", "subscriberMsisdn", "value", "unit"),
        *("transaction", "status_code", "airtel_money_id", "id", "hash", "TS", "TF"),
    ]
)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | _WORDS
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=30,
)


@pytest.mark.long("hundreds of bodies for each; quick: another kind or shape is unreadable")
@pytest.mark.parametrize("subject", OPERATORS, ids=lambda subject: subject.name)
@given(tree=_TREES)
def test_any_callback_at_all_is_read_or_unreadable(subject: Subject, tree: Any) -> None:
    async def read() -> None:
        adapter: OperatorPort = subject.build("http://127.0.0.1:1", HandClock(), lambda _: None)
        body = msgspec.json.encode(tree)
        for kind in KINDS[subject.name]:
            for wrapped in (body, b'{"Body":{"stkCallback":' + body + b"}}"):
                try:
                    callback = adapter.read_callback(kind, wrapped)
                except Unreadable:
                    continue
                assert isinstance(callback, Callback)
                assert "\x00" not in callback.finding.code
                msgspec.json.decode(callback.redacted)
        await adapter.aclose()

    asyncio.run(read())


UNLISTED = ["PROCESSING", "SUCCESS", "successful", "Done", "", "0x0", "-0", "00", "999999", 4999]


STATUSES: dict[str, tuple[Subject, str, Callable[[Any], Any]]] = {
    "mpesa_ke push": (
        MPESA,
        "stk-callback",
        lambda word: {"Body": {"stkCallback": {"CheckoutRequestID": "x", "ResultCode": word}}},
    ),
    "mpesa_ke payout": (MPESA, "b2c-result", lambda word: {"Result": {"ResultCode": word}}),
    "mpesa_ke status": (
        MPESA,
        "status-result",
        lambda word: {"Result": {"ResultCode": 0, "ResultParameters": _status(word)}},
    ),
    "mpesa_ke query": (MPESA, "status-result", lambda word: {"Result": {"ResultCode": word}}),
    "mtn_ug": (MTN, "collection", lambda word: {"status": word, "reason": "NOT_ENOUGH_FUNDS"}),
    "airtel_ke": (
        AIRTEL,
        "callback",
        lambda word: {"transaction": {"id": "x", "status_code": word}},
    ),
}
"""Where a callback tells how it went. Orange's words are in its own tables; Zamtel calls nobody."""


def _status(word: Any) -> dict[str, Any]:
    return {"ResultParameter": [{"Key": "TransactionStatus", "Value": word}]}


@pytest.mark.parametrize("word", UNLISTED)
@pytest.mark.parametrize(("subject", "kind", "write"), STATUSES.values(), ids=STATUSES.keys())
async def test_unlisted_status_word_means_pending(
    subject: Subject,
    kind: str,
    write: Callable[[Any], Any],
    word: str | int,
    clock: HandClock,
    traced: list[Exchange],
) -> None:
    code = word or "999998"
    async with built(subject, "http://127.0.0.1:1", clock, traced) as adapter:
        finding = adapter.read_callback(kind, msgspec.json.encode(write(code))).finding
    assert (finding.outcome, finding.reason) == (Outcome.PENDING, None)
    assert finding.code == str(code)
