"""Where the server and the world around it listen, and how a command line tells it."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from simulator.dialects import DIALECTS
from simulator.kept import write_whole
from simulator.ussd import Line

STATE_FILE = Path(".data") / "demo.json"
SHORTCODE = "*384*96#"
SMS_SHORTCODE = "38496"
"""Where phones send their messages; nothing dials it."""
PAYER = "+254712000001"
PAYEE = "+256772000002"


class NowhereToGo(RuntimeError):
    """No running demo was found and the options do not say where the server is."""


@dataclass(frozen=True)
class Places:
    """Addresses of one running server and of the sandboxes it talks to.

    `server` is "" where nothing is behind the USSD address but somebody's server: no inspection
    door; `gateway` is "" where no SMS gateway is, `node` where nothing is settled on a chain.
    """

    server: str
    ussd_url: str
    gateway: str
    operators: Mapping[str, str] = field(default_factory=dict)  # mpesa_ke -> URL
    ussd_end_url: str | None = None
    inspect_token: str = field(default="", repr=False)
    shortcode: str = SHORTCODE
    dialect: str = "africastalking"
    node: str = ""  # of the chain that squares operators, ends in /v1
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict)  # on it, by operator

    def line(self, msisdn: str, network: str = "") -> Line:
        """A subscriber's line to this server, behind the gateway whose dialect is spoken here."""
        return Line(
            msisdn,
            self.ussd_url,
            self.ussd_end_url,
            (self.shortcode,) if self.shortcode else (),
            network,
            DIALECTS[self.dialect],
        )

    def sandbox(self, name: str) -> str:
        """The address of `gateway`, of an operator, or of the one operator that `name` begins.

        Raises KeyError, naming what there is.
        """
        known = {"gateway": self.gateway, **self.operators}
        found = [url for key, url in known.items() if name in (key, key.split("_")[0])]
        if len(found) != 1:
            raise KeyError(f"no sandbox {name!r} here, only {', '.join(sorted(known))}")
        return found[0]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the server is; without them a running demo is used."""
    parser.add_argument(
        "--url", metavar="URL", help="any server's USSD callback address; needs nothing else"
    )
    parser.add_argument(
        "--dialect", choices=sorted(DIALECTS), help="the gateway's (default africastalking)"
    )
    parser.add_argument("--server", metavar="URL", help="the web process of the server")
    parser.add_argument("--ussd-url", metavar="URL", help="the full USSD callback address")
    parser.add_argument("--ussd-end-url", metavar="URL", help="the end notification address")
    parser.add_argument("--gateway", metavar="URL", help="the SMS gateway's sandbox")
    parser.add_argument("--operators", metavar="NAME=URL,...", help="the operators' sandboxes")
    parser.add_argument("--inspect-token", metavar="TOKEN", help="opens the inspection door")
    parser.add_argument("--shortcode", help=f"what is dialled (default {SHORTCODE})")


def from_options(options: argparse.Namespace, state_file: Path = STATE_FILE) -> Places:
    """Options first, then what a running demo wrote down. Raises NowhereToGo.

    With `--url` there is only what the options name: no demo is looked for.
    """
    told = {
        name: value
        for name in (
            "server", "ussd_url", "ussd_end_url", "gateway", "inspect_token", "shortcode",
            "dialect",
        )
        if (value := getattr(options, name)) is not None
    }  # fmt: skip
    if options.operators is not None:
        told["operators"] = _operators(options.operators)
    if options.url is not None:
        return Places(**{"server": "", "gateway": "", **told, "ussd_url": _checked(options.url)})
    known = {**_read(state_file), **told}
    missing = [name for name in ("server", "ussd_url", "gateway") if name not in known]
    if missing:
        flags = ", ".join("--" + name.replace("_", "-") for name in missing)
        raise NowhereToGo(f"no demo is running here ({state_file} is missing); give {flags}")
    return Places(**known)


def _operators(given: str) -> dict[str, str]:
    """Raises NowhereToGo for what is not NAME=URL,..."""
    pairs = [pair.partition("=") for pair in given.split(",")]
    if not all(name and url for name, _, url in pairs):
        raise NowhereToGo(f"--operators {given!r}: write NAME=URL,...")
    return {name: url for name, _, url in pairs}


def _checked(url: str) -> str:
    """Raises NowhereToGo for what is no address of a web server."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_address = is_address and (parts.port is None or parts.port > 0)
    except ValueError:
        is_address = False
    if not is_address or not url.isprintable():
        raise NowhereToGo(f"{url!r} is no address; write http://host:port/path")
    return url


def write(places: Places, state_file: Path, **more: object) -> None:
    """Leave the addresses for other terminals; the file holds tokens, so only we may read it."""
    text = json.dumps({**more, "places": asdict(places)}, indent=2)
    write_whole(state_file, text + "\n")


def _read(state_file: Path) -> dict[str, object]:
    """What a demo of another version wrote down beside is nothing to us."""
    if not state_file.exists():
        return {}
    try:
        found = dict(json.loads(state_file.read_text("utf-8"))["places"])
    except (ValueError, KeyError, TypeError) as error:
        raise NowhereToGo(
            f"{state_file} is of no demo; start one, or give its addresses"
        ) from error
    return {name: found[name] for name in Places.__dataclass_fields__ if name in found}
