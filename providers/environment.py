"""The environment as providers read it: `CAPP_<PROVIDER>_<NAME>`, all that lacks named at once.

It knows no provider, and it never shows a value.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from providers.timeouts import DEFAULT_TIMEOUTS, Timeouts


class MissingSettings(ValueError):
    """Variables the chosen providers need and the environment lacks: all of them at once."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        super().__init__("missing in the environment: " + ", ".join(self.names))


class SenselessSettings(ValueError):
    """A variable names nobody we know, or holds what its adapter cannot use."""


class Environment:
    """The variables of one provider: `CAPP_<PROVIDER>_<NAME>`. A blank one counts as missing."""

    def __init__(self, variables: Mapping[str, str], prefix: str, *required: str) -> None:
        """Raises MissingSettings when one of the `required` names has no value."""
        self._variables = variables
        self._prefix = prefix
        missing = [prefix + name for name in required if not self.text(name)]
        if missing:
            raise MissingSettings(missing)

    def text(self, name: str) -> str:
        """The value of a variable, "" when it has none."""
        return self._variables.get(self._prefix + name, "").strip()

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the texts that are set, by the names of settings: `PATH` is `path`."""
        return {name.lower(): self.text(name) for name in names if self.text(name)}

    def whole(self, name: str, *, default: int) -> int:
        """A whole number. Raises SenselessSettings, naming the variable."""
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdigit()):
            raise SenselessSettings(f"{self._prefix}{name} must be a whole number")
        return int(text)

    def positive(self, name: str) -> float | None:
        """A decimal number above zero; None without one. Raises SenselessSettings, naming it."""
        text = self.text(name)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text):
            raise SenselessSettings(f"{self._prefix}{name} must be a number above zero")
        return float(text)

    def line(self, *, usual: Timeouts = DEFAULT_TIMEOUTS) -> dict[str, Any]:
        """How we call: timeouts, connections and pace, as every operator's settings take them."""
        return {
            "timeouts": Timeouts(
                connect_seconds=self.positive("CONNECT_SECONDS") or usual.connect_seconds,
                read_seconds=self.positive("READ_SECONDS") or usual.read_seconds,
                pool_seconds=self.positive("POOL_SECONDS") or usual.pool_seconds,
            ),
            "connections": max(1, self.whole("CONNECTIONS", default=100)),
            "per_second": self.positive("PER_SECOND"),
        }

    def names(self, name: str) -> tuple[str, ...]:
        """Names of operators (`airtel_ug`), with commas. Raises SenselessSettings, naming it."""
        found = tuple(word.strip() for word in self.text(name).split(",") if word.strip())
        if not all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*_[a-z]{2}", word) for word in found):
            raise SenselessSettings(
                f"{self._prefix}{name} must be names of operators with commas between"
            )
        return found

    def path_word(self, name: str) -> str:
        """A word of an address, "" without one. Raises SenselessSettings, naming the variable."""
        text = self.text(name)
        if text and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
            raise SenselessSettings(
                f"{self._prefix}{name} must be small letters and digits, and dashes"
            )
        return text

    def currency(self, name: str, *, default: str) -> str:
        """A currency's ISO code. Raises SenselessSettings, naming the variable."""
        code = self.text(name) or default
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise SenselessSettings(f"{self._prefix}{name} must be the code of a currency")
        return code

    def pem(self, name: str) -> bytes:
        """A PEM text, or the path of a file that holds one. Raises SenselessSettings, naming it."""
        text = self.text(name)
        if text.startswith("-----BEGIN"):
            return text.replace("\\n", "\n").encode()  # one line, as some shells need it
        try:
            return Path(text).read_bytes()
        except OSError as error:
            raise SenselessSettings(f"{self._prefix}{name} is no readable file") from error
