"""Who asks, from the header of a request. It never says what was wrong with a token."""

from collections.abc import Mapping

SCHEME = "bearer"


def bearer_of(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`; "" when there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == SCHEME else ""
