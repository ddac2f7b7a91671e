"""Whether a text holds a secret: four digits are soon found in a random id, as nobody's."""

import re


def holds(text: str, secret: str) -> bool:
    """As a word of its own: beside other digits, also of base 16, it is part of an id."""
    return re.search(rf"(?<![0-9a-f]){re.escape(secret)}(?![0-9a-f])", text) is not None
