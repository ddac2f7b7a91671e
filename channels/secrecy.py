"""Which variables are secrets, how they come from files, and when one is too weak to keep anything.

The one list: whoever adds a secret adds it here. No value of one is ever shown, nor in a fault.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from channels.settings import BadSettings

FILE: Final = "_FILE"
SECRET_BYTES_MAX: Final = 64 * 1024

DRAWN: Final = frozenset({
    "CAPP_CALLBACK_KEYS",
    "CAPP_CLIENT_KEYS",
    "CAPP_DATA_KEYS",
    "CAPP_GATEWAY_TOKEN",
    "CAPP_INSPECT_TOKEN",
    "CAPP_METRICS_TOKEN",
    "CAPP_PIN_KEYS",
    "CAPP_SESSION_KEY",
    "CAPP_STAFF_KEYS",
    "CAPP_WEBHOOK_KEYS",
})  # fmt: skip
"""Those we draw ourselves, so that they can be held to what a random one looks like."""
ADDRESSES: Final = frozenset({"DATABASE_URL", "REDIS_URL"})
"""Addresses with a password in them."""
TOLD: Final = frozenset({
    "CAPP_OPENEXCHANGERATES_APP_ID",
    "CAPP_PORTABILITY_TOKEN",
    "CAPP_SENTRY_DSN",
    "CAPP_TLS_KEY_PASSWORD",
})  # fmt: skip
"""Those others gave us, beside the ones of `_TOLD`."""
# CAPP_<COMPANY>_API_KEY and the like. A gateway's CAPP_<GATEWAY>_TOKEN is drawn by us.
_TOLD: Final = re.compile(
    r"CAPP_[A-Z0-9_]+_(?:API_KEY|[A-Z]+_KEY|SECRET|[A-Z]+_SECRET|PASSWORD|[A-Z]+_PASSWORD|PASSKEY"
    r"|PIN|AUTH_TOKEN|[A-Z]+_AUTHORIZATION)"
)
_DRAWN: Final = re.compile(r"CAPP_[A-Z0-9_]+_TOKEN")
_NONE: Final = frozenset({"CAPP_TLS_KEY"})
"""What only looks like one: `CAPP_TLS_KEY_FILE` is a file's name, and a server reads the file."""

KEY_BYTES_MIN: Final = 32
TOKEN_SIGNS_MIN: Final = 32
DIFFERENT_MIN: Final = 10
"""So many different signs: of 32 random hexadecimal ones fewer are different once in 100,000."""
PASSWORD_SIGNS_MIN: Final = 16
_PLACEHOLDERS: Final = re.compile(
    r"(?i)sandbox|changeme|change[_-]me|example|password|passw0rd|secret|dummy|placeholder|todo|xxx"
)
# The first half of SHA-256 of what the demo and operators' public sandboxes are opened with, and
# which no pattern tells from a real one (`tests/unit/channels/test_secrecy.py`).
_KNOWN: Final = frozenset({
    "024009d668ef239d28c9a3f7ca6cf6ef",
    "2480f0ae53c21c606eb61340c008f96d",
    "3eb1bd439947eb762998e566ccc2e099",
    "561e082200919c499f594c5ccc9d7a67",
    "5d9ca941f284576fe3b0880d2e1c9db9",
    "6b933448d12f658cae3204515c314d77",
    "7504b682079ae4c8e55f5271903de300",
    "9d9b41195d57735941aa06a1cf17bdfc",
    "d2b1f1d83f0ad4f52dec8a1e2091f5c9",
})  # fmt: skip


class Weakness(NamedTuple):
    """A secret that keeps nothing, by its variable's name, and why."""

    name: str
    why: str


def is_secret_name(name: str) -> bool:
    """Whether the variable holds a secret."""
    if name in _NONE:
        return False
    return (
        name in DRAWN
        or name in ADDRESSES
        or name in TOLD
        or bool(_TOLD.fullmatch(name))
        or bool(_DRAWN.fullmatch(name))
    )


def with_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The same with every secret that stands in a file, `<NAME>_FILE`, under its own name.

    A line break behind a secret is none of it. Raises BadSettings, which names every variable that
    is set twice, or whose file cannot be read or is empty.
    """
    found, faults = dict(environment), []
    for variable, path in environment.items():
        name = variable.removesuffix(FILE)
        if name == variable or not path.strip() or not is_secret_name(name):
            continue
        if environment.get(name, "").strip():
            faults.append(f"{variable}: {name} is set as well")
            continue
        try:
            found[name] = _read(Path(path.strip()))
        except (OSError, ValueError):
            faults.append(f"{variable}: names no file with one line of text")
        del found[variable]
    if faults:
        raise BadSettings("; ".join(faults))
    return found


def _read(path: Path) -> str:
    with path.open("rb") as file:
        body = file.read(SECRET_BYTES_MAX + 1)
    text = body.decode("utf-8").rstrip("\r\n")
    if not text.strip() or len(body) > SECRET_BYTES_MAX or "\n" in text:
        raise ValueError
    return text


def drawn_parts(environment: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Every key and token we drew ourselves, by its variable's name: two houses share none."""
    for name, value in sorted(environment.items()):
        if value.strip() and (name in DRAWN or _is_token(name)):
            for part in _parts(value.strip()):
                yield name, part


def is_a_houses_own(name: str) -> bool:
    """Whether the variable holds, or names the file of, a secret that one tenant alone has.

    What we drew, and what companies gave for an account with them; not how servers are reached.
    """
    name = name.removesuffix(FILE)
    return name in DRAWN or _is_token(name) or bool(_TOLD.fullmatch(name) and name not in TOLD)


def weaknesses_of(environment: Mapping[str, str]) -> list[Weakness]:
    """Every secret of the environment that anybody could guess, or that stands there twice."""
    secrets = {
        name: value.strip()
        for name, value in sorted(environment.items())
        if value.strip() and is_secret_name(name)
    }
    found = [
        Weakness(name, why) for name, value in secrets.items() if (why := _weakness(name, value))
    ]
    return [*found, *_twins({n: v for n, v in secrets.items() if n in DRAWN or _is_token(n)})]


def _weakness(name: str, value: str) -> str:
    if name in ADDRESSES:
        return _weak_password(value)
    if name == "CAPP_SENTRY_DSN":  # public by its makers' design
        return ""
    if any(_digest(part) in _KNOWN for part in (value, *_parts(value))):
        return "is the demo's, which everybody knows"
    if name in DRAWN and not _is_token(name):
        return _first(_weak_key(part) for part in _parts(value))
    if _is_token(name):
        return _first(_weak_token(part) for part in _parts(value))
    return "is a placeholder" if _PLACEHOLDERS.search(value) else ""


def _is_token(name: str) -> bool:
    return bool(_DRAWN.fullmatch(name)) and name not in TOLD and not _TOLD.fullmatch(name)


def _parts(value: str) -> list[str]:
    """`version:hex,...` as its keys."""
    return [word.rpartition(":")[2].strip() for word in value.split(",")]


def _weak_key(part: str) -> str:
    if len(part) < 2 * KEY_BYTES_MIN:
        return f"holds a key shorter than {KEY_BYTES_MIN} bytes"
    return "holds a key that nobody drew at random" if len(set(part)) < DIFFERENT_MIN else ""


def _weak_token(value: str) -> str:
    if len(value) < TOKEN_SIGNS_MIN:
        return f"is shorter than {TOKEN_SIGNS_MIN} signs"
    is_drawn = len(set(value)) >= DIFFERENT_MIN and not _PLACEHOLDERS.search(value)
    return "" if is_drawn else "was not drawn at random"


def _weak_password(address: str) -> str:
    """Of a server on another machine; on this one the system may say who may connect."""
    try:
        parts = urlsplit(address)
        host, password = parts.hostname or "", unquote(parts.password or "")
    except ValueError:
        return "is no address"
    if not password:
        return "" if is_here(host) else "has no password"
    if len(password) < PASSWORD_SIGNS_MIN or _PLACEHOLDERS.search(password):
        return f"has a password that can be guessed (it wants {PASSWORD_SIGNS_MIN} random signs)"
    return ""


def is_here(host: str) -> bool:
    """Whether a host is this machine: no name at all, a loopback address, a socket's folder."""
    return host in ("", "localhost", "::1") or host.startswith(("127.", "/"))


def _twins(secrets: Mapping[str, str]) -> Iterable[Weakness]:
    """Who learns one secret must not hold two."""
    first: dict[str, str] = {}
    for name, value in secrets.items():
        for part in set(_parts(value)):
            if (other := first.setdefault(part, name)) != name:
                yield Weakness(name, f"is the same as {other}")


def _first(words: Iterable[str]) -> str:
    return next((word for word in words if word), "")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:32]
