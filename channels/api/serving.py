"""The one way of every request: who asks, may they, what do they ask, was it asked before, done.

What was read is written down before it is answered, what changes something before it is begun, as
its kind of callers wants it. It refuses to know any endpoint, and any kind of callers.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from channels.api.asking import (
    Asked,
    hash_as_sent,
    hash_of,
    read_call,
    read_headers,
    read_key,
    read_whole,
)
from channels.api.bearer import bearer_of
from channels.api.callers import Callers, Deed
from channels.api.endpoints import Again, AnyEndpoint, Call, check_table
from channels.api.in_time import in_time
from channels.api.meanings import MEANT, meaning_of
from channels.api.pace import Pace
from channels.api.problems import MEDIA_TYPE, Code, Refusal, write_problem
from engine.clock import Ids, is_id
from engine.correlation import speaking_of
from engine.errors import NotProven
from engine.memory import end_if_refused
from engine.once import Answered, Once, OtherRequest, Request, Taken, UnderWay
from engine.outages import server_away
from engine.payments.payment import read_code
from engine.tasks import beside
from providers.redaction import mask_digits, printable

C = TypeVar("C")
log = logging.getLogger(__name__)

_KEPT: Final = {400, 404, 409, 422}
"""Refusals that a repeat under the same key hears again; after others it is tried again, and after
`not_now` as well.
"""
_SUBJECT_LENGTH_MAX: Final = 64
_ANSWERED_AGAIN: Final = "answered again"
_REPLAYED: Final = {"idempotency-replayed": "true"}


class Answer(NamedTuple):
    """What goes back. `outcome` is what the log says of it."""

    status: int
    body: bytes
    outcome: str
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Serving(Generic[C]):
    """Answers the endpoints of one table under one prefix, to one kind of callers."""

    def __init__(
        self,
        *,
        callers: Callers[C],
        once: Once,
        ids: Ids,
        pace: Pace,
        address_of: Callable[[Scope], str],
        answer_seconds: float,
    ) -> None:
        """`address_of` says whence a request really came (`channels/sources.py`).

        `answer_seconds` is how long an answer may take, its reading included: less than a request
        counts as under way (`engine/once.py`), so that nobody takes up what still goes on.
        """
        self._callers = callers
        self._once = once
        self._ids = ids
        self._pace = pace
        self._address_of = address_of
        self.answer_seconds = answer_seconds

    def new_id(self) -> str:
        """A correlation id."""
        return self._ids.hex()

    def routes(self, prefix: str, table: tuple[AnyEndpoint, ...]) -> list[Route]:
        """One route for each path, and one behind them for every other. Raises ValueError."""
        check_table(table)
        paths: dict[str, dict[str, AnyEndpoint]] = {}
        for endpoint in table:
            paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        routes = [Route(prefix + path, self._at(methods)) for path, methods in paths.items()]
        nowhere = self._at({})
        return [*routes, Route(prefix, nowhere), Route(prefix + "/{rest:path}", nowhere)]

    def _at(self, methods: Mapping[str, AnyEndpoint]) -> "_Place":
        return _Place(self, methods)

    async def answer(
        self,
        methods: Mapping[str, AnyEndpoint],
        scope: Scope,
        receive: Receive,
        correlation_id: str,
    ) -> Answer:
        """The answer. Raises ClientDisconnect, nothing else."""
        with speaking_of(request=correlation_id):
            return await self._answer(methods, scope, receive, correlation_id)

    async def _answer(
        self,
        methods: Mapping[str, AnyEndpoint],
        scope: Scope,
        receive: Receive,
        correlation_id: str,
    ) -> Answer:
        try:
            endpoint = _endpoint(methods, scope["method"])
            asked = Asked(
                endpoint, scope["path_params"], scope["query_string"], read_headers(scope),
                correlation_id,
            )  # fmt: skip
            return await self._prove(asked, scope, receive)
        except Refusal as refusal:
            return _refused(refusal, correlation_id)
        except ClientDisconnect:
            raise
        except Exception as error:
            end_if_refused(error)
            server = server_away(error)
            if server is not None:
                log.warning("%s was answered that %s is away: %s", correlation_id, server, error)
                return _refused(Refusal(Code.AWAY, retry_after=5), correlation_id)
            log.exception("%s failed", correlation_id)
            return _refused(Refusal(Code.OUR_FAULT), correlation_id)

    async def _prove(self, asked: Asked, scope: Scope, receive: Receive) -> Answer:
        endpoint, address = asked.endpoint, self._address_of(scope)
        token = bearer_of(asked.headers)
        known = self._callers.recall(token) if token else None
        try:
            if known is not None:
                limits = self._callers.limits_of(known)
                # What they may is asked meanwhile; who came too often hears of nothing else.
                async with beside(self._callers.prove(token, fresh=endpoint.changes)) as proving:
                    told = await self._pace.seen(address, limits)
                    caller = await proving
            else:
                await self._pace.knock(address)
                if not token:
                    raise Refusal(Code.UNAUTHENTICATED)
                # Somebody who is about to change something is looked at as they stand now.
                caller = await self._callers.prove(token, fresh=endpoint.changes)
                told = await self._pace.proven(self._callers.limits_of(caller))
        except NotProven:
            log.warning("%s %s: not proven who asks", asked.correlation_id, endpoint.what)
            await self._pace.not_proven(address)
            raise Refusal(Code.UNAUTHENTICATED) from None
        try:
            answer = await self._permit(caller, asked, scope, receive)
        except Refusal as refusal:
            refusal.headers = {**told, **refusal.headers}
            raise
        return answer._replace(headers={**told, **answer.headers})

    async def _permit(self, caller: C, asked: Asked, scope: Scope, receive: Receive) -> Answer:
        endpoint = asked.endpoint
        if not self._callers.grants_of(caller) & endpoint.grants:
            await self._callers.write(caller, _unread(asked), Code.FORBIDDEN.word)
            allowed = ", ".join(sorted(endpoint.grants))
            raise Refusal(Code.FORBIDDEN, f"it is for {allowed}")
        try:
            return await self._serve(caller, asked, await read_whole(asked, scope, receive))
        except Refusal as refusal:  # what was read is answered; only what was not comes here
            await self._callers.write(caller, _unread(asked), refusal.code.word)
            raise

    async def _serve(self, caller: C, asked: Asked, body: bytes) -> Answer:
        """Raises Refusal for what cannot be read; nothing was written down of it."""
        endpoint = asked.endpoint
        if not endpoint.changes:
            return await self._show(caller, asked, body)
        if endpoint.keeps_key:
            return await self._change_with_key(caller, asked, body)
        return await self._change(caller, asked, body)

    async def _show(self, caller: C, asked: Asked, body: bytes) -> Answer:
        call = read_call(caller, asked, body)
        weight, told = getattr(call.query, "weight", 1), dict[str, str]()
        if weight > 1:
            told = await self._pace.heavier(self._callers.limits_of(caller), weight)
        answer = await _carry_out(asked, call)
        await self._callers.write(caller, _deed(asked, _subject(asked, call)), answer.outcome)
        return answer._replace(headers={**told, **answer.headers})

    async def _change_with_key(self, caller: C, asked: Asked, body: bytes) -> Answer:
        """The handler stores the key with what it does; it says itself what was done before."""
        key = read_key(asked)
        call = replace(
            read_call(caller, asked, body), key=key, hash=hash_of(asked, body),
            hash_as_sent=hash_as_sent(asked, body),
        )  # fmt: skip
        deed = _deed(asked, _subject(asked, call))
        end = await self._callers.begin(caller, deed)
        answer = await _carry_out(asked, call)
        await end(answer.outcome)
        return answer

    async def _change(self, caller: C, asked: Asked, body: bytes) -> Answer:
        key = read_key(asked)
        call = read_call(caller, asked, body)
        request = Request(self._callers.owner_of(caller), key, hash_of(asked, body))
        deed = _deed(asked, _subject(asked, call))
        taken = await self._once.take(request)
        if not isinstance(taken, Taken):
            answer = _before(taken, asked.correlation_id)
            await self._callers.write(caller, deed, answer.outcome)
            return answer
        end = await self._callers.begin(caller, deed)
        answer = await _carry_out(asked, replace(call, operation=taken.operation))
        is_kept = answer.status in _KEPT and answer.outcome != Code.NOT_NOW.word
        if answer.status < 300 or is_kept:
            await self._once.keep(request, taken, answer.status, answer.body)
        else:
            await self._once.give_back(request, taken)
        await end(answer.outcome)
        return answer


def short_routes(routes: Iterable[BaseRoute]) -> list[Route]:
    """The endpoints among them, each with its own methods: what `server.py` may call at once."""
    return [
        Route(route.path, route.endpoint, methods=list(route.endpoint.methods))
        for route in routes
        if isinstance(route, Route)
        and isinstance(route.endpoint, _Place)
        and route.endpoint.methods
    ]


class _Place:
    """The ASGI app of one path."""

    def __init__(self, serving: Serving[Any], methods: Mapping[str, AnyEndpoint]) -> None:
        self._serving = serving
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving, correlation_id = self._serving, self._serving.new_id()

        async def tell_late() -> None:
            late = _late(self.methods.get(scope["method"]), correlation_id)
            await _send_whole(late, correlation_id, send)

        answering = serving.answer(self.methods, scope, receive, correlation_id)
        try:
            answer = await in_time(serving.answer_seconds, answering, tell_late)
        except ClientDisconnect:
            return
        if answer is not None:
            await _send_whole(answer, correlation_id, send)


async def _send_whole(answer: Answer, correlation_id: str, send: Send) -> None:
    headers = {
        "content-type": answer.media_type,
        "content-length": str(len(answer.body)),
        "x-correlation-id": correlation_id,
        **answer.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _late(endpoint: AnyEndpoint | None, correlation_id: str) -> Answer:
    """What is answered when time is over. What changes something may have been done all the same.

    In the log of staff's actions it is as if the process had died: begun, with no outcome.
    """
    what = endpoint.what if endpoint is not None else "nothing we know"
    log.error("%s %s: it took too long", correlation_id, what)
    if endpoint is not None and endpoint.changes:
        return _refused(Refusal(Code.OUTCOME_UNKNOWN, retry_after=1), correlation_id)
    return _refused(Refusal(Code.AWAY, "it took too long", retry_after=5), correlation_id)


def _endpoint(methods: Mapping[str, AnyEndpoint], method: str) -> AnyEndpoint:
    if not methods:
        raise Refusal(Code.NOT_FOUND)
    if (endpoint := methods.get(method)) is None:
        raise Refusal(Code.METHOD_NOT_ALLOWED, allow=", ".join(sorted(methods)))
    return endpoint


def _subject(asked: Asked, call: Call[Any, Any, Any, Any]) -> str:
    name = asked.endpoint.subject
    if not name:
        return ""
    return str(asked.words.get(name) or getattr(call.body, name, ""))


def _deed(asked: Asked, subject: str) -> Deed:
    return Deed(asked.endpoint.what, subject, asked.correlation_id)


def _unread(asked: Asked) -> Deed:
    """Of a request whose words nobody checked: what is no id and no code may be anything."""
    word = asked.words.get(asked.endpoint.subject, "")
    if not is_id(word) and read_code(word) is None:
        word = mask_digits(printable(word, length_max=_SUBJECT_LENGTH_MAX))
    return _deed(asked, word)


async def _carry_out(asked: Asked, call: Call[Any, Any, Any, Any]) -> Answer:
    """The handler's answer, or the problem that its error means. Raises what no error means."""
    endpoint = asked.endpoint
    try:
        answer = await endpoint.handler(call)
    except Refusal as refusal:
        return _refused(refusal, asked.correlation_id)
    except MEANT as error:
        return _refused(meaning_of(error), asked.correlation_id)
    if isinstance(answer, Again):
        body = msgspec.json.encode(answer.answer)
        return Answer(endpoint.status, body, _ANSWERED_AGAIN, headers=_REPLAYED)
    return Answer(endpoint.status, msgspec.json.encode(answer), "ok")


def _before(earlier: Answered | UnderWay | OtherRequest, correlation_id: str) -> Answer:
    match earlier:
        case Answered(status, body):
            media_type = "application/json" if status < 300 else MEDIA_TYPE
            return Answer(status, body, _ANSWERED_AGAIN, media_type, _REPLAYED)
        case UnderWay(seconds):
            return _refused(Refusal(Code.UNDER_WAY, retry_after=seconds), correlation_id)
    return _refused(Refusal(Code.KEY_REUSED), correlation_id)


def _refused(refusal: Refusal, correlation_id: str) -> Answer:
    body = write_problem(refusal, correlation_id)
    return Answer(refusal.code.status, body, refusal.code.word, MEDIA_TYPE, refusal.headers)
