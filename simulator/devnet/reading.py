"""What a request asks, read from its path, query, headers and body; and how an answer is put.

It knows no path and no chain; what cannot be read is refused as a node does.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.devnet.addresses import parse_address
from simulator.devnet.node import Sight
from simulator.devnet.refusals import Refused, invalid_input, not_found

BODY_MAX_BYTES = 8 * 1024 * 1024
PAGE, PAGE_MAX = 25, 100


def json_answer(content: object, status: int = 200) -> Response:
    """A JSON answer with exactly `application/json` as its content type."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def body_of(request: Request, wanted: str) -> bytes:
    """The body, when it is of the wanted type and not too long. Raises `Refused`."""
    if int(request.headers.get("content-length", 0)) > BODY_MAX_BYTES:
        raise Refused(413, "web_framework_error", "the body is over 8 MB")
    if (given := content_type_of(request)) != wanted:
        raise Refused(415, "web_framework_error", f"{given!r} is not taken here, only {wanted}")
    return await request.body()


def content_type_of(request: Request) -> str:
    """The content type, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip()


def refuse_other_version(request: Request, sight: Sight) -> None:
    """State is kept for the latest version only, as on a node that prunes everything else."""
    given = request.query_params.get("ledger_version")
    if given is None:
        return
    version = whole_number("ledger_version", given)
    if version > sight.version:
        raise not_found("version", f"Ledger version({version})", sight.version)
    if version < sight.version:
        raise Refused(410, "version_pruned", f"Ledger version({version}) has been pruned")


def address_of(request: Request) -> bytes:
    """The address in the path. Raises `Refused`."""
    try:
        return parse_address(request.path_params["address"])
    except ValueError as error:
        raise invalid_input(f"failed to parse path `address`: {error}") from error


def hash_of(request: Request) -> bytes:
    """The 32 bytes in the path. Raises `Refused`."""
    try:
        found = bytes.fromhex(request.path_params["hash"].removeprefix("0x"))
    except ValueError as error:
        raise invalid_input(f"failed to parse path `txn_hash`: {error}") from error
    if len(found) != 32:
        raise invalid_input("failed to parse path `txn_hash`: it has 32 bytes")
    return found


def limit_of(request: Request) -> int:
    """How many of a list, at most a page. Raises `Refused`."""
    limit = whole_number("limit", request.query_params.get("limit", str(PAGE)))
    if limit == 0:
        raise invalid_input("Given limit value (0) must not be zero")
    return min(limit, PAGE_MAX)


def start_of(request: Request) -> int | None:
    """Where a list begins; None: at the latest. Raises `Refused`."""
    start = request.query_params.get("start")
    return None if start is None else whole_number("start", start)


def whole_number(name: str, text: str | None) -> int:
    """A number without sign. Raises `Refused`."""
    if text is None or not (text.isascii() and text.isdigit()):
        raise invalid_input(f"failed to parse query parameter `{name}`: {text!r}")
    return int(text)


def flag_of(request: Request, name: str) -> bool:
    """Whether a flag is set."""
    return request.query_params.get(name, "").lower() == "true"
