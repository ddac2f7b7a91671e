"""`python -m simulator phone`: the command around the terminal program."""

import argparse
import sys
from collections.abc import Callable

import httpx

from simulator import places
from simulator.child import ChildDied
from simulator.interrupts import Interrupted, Interrupts
from simulator.operators.world import World
from simulator.phone.app import PhoneApp
from simulator.places import PAYEE, PAYER, NowhereToGo, Places

CALL_SECONDS = 15.0


def run_phone(arguments: list[str]) -> int:
    """0 after the phones were put down, 2 when nobody says where the server is."""
    parser = argparse.ArgumentParser(prog="python -m simulator phone")
    places.add_options(parser)
    parser.add_argument("--payer", default=PAYER, help="the left phone (default %(default)s)")
    parser.add_argument("--payee", default=PAYEE, help="the right phone (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        where = places.from_options(options)
        interrupts = Interrupts()
        open_phone(where, watch=interrupts.check, payer=options.payer, payee=options.payee)
    except NowhereToGo as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Interrupted:
        pass  # Being asked to stop is a good end too.
    return 0


def open_phone(
    where: Places, *, watch: Callable[[], None], payer: str = PAYER, payee: str = PAYEE
) -> None:
    """Show the phones until somebody quits; what `watch` raises ends them and is raised here."""

    def trouble() -> Exception | None:
        try:
            watch()
        except (Interrupted, ChildDied) as error:
            return error
        return None

    client = httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False)
    error = PhoneApp(client, where, World(), payer=payer, payee=payee, trouble=trouble).run()
    if error is not None:
        raise error
