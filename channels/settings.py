"""The environment, read once and typed. Secrets are never printed: their fields have no repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field

KEY_BYTES_MIN = 16


class BadSettings(ValueError):
    """The environment cannot be used; the message lists every variable and what is wrong."""


@dataclass(frozen=True)
class Settings:
    """What one installation decides. Units are in the names; defaults suit a demo."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    tenant: int
    shortcodes: frozenset[str]
    public_url: str
    pin_keys: Mapping[int, bytes] = field(repr=False)  # the highest version makes new MACs
    callback_keys: tuple[bytes, ...] = field(repr=False)  # the first signs, all verify
    session_key: bytes = field(repr=False)
    gateway_token: str = field(repr=False)
    inspect_token: str | None = field(repr=False)
    operators: tuple[str, ...]
    collect_delay_seconds: int
    quote_seconds: int
    first_look_seconds: int
    rate_stale_seconds: int
    pin_cool_down_seconds: int
    lease_seconds: int
    environment: Mapping[str, str] = field(repr=False)  # for the adapters' own variables


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises BadSettings, which names every missing or senseless variable at once."""
    reader = _Reader(environment)
    settings = Settings(
        database_url=reader.text("DATABASE_URL"),
        redis_url=reader.text("REDIS_URL"),
        tenant=reader.number("CAPP_TENANT", 1),
        shortcodes=frozenset(reader.words("CAPP_SHORTCODES", "*384*96#")),
        public_url=reader.text("CAPP_PUBLIC_URL").rstrip("/"),
        pin_keys=reader.versioned_keys("CAPP_PIN_KEYS"),
        callback_keys=tuple(reader.keys("CAPP_CALLBACK_KEYS")),
        session_key=reader.one_key("CAPP_SESSION_KEY"),
        gateway_token=reader.text("CAPP_GATEWAY_TOKEN"),
        inspect_token=environment.get("CAPP_INSPECT_TOKEN") or None,
        operators=tuple(reader.words("CAPP_OPERATORS", "mpesa_ke,mtn_ug")),
        collect_delay_seconds=reader.number("CAPP_COLLECT_DELAY_SECONDS", 3),
        quote_seconds=reader.number("CAPP_QUOTE_SECONDS", 120),
        first_look_seconds=reader.number("CAPP_FIRST_LOOK_SECONDS", 30),
        rate_stale_seconds=reader.number("CAPP_RATE_STALE_SECONDS", 7 * 24 * 3600),
        pin_cool_down_seconds=reader.number("CAPP_PIN_COOL_DOWN_SECONDS", 1800),
        lease_seconds=reader.number("CAPP_LEASE_SECONDS", 60),
        environment=dict(environment),
    )
    if len(settings.gateway_token) < KEY_BYTES_MIN * 2:
        reader.wrong("CAPP_GATEWAY_TOKEN", f"shorter than {KEY_BYTES_MIN * 2} characters")
    if reader.faults:
        raise BadSettings("; ".join(reader.faults))
    return settings


class _Reader:
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

    def words(self, name: str, default: str) -> list[str]:
        value = self._environment.get(name) or default
        return [word.strip() for word in value.split(",") if word.strip()]

    def number(self, name: str, default: int) -> int:
        value = self._environment.get(name) or str(default)
        if not value.isascii() or not value.isdigit():
            self.wrong(name, "is not a whole number")
            return default
        return int(value)

    def one_key(self, name: str) -> bytes:
        keys = self.keys(name)
        return keys[0] if keys else b""

    def keys(self, name: str) -> list[bytes]:
        text = self.text(name)
        return [self._key(name, word) for word in text.split(",")] if text else []

    def versioned_keys(self, name: str) -> dict[int, bytes]:
        out: dict[int, bytes] = {}
        text = self.text(name)
        for word in text.split(",") if text else []:
            version, _, key = word.partition(":")
            if not version.isdigit() or int(version) in out:
                self.wrong(name, "wants version:hex,version:hex with distinct versions")
                continue
            out[int(version)] = self._key(name, key)
        return out

    def _key(self, name: str, word: str) -> bytes:
        try:
            key = bytes.fromhex(word.strip())
        except ValueError:
            self.wrong(name, "is not hexadecimal")
            return b""
        if len(key) < KEY_BYTES_MIN:
            self.wrong(name, f"holds a key shorter than {KEY_BYTES_MIN} bytes")
        return key
