"""Whether a key was drawn at random, as far as that can be seen. Pure; it knows no use of one.

It stands apart from the tokens, for whoever reads the environment asks, and needs no more of them.
"""

from typing import Final

KEY_BYTES_MIN: Final = 32
"""As many as the hash of a token has (RFC 7518 section 3.2)."""
KEY_SIGNS_MIN: Final = 12
"""So many different bytes: of 32 random ones fewer are different once in 10^25 keys."""


def is_weak(key: bytes) -> bool:
    """Whether nobody drew this key at random: too short, or one sign over and over."""
    return len(key) < KEY_BYTES_MIN or len(set(key)) < KEY_SIGNS_MIN
