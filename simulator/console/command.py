"""`python -m simulator console`, and the console over sandboxes of this very process."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping

import httpx

from simulator import places
from simulator.console.app import Console
from simulator.places import NowhereToGo
from simulator.serving import Apps, serving

CALL_SECONDS = 5.0


def run_console(arguments: list[str]) -> int:
    """The console over the sandboxes of a running demo. 2: nobody says where they are."""
    parser = argparse.ArgumentParser(prog="python -m simulator console")
    places.add_options(parser)
    try:
        where = places.from_options(parser.parse_args(arguments))
    except NowhereToGo as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asyncio.run(open_console({**where.operators, "gateway": where.gateway}))
    return 0


async def open_console(sandboxes: Mapping[str, str]) -> None:
    """Show the console until somebody quits. `sandboxes`: name -> address."""
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
        await Console(client, sandboxes).run_async()


async def serve_with_console(apps: Apps) -> None:
    """Serve every app as long as the console over them is open. OSError: a port is taken."""
    async with serving(apps) as urls:
        await open_console({name: url for name, url in urls.items() if name not in _NO_DESK})


_NO_DESK = frozenset({"openexchangerates", "floatrates"})
"""Sources of rates hold no wallets, ask nobody and are told nothing."""
