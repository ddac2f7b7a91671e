"""`make demo`: everything on this machine, then the phone; without a terminal, a transcript.

It starts, shows and ends; what it shows comes over HTTP like everything else.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from simulator import embedded, places, transcript
from simulator.child import ChildDied
from simulator.folder_lock import Busy, NoFolder
from simulator.inspect import Inspector
from simulator.interrupts import Interrupted, Interrupts
from simulator.operators.world import World
from simulator.phone.command import open_phone
from simulator.places import Places
from simulator.play import CALL_SECONDS
from simulator.player import Played, Player
from simulator.settling import Windows
from simulator.stack import EVERY, PREFERRED, PROJECT, Stack

TRANSCRIPT = PROJECT / "tests" / "transcripts" / "kenya_to_uganda.txt"
WATCH_SECONDS = 0.2
SETTLED = "settled"
SETTLED_SECONDS_MAX = 60.0
STOPPED = 130
"""The exit code of what was stopped before it was done, as shells have it."""


def run_demo(arguments: list[str]) -> int:
    """0: all went well; 1: it did not start, something died, or the play failed; 130: stopped."""
    parser = argparse.ArgumentParser(prog="python -m simulator demo")
    parser.add_argument("--data", type=Path, default=places.STATE_FILE.parent, metavar="FOLDER")
    parser.add_argument(
        "--operators", default=",".join(EVERY), metavar="NAME,...",
        help="which of them run (default: all)",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="serve without phone until Ctrl-C")
    options = parser.parse_args(arguments)
    interrupts = Interrupts()
    started_at = time.monotonic()
    try:
        with Stack.start(
            options.data,
            operators=options.operators.split(","),
            approval="ask",
            database_url=os.environ.get("DATABASE_URL"),
            redis_url=os.environ.get("REDIS_URL"),
            ports=PREFERRED,
            windows=Windows(),
            say=_say,
            proceed=interrupts.check,
        ) as stack:
            _say(f"ready after {time.monotonic() - started_at:.1f} s on {stack.places.server}")
            return _show(stack, interrupts, keep=options.keep)
    except Interrupted:
        return 0 if options.keep else STOPPED
    except (NoFolder, Busy, ChildDied, ValueError, embedded.StartFailed) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1


def _show(stack: Stack, interrupts: Interrupts, *, keep: bool) -> int:
    def watch() -> None:
        interrupts.check()
        stack.check()

    if keep:
        _say(
            f"serving until Ctrl-C; logs: {stack.folder / 'logs'}; phone: python -m simulator phone"
        )
        while True:
            watch()
            time.sleep(WATCH_SECONDS)
    if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        open_phone(stack.places, watch=watch)
        return 0
    return asyncio.run(_play(stack.places, watch))


async def _play(where: Places, watch: Callable[[], None]) -> int:
    """Play the transcript and print the ledger; `watch` raises to end it early."""
    playing = asyncio.create_task(_play_transcript(where))
    try:
        while not playing.done():
            watch()
            await asyncio.wait([playing], timeout=WATCH_SECONDS)
    finally:
        playing.cancel()
        await asyncio.wait([playing])
    return playing.result()


async def _play_transcript(where: Places) -> int:
    script = transcript.parse(TRANSCRIPT.read_text("utf-8"), name=TRANSCRIPT.name)
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
        played = await Player(client, where, World(), say=_say).play(script)
        if played.failure is not None:
            sys.stderr.write(f"\n{played.failure}\n")
            return 1
        await _print_ledger(Inspector(client, where), played, settles=bool(where.node))
    return 0


async def _print_ledger(inspector: Inspector, played: Played, *, settles: bool) -> None:
    for msisdn in list(played.people.values())[:1]:
        for payment in await inspector.payments(msisdn, limit=1):
            _say(f"\nPAYMENT {payment.code}: {payment.state}, {payment.amount}, fee {payment.fee}")
            for step in payment.steps:
                _say(f"  {step.state}")
                for posting in step.postings:
                    _say(f"    {posting.debit} <- {posting.credit}  {posting.amount}")
            if settles:
                await _print_settlement(inspector, msisdn, payment.payment_id)
    books = await inspector.books()
    _say(f"\nLEDGER ({'balanced' if books.balanced else 'NOT BALANCED'})")
    for account in (each for each in books.accounts if each.minor):
        _say(f"  {account.account:<36} {account.side:<6} {account.amount!s:>20}")


async def _print_settlement(inspector: Inspector, msisdn: str, payment_id: str) -> None:
    """Wait until the operators are squared for it, and say how that went."""
    _say("\n(its operators are squared when the window ends)")
    deadline = time.monotonic() + SETTLED_SECONDS_MAX
    while True:
        payments = await inspector.payments(msisdn)
        settlement = next((p.settlement for p in payments if p.payment_id == payment_id), None)
        if time.monotonic() > deadline or (settlement and settlement.stage == SETTLED):
            break
        await asyncio.sleep(WATCH_SECONDS)
    if settlement is None:
        _say("\nSETTLEMENT: nothing is known of it")
        return
    _say(f"\nSETTLEMENT {settlement.corridor}: {settlement.stage}")
    for reached in settlement.stages:
        _say(f"  {reached.at.astimezone():%H:%M:%S} {reached.stage}")
    if settlement.batch:
        _say(f"  batch {settlement.batch}")
    if settlement.transaction:
        _say(f"  transaction 0x{settlement.transaction}, version {settlement.version}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
