"""The environment's words, read as what they mean. Every fault is kept, none repeats a value."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from channels.sources import Networks, read_networks
from engine.money import CURRENCIES
from engine.privacy.retention import KINDS as RETENTION_KINDS
from engine.staff.weak_keys import KEY_BYTES_MIN as STAFF_KEY_BYTES_MIN
from engine.staff.weak_keys import is_weak

KEY_BYTES_MIN = 16
SEALING_KEY_BYTES = 32
KEPT_DAYS_MIN = 35
"""What is younger is still needed: statements come late, and traces are counted so long."""
KEPT_DAYS_MAX = 36_500
"""A century: what a calendar counts back."""
_TOKEN = re.compile(rf"[0-9A-Za-z._~-]{{{KEY_BYTES_MIN * 2},}}")  # a word of a path as it stands

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\]")
_ORIGIN = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?")

_PUBLIC = re.compile(
    r"https?://(?:[^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#]*)?", re.IGNORECASE
)
_PLACE = re.compile(r"(?:[^\s:\[\]]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")  # a host and its port
PORT_MAX: Final = 65535
POSTGRES: Final = frozenset({"postgresql", "postgres"})
REDIS: Final = frozenset({"redis", "rediss", "redis+cluster", "rediss+cluster", "unix"})
SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})


class BadSettings(ValueError):
    """The environment cannot be used; the message lists every variable and what is wrong."""


class BadArgument(ValueError):
    """What stands behind a command cannot be used; the message names it."""


class Reader:
    """Collects faults instead of stopping at the first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def wrong(self, name: str, why: str) -> None:
        """Values are never repeated: they may be secrets."""
        self.faults.append(f"{name}: {why}")

    def text(self, name: str) -> str:
        value = self._environment.get(name, "").strip()
        if not value:
            self.wrong(name, "is missing")
        return value

    def database(self) -> str:
        """`DATABASE_URL`, as the driver takes it."""
        like = "postgresql://user:password@host:5432/capp"
        address = self._server("DATABASE_URL", POSTGRES, like)
        asked = dict(parse_qsl(urlsplit(address).query)) if address else {}
        if asked.get("sslmode", "prefer") not in SSL_MODES:
            self.wrong("DATABASE_URL", f"sslmode must be one of {', '.join(sorted(SSL_MODES))}")
        return address

    def redis(self) -> str:
        """`REDIS_URL`, of one server or of a cluster."""
        return self._server("REDIS_URL", REDIS, "redis://:password@host:6379/0")

    def _server(self, name: str, schemes: frozenset[str], like: str) -> str:
        """An address that may hold a password; "" for one that drivers would take apart wrongly."""
        address = self.text(name)
        if not address or _is_server(address, schemes):
            return address
        self.wrong(name, f"wants {like} (in a password # / ? @ are written %23 %2F %3F %40)")
        return ""

    def public_address(self, name: str) -> str:
        """How the world reaches us, without a slash at its end."""
        address = self.text(name).rstrip("/")
        if address and not _PUBLIC.fullmatch(address):
            self.wrong(name, "wants http(s)://host[:port][/path]")
        return address

    def path(self, name: str) -> str:
        """The name of a file; none is empty."""
        return self._environment.get(name, "").strip()

    def folder(self, name: str) -> Path | None:
        """One that is there; None where nobody named any."""
        value = self.path(name)
        if value and not Path(value).is_dir():
            self.wrong(name, "is not a folder")
        return Path(value) if value else None

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """One of these words; the first where nothing is set."""
        value = self._environment.get(name, "").strip() or among[0]
        if value not in among:
            self.wrong(name, f"must be one of {', '.join(among)}")
            return among[0]
        return value

    def words(self, name: str, default: str) -> list[str]:
        value = self._environment.get(name) or default
        return [word.strip() for word in value.split(",") if word.strip()]

    def number(self, name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
        value = self._environment.get(name) or str(default)
        if not value.isascii() or not value.isdigit():
            self.wrong(name, "is not a whole number")
            return default
        number = int(value)
        if number < low or (high is not None and number > high):
            self.wrong(name, f"must be {low} or more" + (f", up to {high}" if high else ""))
            return default  # what follows from it is not found at fault as well
        return number

    def moment(self, name: str) -> float:
        """Epoch seconds of a moment with its offset; 0 where nothing is set."""
        value = self.path(name)
        if not value:
            return 0.0
        with contextlib.suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.timestamp()
        self.wrong(name, "wants a moment like 2026-03-01T02:40:00Z, with Z or an offset")
        return 0.0

    def networks(self, name: str) -> Networks:
        """Addresses and networks (CIDR) of either kind; none is empty."""
        try:
            return read_networks(self.words(name, ""))
        except ValueError:
            self.wrong(name, "wants addresses or networks like 192.0.2.0/24, with commas between")
            return ()

    def hosts(self, name: str) -> frozenset[str]:
        """Names of hosts, without scheme or port."""
        words = [word.lower() for word in self.words(name, "")]
        if not all(_HOST.fullmatch(word) for word in words):
            self.wrong(name, "wants names of hosts like pay.example.org, with commas between")
        return frozenset(words)

    def origins(self, name: str) -> frozenset[str]:
        """Origins as browsers write them. A star is none: everybody's page is nobody's."""
        words = self.words(name, "")
        if not all(_ORIGIN.fullmatch(word) for word in words):
            self.wrong(name, "wants origins like https://shop.example.org, with commas between")
        return frozenset(words)

    def token(self, name: str) -> str:
        """A word of an address that nobody can guess."""
        token = self.text(name)
        if token and not _TOKEN.fullmatch(token):
            self.wrong(name, f"wants {KEY_BYTES_MIN * 2} or more of letters, digits and -._~")
        return token

    def tokens(self, name: str) -> tuple[str, ...]:
        """One or more of them, with commas between; the first is the one in force."""
        words = [word.strip() for word in self.text(name).split(",")]
        if words != [""] and not all(_TOKEN.fullmatch(word) for word in words):
            self.wrong(name, f"wants {KEY_BYTES_MIN * 2} or more of letters, digits and -._~")
        return tuple(words)

    def own_tokens(self, gateways: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """`CAPP_<GATEWAY>_TOKEN` of those that have one."""
        names = {gateway: f"CAPP_{gateway.upper()}_TOKEN" for gateway in gateways}
        return {
            gateway: self.tokens(name)
            for gateway, name in names.items()
            if self._environment.get(name, "").strip()
        }

    def paces(self, gateways: Iterable[str]) -> dict[str, int]:
        """`CAPP_<GATEWAY>_PER_SECOND` of those that have one."""
        found = {g: self.number(f"CAPP_{g.upper()}_PER_SECOND", 0) for g in gateways}
        return {gateway: pace for gateway, pace in found.items() if pace}

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """`KES/UGX,KES/TZS`: currencies we know, either way round."""
        found = []
        for word in self.words(name, ""):
            base, _, quote = word.partition("/")
            if base == quote or not {base, quote} <= CURRENCIES.keys():
                self.wrong(name, "wants two known currencies each, like KES/UGX")
                continue
            found.append((min(base, quote), max(base, quote)))
        return tuple(dict.fromkeys(found))

    def keys(self, name: str) -> list[bytes]:
        text = self.text(name)
        return [self._key(name, word) for word in text.split(",")] if text else []

    def versioned_keys(self, name: str) -> dict[int, bytes]:
        out: dict[int, bytes] = {}
        text = self.text(name)
        for word in text.split(",") if text else []:
            version, _, key = word.partition(":")
            if not (version.isascii() and version.isdigit()) or int(version) in out:
                self.wrong(name, "wants version:hex,version:hex with distinct versions")
                continue
            out[int(version)] = self._key(name, key)
        return out

    def strong_keys(self, name: str) -> dict[int, bytes]:
        """None where nobody set any; a weak one is refused, not used."""
        if not self._environment.get(name, "").strip():
            return {}
        keys = self.versioned_keys(name)
        if any(is_weak(key) for key in keys.values()):
            self.wrong(name, f"holds a weak key: draw {STAFF_KEY_BYTES_MIN} random bytes")
        return keys

    def sealing_keys(self, name: str) -> dict[int, bytes]:
        """Of AES-256: 32 random bytes each. None where nobody set any; a weak one is refused."""
        keys = self.strong_keys(name)
        if any(len(key) != SEALING_KEY_BYTES for key in keys.values()):
            self.wrong(name, f"wants keys of {SEALING_KEY_BYTES} bytes")
        return keys

    def ports(self, name: str, default: str) -> frozenset[int]:
        words = self.words(name, default)
        if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in words):
            self.wrong(name, "wants numbers of ports with commas between")
            return frozenset()
        return frozenset(map(int, words))

    def kept_days(self) -> dict[str, int]:
        """`CAPP_KEPT_<KIND>_DAYS` of those that are set."""
        names = {kind: f"CAPP_KEPT_{kind.upper()}_DAYS" for kind in RETENTION_KINDS}
        return {
            kind: self.number(name, 0, low=KEPT_DAYS_MIN, high=KEPT_DAYS_MAX)
            for kind, name in names.items()
            if self.path(name)
        }

    def _key(self, name: str, word: str) -> bytes:
        try:
            key = bytes.fromhex(word.strip())
        except ValueError:
            self.wrong(name, "is not hexadecimal")
            return b""
        if len(key) < KEY_BYTES_MIN:
            self.wrong(name, f"holds a key shorter than {KEY_BYTES_MIN} bytes")
        return key


def _is_server(address: str, schemes: frozenset[str]) -> bool:
    """Whether scheme, hosts, ports and query are some. What should have been escaped shows here."""
    try:
        parts = urlsplit(address)
        if parts.query:
            parse_qsl(parts.query, strict_parsing=True)
    except ValueError:
        return False
    if parts.scheme not in schemes or "://" not in address or "#" in address:
        return False
    if "@" in parts.path + parts.query:
        return False
    places = [_PLACE.fullmatch(one) for one in parts.netloc.rpartition("@")[2].split(",")]
    return all(one is not None and int(one[1] or 0) <= PORT_MAX for one in places)
