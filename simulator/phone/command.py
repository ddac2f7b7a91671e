"""`python -m simulator phone`: the command around the terminal program."""

import argparse
import re
import sys
from collections.abc import Callable

import httpx

from simulator import mishaps, places
from simulator.child import ChildDied
from simulator.interrupts import Interrupted, Interrupts
from simulator.mishaps import CALM, Weather
from simulator.operators.world import World
from simulator.phone.app import PhoneApp
from simulator.places import PAYEE, PAYER, NowhereToGo, Places

CALL_SECONDS = 15.0
_MSISDN = re.compile(r"\+?[1-9][0-9]{6,14}")


def run_phone(arguments: list[str]) -> int:
    """0 after the phones were put down, 2 when nobody says where the server is."""
    parser = argparse.ArgumentParser(prog="python -m simulator phone")
    places.add_options(parser)
    mishaps.add_options(parser)
    parser.add_argument(
        "--msisdn", "--payer", dest="payer", type=_msisdn, default=PAYER, metavar="NUMBER",
        help="the left phone (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--payee", type=_msisdn, metavar="NUMBER",
        help=f"the right phone (default {PAYEE}; none with --url)",
    )  # fmt: skip
    parser.add_argument(
        "--idle", type=float, metavar="SECONDS",
        help="the network ends a dialogue in which nothing is typed (default: never)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        where = places.from_options(options)
        weather = mishaps.from_options(options)
        payee = options.payee or (PAYEE if options.url is None else None)
        interrupts = Interrupts()
        open_phone(
            where,
            watch=interrupts.check,
            payer=options.payer,
            payee=payee,
            idle_seconds=options.idle,
            weather=weather,
        )
        if weather.chances:
            sys.stdout.write(f"the network was: {weather}\n")
    except (NowhereToGo, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Interrupted:
        pass  # Being asked to stop is a good end too.
    return 0


def _msisdn(given: str) -> str:
    """E.164; the plus may be left out."""
    if not _MSISDN.fullmatch(given):
        raise argparse.ArgumentTypeError(f"{given!r} is no number; write +254712000001")
    return f"+{given.removeprefix('+')}"


def open_phone(
    where: Places,
    *,
    watch: Callable[[], None],
    payer: str = PAYER,
    payee: str | None = PAYEE,
    idle_seconds: float | None = None,
    weather: Weather = CALM,
) -> None:
    """Show the phones until somebody quits; what `watch` raises ends them and is raised here."""

    def trouble() -> Exception | None:
        try:
            watch()
        except (Interrupted, ChildDied) as error:
            return error
        return None

    client = httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False)
    error = PhoneApp(
        client,
        where,
        World(),
        payer=payer,
        payee=payee,
        trouble=trouble,
        idle_seconds=idle_seconds,
        weather=weather,
    ).run()
    if error is not None:
        raise error
