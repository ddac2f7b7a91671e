"""What the API answers when it does not do what was asked: problem details (RFC 9457).

Every refusal has a code that never changes its meaning, a sentence that says what to do, and the
correlation id under which the log tells the rest. No problem repeats what was sent.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

MEDIA_TYPE = "application/problem+json"


class _Known(NamedTuple):
    status: int
    title: str
    remedy: str


class Code(Enum):
    """Every problem there is. The name in lower case is the stable code."""

    UNAUTHENTICATED = _Known(
        401, "Nobody can tell who asks", "send `Authorization: Bearer` with a token that is good"
    )
    FORBIDDEN = _Known(403, "This token may not do that", "use one that may, as `detail` says")
    NOT_FOUND = _Known(
        404, "There is nothing here", "look at the address, or at what `detail` names"
    )
    METHOD_NOT_ALLOWED = _Known(405, "Not with this method", "see the header `Allow`")
    MALFORMED = _Known(400, "The request cannot be read", "mend what `detail` names")
    TOO_LARGE = _Known(413, "The body is too large", "send less")
    WRONG_MEDIA_TYPE = _Known(415, "The body is no JSON", "send `Content-Type: application/json`")
    KEY_MISSING = _Known(
        400,
        "The request has no idempotency key",
        "send `Idempotency-Key`, 8 to 64 letters, digits, `-` or `_`, new for each thing you want",
    )
    KEY_REUSED = _Known(
        422,
        "The idempotency key stands for another request",
        "nothing was done now: to hear what became of the first, send that again; a new key is for"
        " something new, and does it once more",
    )
    UNDER_WAY = _Known(
        409, "The same request is being carried out", "send it again after `Retry-After` seconds"
    )
    NOT_LEGAL = _Known(409, "The rules do not allow it as things stand", "see `detail`")
    SAME_PERSON = _Known(
        409, "Whoever asked for something cannot agree to it", "let somebody else decide"
    )
    ALREADY_DECIDED = _Known(409, "It was decided before", "see what was decided")
    ALREADY_PROPOSED = _Known(
        409, "The same is proposed already", "let that one be approved or rejected first"
    )
    TOO_SOON = _Known(429, "That was done a moment ago", "come again after `Retry-After` seconds")
    TOO_MANY = _Known(
        429, "Too many requests", "come again after `Retry-After` seconds; see `RateLimit`"
    )
    NOT_POSSIBLE = _Known(
        422, "The payment cannot be made as it was asked for", "see `reason`, and ask for another"
    )
    NOT_NOW = _Known(
        409, "It cannot be done now", "nothing has moved: send it again later, with the same key"
    )
    NOT_A_CUSTOMER = _Known(
        422, "The payer is no customer", "ask the payer to dial and register first"
    )
    QUOTE_TAKEN = _Known(
        409, "The quote was taken under another idempotency key", "ask for a new quote"
    )
    NO_ANSWER = _Known(
        502, "The operator did not answer", "nothing is decided by that: ask again later"
    )
    OUTCOME_UNKNOWN = _Known(
        504,
        "It took too long, and nobody can say yet whether it was done",
        "send the same again with the same key: what was done is answered, and nothing done twice",
    )
    AWAY = _Known(503, "Something we need is away", "send the same again with the same key")
    OUR_FAULT = _Known(500, "This is our fault", "tell us the correlation id")

    @property
    def word(self) -> str:
        """The stable code."""
        return self.name.lower()

    @property
    def status(self) -> int:
        return self.value.status


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every refusal. `code` is for programs, `detail` and `what_to_do` for people.

    `reason` names the rule where there are several, of `not_possible` and `not_now`; for programs.
    """

    type: str
    title: str
    status: int
    code: str
    what_to_do: str
    correlation_id: str
    detail: str = ""
    reason: str = ""  # which rule it was, where there are several; stable like the code


class Refusal(Exception):
    """A request is answered with a problem. `detail` says nothing that was sent."""

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        reason: str = "",
        retry_after: int | None = None,
        allow: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(code.word)
        self.code = code
        self.detail = detail
        self.reason = reason
        self.headers: dict[str, str] = dict(headers)
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        if allow:
            self.headers["allow"] = allow
        if code is Code.UNAUTHENTICATED:
            self.headers["www-authenticate"] = "Bearer"


def write_problem(refusal: Refusal, correlation_id: str) -> bytes:
    """The body of a refusal."""
    known: _Known = refusal.code.value
    problem = Problem(
        f"urn:capp:problem:{refusal.code.word}", known.title, known.status, refusal.code.word,
        known.remedy, correlation_id, refusal.detail, refusal.reason,
    )  # fmt: skip
    return msgspec.json.encode(problem)
