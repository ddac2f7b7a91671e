"""The codes that were dialled on one phone, the latest first, and a cursor among them."""

CALLS_MAX = 10


class Calls:
    """The list behind the green key. A code stands in it once."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._at = 0

    def __bool__(self) -> bool:
        return bool(self._codes)

    @property
    def chosen(self) -> str:
        """The code under the cursor."""
        return self._codes[self._at]

    def add(self, code: str) -> None:
        """It was dialled just now."""
        others = [other for other in self._codes if other != code]
        self._codes = [code, *others][:CALLS_MAX]

    def open(self) -> None:
        """The cursor begins at the latest."""
        self._at = 0

    def move(self, by: int) -> None:
        """To an older (+1) or newer (-1) one; behind the last comes the first."""
        self._at = (self._at + by) % len(self._codes)

    def describe(self) -> str:
        """The list, marked by a sign."""
        return "\n".join(
            f"{'▶' if index == self._at else ' '} {code}" for index, code in enumerate(self._codes)
        )
