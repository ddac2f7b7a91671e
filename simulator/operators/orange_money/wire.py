"""Orange Money's words: error bodies of three fronts, amounts, numbers, receipts.

Facts: reference orange-money.md, sections 1.5, 3 and 4. Knows no state and moves no money.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import FaultAnswers, Refusal
from simulator.operators.admin import json_response

_HTML = "<html><body>Service temporarily unavailable</body></html>"
_WITHOUT_DECIMALS = frozenset({"XOF", "XAF", "GNF"})
_WHOLE = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Words:
    """The error bodies of one front."""

    error: Callable[[int, str, str], Response]  # status, the front's own code, a sentence
    missing: str
    unknown: str
    expired: str
    no_path: str

    def not_found(self) -> Response:
        """404, also for a reference that nobody knows."""
        return self.error(404, self.no_path, "Resource not found")

    def bad_request(self, why: str) -> Response:
        """400. Its code is this sandbox's own: no list of business errors was published."""
        return self.error(400, "25", why)


def _gateway(status: int, code: str, message: str) -> Response:
    return json_response({"code": int(code), "message": message, "description": message}, status)


def _fault(status: int, code: str, message: str) -> Response:
    fault = {"code": int(code), "message": message, "description": message}
    return json_response({"fault": fault}, status)


def _problem(status: int, code: str, message: str) -> Response:
    body = {"type": "about:blank", "title": message, "status": status, "code": code}
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/problem+json"
    )


GATEWAY = Words(_gateway, missing="40", unknown="41", expired="42", no_path="60")
FAULT = Words(_fault, missing="900902", unknown="900901", expired="900901", no_path="404")
PROBLEM = Words(_problem, missing="40", unknown="41", expired="42", no_path="60")

FAULT_ANSWERS: FaultAnswers = {
    "error_500": lambda: json_response({"message": "Internal server error"}, 500),
    "error_503": lambda: Response(_HTML, status_code=503, media_type="text/html"),
    "throttle_429": lambda: Response(status_code=429),
    "html_200": lambda: Response(_HTML, media_type="text/html"),
}


async def read_json(request: Request) -> dict[str, Any]:
    """The request's JSON object, or nothing when it is something else."""
    try:
        values = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return {}
    return values if isinstance(values, dict) else {}


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, the first of each name."""
    fields = parse_qs((await request.body()).decode("latin-1"))
    return {name: values[0] for name, values in fields.items()}


class Reader:
    """Takes fields out of a body; the first that does not fit is a 400 that names it."""

    def __init__(self, values: dict[str, Any], words: Words) -> None:
        self._values = values
        self._words = words

    def text(self, name: str, *, length_max: int = 256) -> str:
        value = self._values.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= length_max:
            raise self.wrong(name)
        return value

    def digits(self, name: str, length: int | None = None) -> str:
        value = self.text(name)
        if not (value.isascii() and value.isdigit()) or length not in (None, len(value)):
            raise self.wrong(name)
        return value

    def one_of(self, name: str, *allowed: str) -> str:
        value = self.text(name)
        if value not in allowed:
            raise self.wrong(name)
        return value

    def child(self, name: str) -> Reader:
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name)
        return Reader(value, self._words)

    def amount_minor(self, name: str, currency: str, *, as_text: bool = False) -> int:
        """Whole units above zero: a JSON number, or digits in a string where that is the rule."""
        value = self._values.get(name)
        right_type = isinstance(value, str) if as_text else type(value) is int
        if not right_type or not _WHOLE.fullmatch(str(value)):
            raise self.wrong(name)
        return int(str(value)) * unit_minor(currency)

    def wrong(self, name: str) -> Refusal:
        return Refusal(self._words.bad_request(f"{name} is missing or malformed"))


def unit_minor(currency: str) -> int:
    """Minor units in a major one."""
    return 1 if currency in _WITHOUT_DECIMALS else 100


def transaction_number(now: datetime, kind: str, letters: str) -> str:
    """`MP260101.1341.A00001`: two letters, day, minute, and what makes it unique."""
    return f"{kind}{now:%y%m%d.%H%M}.{letters}"
