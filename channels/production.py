"""Production mode: what must not be as it stands once real money moves, and what to do about each.

It opens nothing but the settlement file, and no fault repeats a value. `serve` and `worker` refuse
to start in that mode while one is left; `capp doctor` tells them, whichever mode it is.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from channels.secrecy import ADDRESSES, is_here, weaknesses_of
from channels.settings import BadSettings, Settings
from channels.settlement_file import chain_of, keys_of, read_document

_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})
"""Values of `sslmode` (PostgreSQL documentation, 34.19) under which nothing is sent in the open."""


class Finding(NamedTuple):
    """One thing production mode refuses: the variable, what is wrong, what to do."""

    name: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}: {self.remedy}"


def refuse_insecure(settings: Settings) -> None:
    """Raises BadSettings, which names every finding at once, in production mode only."""
    found = findings_of(settings) if settings.is_production else []
    if found:
        told = "; ".join(map(str, found))
        raise BadSettings(f"CAPP_MODE=production refuses {len(found)} settings: {told}")


def findings_of(settings: Settings) -> list[Finding]:
    """Every finding, by the checks' order. Raises nothing."""
    return [finding for check in CHECKS for finding in check(settings)]


def _secrets(settings: Settings) -> Iterator[Finding]:
    for name, why in weaknesses_of(settings.environment):
        yield Finding(name, why, "draw a new one, `openssl rand -hex 32`, or ask its company")


def _public_address(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.public_url)
    if parts.scheme != "https":
        yield Finding("CAPP_PUBLIC_URL", "is no https address", "operators must call us by https")
    elif is_here(parts.hostname or ""):
        yield Finding("CAPP_PUBLIC_URL", "is this machine", "give the address we are known by")


def _companies(settings: Settings) -> Iterator[Finding]:
    for name, value in sorted(settings.environment.items()):
        if not name.endswith("_URL") or name in (*ADDRESSES, "CAPP_PUBLIC_URL"):
            continue
        if name.startswith("CAPP_") and value.strip().lower().startswith("http://"):
            yield Finding(name, "is plain http", "give the company's https address")


def _database(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.database_url)
    mode = parse_qs(parts.query).get("sslmode", [""])[-1]
    if not is_here(parts.hostname or "") and mode not in _ENCRYPTED:
        yield Finding(
            "DATABASE_URL", "is on another machine and not encrypted", "add ?sslmode=verify-full"
        )


def _redis(settings: Settings) -> Iterator[Finding]:
    scheme, _, rest = settings.redis_url.partition("://")
    hosts = rest.partition("/")[0].rpartition("@")[2].split(",")
    is_near = all(is_here(host.rpartition(":")[0] or host) for host in hosts)
    if not is_near and not scheme.startswith("rediss"):
        yield Finding("REDIS_URL", "is on another machine and not encrypted", "use rediss://")


def _edges(settings: Settings) -> Iterator[Finding]:
    edges = settings.edges
    if not edges.certificate_file and not settings.webhooks.trusted_proxies:
        yield Finding(
            "CAPP_TLS_CERTIFICATE_FILE", "and CAPP_TRUSTED_PROXIES are missing",
            "serve TLS from here, or name the proxies that do it for us",
        )  # fmt: skip
    if any(origin.startswith("http://") for origin in edges.cors_origins):
        yield Finding("CAPP_CORS_ORIGINS", "holds a page without https", "take it out")


def _doors(settings: Settings) -> Iterator[Finding]:
    if settings.inspect_token:
        yield Finding("CAPP_INSPECT_TOKEN", "opens the testers' door", "take it out")
    if settings.watching.metrics_token is None:
        yield Finding(
            "CAPP_METRICS_TOKEN", "is missing", "set one: what is not counted is not seen"
        )


def _walls(settings: Settings) -> Iterator[Finding]:
    """What keeps people's numbers and tenants apart where our Python would not."""
    given = settings.environment
    if not given.get("CAPP_DATA_KEYS", "").strip():
        yield Finding(
            "CAPP_DATA_KEYS", "is missing", "without keys people's numbers lie open in the database"
        )
    if given.get("CAPP_DATABASE_ROLE", "").strip() == "none":
        yield Finding("CAPP_DATABASE_ROLE", "lets every row be read", "take it out")
    if given.get("CAPP_WEBHOOK_LOCAL", "").strip() == "1":
        yield Finding("CAPP_WEBHOOK_LOCAL", "lets notices reach this machine", "take it out")


def _chain(settings: Settings) -> Iterator[Finding]:
    if settings.settlement is None:
        return
    from providers.aptos.mainnet import not_for_real_money  # slow, and of a chain alone

    name = "CAPP_SETTLEMENT_FILE"
    try:
        document = read_document(Path(settings.settlement.file))
        chain, keys = chain_of(document), keys_of(document)
    except (BadSettings, OSError):
        yield Finding(name, "cannot be read", "see `capp doctor`")
        return
    for what, remedy in not_for_real_money(chain):
        yield Finding(name, what, remedy)
    if keys.get("kind") == "file":
        yield Finding(name, "keeps keys in files", "keep them in a vault")


CHECKS: Final[Iterable[Callable[[Settings], Iterator[Finding]]]] = (
    _secrets,
    _public_address,
    _companies,
    _database,
    _redis,
    _edges,
    _doors,
    _walls,
    _chain,
)
"""A new thing that production refuses is a line here."""
