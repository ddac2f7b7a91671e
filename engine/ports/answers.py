"""What a company is answered with, and the word for one that is not who it claims to be."""

import msgspec


class Acknowledgement(msgspec.Struct, frozen=True):
    """What to answer an operator's callback with."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()  # more of them, names in lower case


FORGED = "forged"
"""The code of what claims to come from a gateway and does not."""
