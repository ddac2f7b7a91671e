"""What a server beside its sandboxes is told: ports, secrets, addresses, credentials.

It starts nothing and speaks to nobody.
"""

import hashlib
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from simulator import embedded
from simulator.kept import write_whole
from simulator.markets import MARKETS, Market
from simulator.operators import credentials
from simulator.places import SHORTCODE, Places


@dataclass(frozen=True)
class Ports:
    """Where the programs listen on 127.0.0.1; 0 is any free port."""

    web: int = 0
    gateway: int = 0
    openexchangerates: int = 0
    floatrates: int = 0
    postgres: int = 0
    redis: int = 0
    chain: int = 0
    operators: Mapping[str, int] = field(default_factory=dict)  # who is not named: any free port


PREFERRED = Ports(
    web=8096,
    gateway=8099,
    openexchangerates=8093,
    floatrates=8092,
    postgres=8095,
    redis=8094,
    chain=8091,
    operators={market.name: market.port for market in MARKETS.values()},
)


def choose_ports(wanted: Ports, markets: Iterable[Market], say: Callable[[str], None]) -> Ports:
    """Free ports for everything, the wanted ones where they are free; `say` hears of the others."""
    taken: set[int] = set()

    def choose(name: str, port: int) -> int:
        free = embedded.free_port(port)
        while free in taken:
            free = embedded.free_port()
        if port not in (0, free):
            say(f"port {port} is taken: {name} listens on {free}")
        taken.add(free)
        return free

    programs = {name: port for name, port in vars(wanted).items() if name != "operators"}
    chosen = {name: choose(name, port) for name, port in programs.items()}
    operators = {m.name: choose(m.name, wanted.operators.get(m.name, 0)) for m in markets}
    return replace(wanted, operators=operators, **chosen)


_OURS = re.compile(r"CAPP_|(DATABASE|REDIS)_URL$")
_SECRETS = {
    "CAPP_PIN_KEYS": ("1:", 32),
    "CAPP_CALLBACK_KEYS": ("", 32),
    "CAPP_SESSION_KEY": ("", 32),
    "CAPP_DATA_KEYS": ("1:", 32),
    "CAPP_STAFF_KEYS": ("1:", 32),
    "CAPP_CLIENT_KEYS": ("1:", 32),
    "CAPP_GATEWAY_TOKEN": ("", 16),
    "CAPP_INSPECT_TOKEN": ("", 16),
}
"""How each begins, and of how many bytes it is."""


def read_secrets(file: Path) -> dict[str, str]:
    """The server's keys and tokens: made on the first call, the same ever after.

    What a file of an earlier version lacks is made and added.
    """
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    known = dict(line.split("=", 1) for line in lines if line)
    lacking = {name: begins + secrets.token_hex(size) for name, (begins, size) in _SECRETS.items()}
    whole = {**lacking, **known}
    if whole != known:
        write_whole(file, "".join(f"{name}={value}\n" for name, value in whole.items()))
    return whole


def folder_of(database_url: str) -> str:
    """The name of the folder for what belongs to a database of one's own, whoever connects to it.

    Its keys, and the chain and settlement that its books know of, are of no use to another.
    """
    parts = urlsplit(database_url)
    hosts = parts.netloc.rpartition("@")[2].lower().split(",")
    places = [host if re.search(r":[0-9]+$", host) else f"{host}:5432" for host in hosts]
    asked = [pair for pair in parse_qsl(parts.query) if pair[0] in ("host", "port", "dbname")]
    place = repr((places, parts.path, sorted(asked)))
    return f"own-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def places_of(ports: Ports, keys: Mapping[str, str]) -> Places:
    """Where everybody is, for phones and transcripts."""
    server = f"http://127.0.0.1:{ports.web}"
    ussd_url = f"{server}/ussd/africastalking/{keys['CAPP_GATEWAY_TOKEN']}"
    return Places(
        server=server,
        ussd_url=ussd_url,
        ussd_end_url=f"{ussd_url}/end",
        gateway=f"http://127.0.0.1:{ports.gateway}",
        operators={name: f"http://127.0.0.1:{port}" for name, port in ports.operators.items()},
        inspect_token=keys["CAPP_INSPECT_TOKEN"],
    )


def rate_sources_of(ports: Ports) -> dict[str, str]:
    """openexchangerates -> URL."""
    return {
        "openexchangerates": f"http://127.0.0.1:{ports.openexchangerates}",
        "floatrates": f"http://127.0.0.1:{ports.floatrates}",
    }


def server_environment(
    places: Places, keys: Mapping[str, str], sources: Mapping[str, str]
) -> dict[str, str]:
    """Everything but the databases, files, and what is known once the sandboxes run."""
    told = {
        **keys,
        "CAPP_SHORTCODES": SHORTCODE,
        "CAPP_PUBLIC_URL": places.server,
        "CAPP_OPERATORS": ",".join(places.operators),
        "CAPP_COLLECT_DELAY_SECONDS": "2",
        # Phones rest for as long as a person reads; who asks on a connection that is being closed
        # at that moment gets no answer.
        "CAPP_HTTP_KEEP_ALIVE_SECONDS": "60",
        "CAPP_AFRICASTALKING_BASE_URL": places.gateway,
        "CAPP_AFRICASTALKING_USERNAME": credentials.GATEWAY_SANDBOX_USERNAME,
        "CAPP_AFRICASTALKING_API_KEY": credentials.GATEWAY_SANDBOX_API_KEY,
        "CAPP_AFRICASTALKING_SENDER": "CAPP",
        "CAPP_RATE_SOURCES": ",".join(sources),
        "CAPP_RATE_FETCH_SECONDS": "15",
        "CAPP_OPENEXCHANGERATES_BASE_URL": f"{sources['openexchangerates']}/api",
        "CAPP_OPENEXCHANGERATES_APP_ID": credentials.OPENEXCHANGERATES_SANDBOX_APP_ID,
        "CAPP_FLOATRATES_BASE_URL": f"{sources['floatrates']}/daily",
    }
    for name, url in places.operators.items():
        told |= MARKETS[name].environment(url)
    return told


def write_environment(file: Path, server: Mapping[str, str]) -> None:
    """What a server was told, for the commands of its staff: `. FILE` in a shell. It has keys."""
    told = {name: value for name, value in sorted(server.items()) if _OURS.match(name)}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in told.items()]
    write_whole(file, "".join(lines))
