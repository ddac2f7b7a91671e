"""Who asks, from the header of a request. It never says what was wrong with a token."""

from collections.abc import Mapping

from channels.api.problems import Code, Refusal

SCHEME = "bearer"


def bearer_of(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`. Raises Refusal UNAUTHENTICATED when there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != SCHEME or not token:
        raise Refusal(Code.UNAUTHENTICATED)
    return token
