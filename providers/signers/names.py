"""What a key may be called: a name that is safe in a path of files and in one of an API."""

import re
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def is_key_name(name: str) -> bool:
    """Small letters, digits, `_` and `-`, the first one a letter or a digit; 64 at most."""
    return _NAME.fullmatch(name) is not None
