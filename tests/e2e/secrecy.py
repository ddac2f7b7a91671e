"""What the run has typed and dialled, so that a last test can look for it where it must not be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from simulator.stack import Stack


@dataclass(frozen=True)
class Places:
    """Where one stack leaves what it writes."""

    folder: Path
    database_url: str
    redis_url: str


@dataclass
class Typed:
    """Everything secret or private that went through the phones of this run."""

    pins: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)  # cumulative USSD texts that hold a PIN
    msisdns: set[str] = field(default_factory=set)  # with plus
    stacks: list[Places] = field(default_factory=list)

    def watch(self, stack: Stack) -> None:
        """What this stack writes is searched too, also after it has ended."""
        self.stacks.append(Places(stack.folder, stack.database_url, stack.redis_url))

    def note(self, text: str) -> None:
        """Remember a text as the gateway sent it, if there is a PIN in it."""
        if any(pin in self.pins for pin in text.split("*")):
            self.texts.add(text)

    def secret_pattern(self) -> re.Pattern[bytes]:
        """PINs the way programs print them: as a whole text, between stars, or quoted.

        Four digits alone are in every timestamp, so a PIN counts with its surroundings only; one
        with more digits (somebody types another secret) counts anywhere.
        """
        found = {re.escape(text) for text in self.texts}
        found |= {re.escape(quote(text, safe="")) for text in self.texts}
        for pin in self.pins:
            if len(pin) > 4:
                found.add(pin)
                continue
            found |= {rf"\*{pin}(?!\d)", rf"%2A{pin}(?!\d)", rf"(?<!\d){pin}\*"}
            found |= {f"'{pin}'", f'"{pin}"', rf"\bpin\W{{1,3}}{pin}\b"}
        return re.compile("|".join(sorted(found)).encode(), re.IGNORECASE)

    def number_pattern(self) -> re.Pattern[bytes]:
        """Full numbers, with or without country code."""
        national = {msisdn[4:] for msisdn in self.msisdns}
        return re.compile("|".join(sorted(national)).encode())


def leaks(pattern: re.Pattern[bytes], content: bytes) -> Iterator[str]:
    """The surroundings of every hit, for a failure that shows where to look."""
    for hit in pattern.finditer(content):
        start, end = max(hit.start() - 80, 0), hit.end() + 40
        yield content[start:end].decode(errors="replace")
