"""`capp rates`: what we price with, who says so, what was dropped and why.

It decides nothing: a held rate is confirmed by people, through the same rule.
"""

import argparse
import re
from collections.abc import Callable

from channels.environment import BadArgument
from channels.settings import Settings
from engine.clock import Clock
from engine.database import open_pool
from engine.desk.proposals import read_person
from engine.fx.consensus import HELD, Verdict, question_of, replay
from engine.fx.rates import RateBook
from engine.fx.store import Asked, Decided, RateStore
from engine.ports import Pair
from providers.redaction import printable

Say = Callable[[str], None]
_HELD_ID = re.compile(r"([A-Z]{3})/([A-Z]{3})@([0-9]{1,15})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp rates`."""
    parser.add_argument(
        "--history", type=_number, default=1, help="how many decisions of each pair"
    )
    parser.add_argument("--confirm", metavar="PAIR@TIME", help="take a rate that is held")
    parser.add_argument("--as", "--by", dest="person", metavar="NAME", help="who confirms it")


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 9999")
    return int(text)


async def run_rates(
    settings: Settings, options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Show what is accepted, or take a rate that is held; whether it could be."""
    if options.confirm:
        return await confirm_rate(settings, options.confirm, options.person, say)
    return await show_rates(settings, options.history, say)


async def show_rates(settings: Settings, history: int, say: Say) -> bool:
    """Print rates, decisions and sources; whether all is well: nothing stale, held or failing."""
    clock = Clock()
    pool = await open_pool(settings.database_url, size=1)
    try:
        book = RateBook(settings.tenant, clock, stale_after_seconds=settings.rate_stale_seconds)
        await book.refresh(pool)
        store = RateStore(pool, settings.tenant)
        decisions = await store.history(limit=max(history, 1))
        asked = await store.asked()
    finally:
        await pool.close()
    now_ms = int(clock.epoch() * 1000)
    stale = [rate for rate in book.known() if book.is_stale(rate)]
    for rate in book.known():
        mark = "  STALE" if rate in stale else ""
        age = _age(now_ms - rate.accepted_ms)
        say(f"{rate.base}/{rate.quote}  {rate.mid:f}  accepted {age} ago{mark}")
    for decided in decisions:
        _say_decision(decided, now_ms, say)
    for source in asked:
        say(_of_source(source, now_ms))
    newest = {decided.pair: decided for decided in reversed(decisions)}
    held = any(decided.decision.outcome == HELD for decided in newest.values())
    return not (stale or held or any(source.failure for source in asked))


async def confirm_rate(settings: Settings, held: str, by: str | None, say: Say) -> bool:
    """Take a held rate, named as `capp rates` shows it; whether it was taken.

    Raises BadArgument for what is no such name of a rate, or for nobody, StaffMistake for who is no
    name.
    """
    named = _HELD_ID.fullmatch(held)
    if named is None or not by:
        raise BadArgument(
            "wants --confirm KES/UGX@1795255200000 --as NAME, as `capp rates` shows it"
        )
    pool = await open_pool(settings.database_url, size=1)
    try:
        decided = await RateStore(pool, settings.tenant).confirm(
            Pair(named[1], named[2]), int(named[3]), read_person(by), int(Clock().epoch() * 1000)
        )
    finally:
        await pool.close()
    if decided is None:
        say("nothing was taken: it is not held, or something newer was said; see `capp rates`")
        return False
    say(f"{decided.pair} is {decided.decision.outcome}: {decided.decision.reason}")
    return True


def _say_decision(decided: Decided, now_ms: int, say: Say) -> None:
    decision = decided.decision
    by = f" ({printable(decided.confirmed_by)})" if decided.confirmed_by else ""
    say(f"decided on {decided.pair} {_age(now_ms - decided.at_ms)} ago: {decision.outcome}{by}")
    say(f"  because: {decision.reason}")
    if decision.outcome == HELD:
        say(f"  to take it: capp rates --confirm {decided.pair}@{decided.at_ms} --as NAME")
    again = replay(decision)
    if again.decision != decision:
        say(f"  TODAY IT WOULD BE: {again.decision.outcome}: {again.decision.reason}")
    for word in question_of(decision).words:
        verdict = again.verdicts[word.source]
        mark = verdict.value if verdict is Verdict.KEPT else f"DROPPED as {verdict.value}"
        age = _age(decided.at_ms - word.at_ms)
        say(f"  {word.source:<20} {word.mid:>18}  {age:>8} old  {mark}")


def _of_source(source: Asked, now_ms: int) -> str:
    asked = f"asked {_age(now_ms - source.asked_ms)} ago"
    state = f"FAILS: {source.failure}" if source.failure else "answers"
    return f"source {source.source:<20} {asked:>16}  {state}"


def _age(milliseconds: int) -> str:
    """In the largest unit of which there are two."""
    seconds = milliseconds // 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
