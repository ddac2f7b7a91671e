"""The description of the API for clients (OpenAPI 3.1.0), made from the table and its own types.

Whatever a request may hold and an answer be is read from where it is decided, never said twice. It
refuses to describe by hand: what is missing here is missing in the table.
"""

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec

from channels.api.asking import KEY_PATTERN
from channels.api.endpoints import AnyEndpoint, Nothing
from channels.api.problems import MEDIA_TYPE, Code, Problem

VERSION: Final = "1"
_REFERENCE: Final = "#/components/schemas/{name}"
_ALWAYS: Final = frozenset(
    {
        Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.MALFORMED, Code.TOO_LARGE,
        Code.WRONG_MEDIA_TYPE, Code.TOO_MANY, Code.AWAY, Code.OUR_FAULT,
    }
)  # fmt: skip
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "new for each thing you want; the same again is answered byte for byte",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_HEADERS: Final = {
    "X-Correlation-Id": {
        "description": "under which our log tells the rest",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "how many (`r`) may still come in the next `t` seconds, by each limit",
        "schema": {"type": "string", "examples": ['"key";r=5999;t=60, "tenant";r=59999;t=60']},
    },
    "RateLimit-Policy": {
        "description": "how many (`q`) may come in how many seconds (`w`), by each limit",
        "schema": {"type": "string", "examples": ['"key";q=6000;w=60, "tenant";q=60000;w=60']},
    },
    "Retry-After": {
        "description": "in how many seconds to send the same again, where that is known",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"schema": {"const": "Bearer"}},
    "Idempotency-Replayed": {
        "description": "`true` when the same request was answered before",
        "schema": {"const": "true"},
    },
}
_ALWAYS_TOLD: Final = ("X-Correlation-Id", "RateLimit", "RateLimit-Policy")
_LATER: Final = {Code.UNDER_WAY, Code.TOO_MANY, Code.AWAY, Code.OUTCOME_UNKNOWN}
"""Refusals that come with `Retry-After`."""
_SIGNED: Final = {
    "webhook-id": "of the event: the same however often it is sent; do nothing twice for one",
    "webhook-timestamp": "seconds since 1970 when this try was signed",
    "webhook-signature": "`v1,` and HMAC-SHA256 over `id.timestamp.body` in base64; the key is what"
    " stands in base64 behind `whsec_`. Several, with blanks between, while a secret is rotated",
}


def describe(
    prefix: str, table: Iterable[AnyEndpoint], messages: Sequence[type[msgspec.Struct]] = ()
) -> bytes:
    """The whole description as JSON: the same bytes for the same table.

    `messages` are bodies that we send to who subscribed. Its server is named from where the
    description itself stands (OpenAPI 3.1.0, 4.8.5), one level above `prefix`: below a tenant's
    name, behind a host of its own, behind any proxy.
    """
    endpoints = tuple(table)
    _, components = msgspec.json.schema_components(
        [*_bodies(endpoints), *messages, Problem], ref_template=_REFERENCE
    )
    for schema in components.values():
        schema["description"] = cleandoc(schema["description"])  # else Markdown takes it for code
    for kind in _bodies(endpoints):
        _say_which(kind, components[kind.__name__])
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        place = paths.setdefault(endpoint.path, {})
        place[endpoint.method.lower()] = _operation(endpoint)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "CAPP for businesses",
                "version": VERSION,
                "description": "Mobile money from wallet to wallet. Amounts are whole minor units;"
                " every POST wants an `Idempotency-Key`; a refusal is a problem (RFC 9457) whose"
                " `code` never changes its meaning.",
            },
            "servers": [{"url": prefix.removeprefix("/")}],
            "paths": paths,
            **(
                {"webhooks": {kind.__name__: _message(kind) for kind in messages}}
                if messages
                else {}
            ),
            "components": {
                "schemas": components,
                "headers": _HEADERS,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def codes_of(endpoint: AnyEndpoint) -> frozenset[Code]:
    """Every problem that an endpoint may answer with."""
    codes = _ALWAYS | endpoint.refuses
    if endpoint.path_type is not Nothing:
        codes |= {Code.NOT_FOUND}
    if endpoint.changes:
        codes |= {Code.KEY_MISSING, Code.KEY_REUSED, Code.OUTCOME_UNKNOWN}
    if endpoint.changes and not endpoint.keeps_key:
        codes |= {Code.UNDER_WAY}
    return codes


def _bodies(endpoints: Iterable[AnyEndpoint]) -> list[type[msgspec.Struct]]:
    """Types that stand in bodies, each once, in the order of the table."""
    kinds = [kind for e in endpoints for kind in (e.body_type, e.answer_type)]
    return [kind for kind in dict.fromkeys(kinds) if kind is not Nothing]


def _say_which(kind: type[msgspec.Struct], schema: dict[str, Any]) -> None:
    """Sets of fields of which exactly one must be there: types alone cannot say it."""
    choices: tuple[tuple[str, ...], ...] = getattr(kind, "ONE_OF", ())
    with_any: tuple[str, ...] = getattr(kind, "WITH_ANY", ())  # beside each of them, or not
    if choices:
        properties = schema.pop("properties")
        del schema["additionalProperties"], schema["required"]
        schema["oneOf"] = [
            {
                "type": "object",
                "properties": {name: properties[name] for name in (*names, *with_any)},
                "required": list(names),
                "additionalProperties": False,
            }
            for names in choices
        ]


def _operation(endpoint: AnyEndpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.what,
        "summary": endpoint.summary,
        "security": [{"key": [scope]} for scope in sorted(endpoint.grants)],
        "parameters": [
            *_parameters(endpoint.path_type, "path"),
            *_parameters(endpoint.query_type, "query"),
            *([_KEY] if endpoint.changes else []),
        ],
        "responses": {str(endpoint.status): _success(endpoint), **_refusals(endpoint)},
    }
    if endpoint.body_type is not Nothing:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _named(endpoint.body_type)}},
        }
    return operation


def _parameters(kind: type[msgspec.Struct], place: str) -> list[dict[str, Any]]:
    if kind is Nothing:
        return []
    _, components = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    schema = components[kind.__name__]
    required = {*schema["required"]}
    return [
        {"name": name, "in": place, "required": name in required, "schema": told}
        for name, told in schema["properties"].items()
    ]


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "post": {
            "operationId": "be_told",
            "summary": "What you are told at an address that you subscribed: at least once",
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": told,
                 "schema": {"type": "string"}}
                for name, told in _SIGNED.items()
            ],
            "requestBody": {
                "required": True, "content": {"application/json": {"schema": _named(kind)}},
            },
            "responses": {
                "2XX": {"description": "you heard it; answer within 15 seconds, work afterwards"},
                "default": {"description": "it is sent again, under the same `webhook-id`"},
            },
        }
    }  # fmt: skip


def _success(endpoint: AnyEndpoint) -> dict[str, Any]:
    replayed = ("Idempotency-Replayed",) if endpoint.changes else ()
    return {
        "description": endpoint.summary,
        "headers": _told(*_ALWAYS_TOLD, *replayed),
        "content": {"application/json": {"schema": _named(endpoint.answer_type)}},
    }


def _refusals(endpoint: AnyEndpoint) -> Mapping[str, Any]:
    by_status: dict[int, list[Code]] = {}
    for code in Code:
        if code in codes_of(endpoint):
            by_status.setdefault(code.status, []).append(code)
    return {str(status): _refusal(codes) for status, codes in sorted(by_status.items())}


def _refusal(codes: list[Code]) -> dict[str, Any]:
    words = [code.word for code in codes]
    headers = [*_ALWAYS_TOLD]
    if Code.UNAUTHENTICATED in codes:
        headers = ["X-Correlation-Id", "WWW-Authenticate"]
    elif _LATER & {*codes}:
        headers.append("Retry-After")
    one_of_these = {"properties": {"code": {"enum": words}}}
    schema = {"allOf": [_named(Problem), one_of_these]}
    return {
        "description": "; ".join(f"`{code.word}`: {code.value.title}" for code in codes),
        "headers": _told(*headers),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def _told(*headers: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _named(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
