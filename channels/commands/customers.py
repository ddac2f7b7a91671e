"""`capp customer`: what staff took down about a customer, and the tier that follows from it."""

import argparse
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from channels.numbering import read_directory
from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.sims import build_sims
from channels.times import minute_utc_of
from engine.clock import Clock, CustomerId, is_id, ms_of
from engine.compliance.profiles import Profile, Profiles, read_born, read_name, read_tier
from engine.customers.standing import Standing, read_standing
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn, parse_msisdn
from providers.http import no_trace
from providers.registry import build_operators

Say = Callable[[str], None]
T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words; every value is proved before anything is opened."""
    parser.add_argument(
        "who", type=_number_or_id, help="+254712000001, or the id that begins a case's key"
    )
    parser.add_argument(
        "--tier", type=said(read_tier), help="0 a number only, 1 described, 2 verified"
    )
    parser.add_argument("--name", type=said(read_name))
    parser.add_argument("--born", type=said(read_birth), metavar="YYYY-MM-DD")
    parser.add_argument(
        "--sim", action="store_true", help="ask when their SIM was changed, where anybody tells"
    )


async def describe_customer(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Take down what was given and show the customer; False when the number is not registered.

    Tier 1 and above need a name and a birth, or there would be nobody to screen. Safe to repeat.
    """
    pool = await open_sealed_pool(settings, size=1)
    try:
        profiles = Profiles(pool, settings.tenant)
        msisdn = await _number(profiles, options.who)
        known = (await profiles.find([msisdn])).get(msisdn) if msisdn else None
        if known is None:
            say(f"{msisdn.masked if msisdn else options.who} is not registered")
            return False
        if missing := _missing(known, options):
            say(f"tier {options.tier} needs {missing}")
            return False
        profile = await profiles.describe(
            known.msisdn, tier=options.tier, name=options.name, born=options.born
        )
        assert profile is not None, "customers are never deleted"
        standing = await read_standing(pool, settings.tenant, profile.customer_id)
    finally:
        await pool.close()
    named = profile.name or "no name"
    born = f"born {profile.born}" if profile.born else "no birth"
    say(f"{profile.msisdn}  {profile.country}  tier {profile.tier}  {named}  {born}")
    for line in _standing_lines(standing, Clock().now()):
        say(line)
    if options.sim:
        say(await _sim_line(settings, profile.msisdn))
    return True


async def _sim_line(settings: Settings, msisdn: Msisdn) -> str:
    """What is told of the SIM now, by whoever tells of numbers that begin so. It has its price."""
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    sims = build_sims(settings, operators, clock, no_trace)
    try:
        operator = read_directory(operators).payee_operator(msisdn) or "its operator"
        seen = await sims.of(operator, msisdn) if sims is not None else None
    finally:
        if sims is not None:
            await sims.aclose()
        for port in operators.values():
            await port.aclose()
    if seen is None:
        return f"SIM: nobody tells of {operator}'s"
    if not seen.is_told:
        return f"SIM: {seen.told_by} did not tell"
    if seen.changed_ms is None:
        return f"SIM: no change that {seen.told_by} remembers"
    return f"SIM: changed {minute_utc_of(seen.changed_ms)}, {seen.hours} hours ago"


def _standing_lines(standing: Standing, now: datetime) -> list[str]:
    """How many recipients are saved, never whom; what there is to know about the PIN."""
    lines = [f"saved recipients: {standing.recipients}"]
    if standing.is_locked_until_reset:
        lines.append("PIN: locked until it is reset")
    elif standing.locked_until is not None and standing.locked_until > now:
        lines.append(f"PIN: locked until {_time(standing.locked_until)}")
    if standing.reset_until is not None and standing.reset_until > now:
        lines.append(f"PIN: a new one may be chosen until {_time(standing.reset_until)}")
    elif standing.reset_asked_at is not None:
        lines.append(f"PIN: forgotten, says the customer, {_time(standing.reset_asked_at)}")
    if standing.tier_paused_until is not None and standing.tier_paused_until > now:
        lines.append(f"limits of tier 0 until {_time(standing.tier_paused_until)}: a new PIN")
    return lines


def _time(moment: datetime) -> str:
    return minute_utc_of(ms_of(moment))


async def _number(profiles: Profiles, who: Msisdn | CustomerId) -> Msisdn | None:
    return who if isinstance(who, Msisdn) else await profiles.number_of(who)


def _missing(known: Profile, options: argparse.Namespace) -> str:
    if not options.tier:
        return ""
    has_name = (options.name or known.name) is not None
    has_born = (options.born or known.born) is not None
    return " and ".join([*(["--name"] * (not has_name)), *(["--born"] * (not has_born))])


def read_birth(text: str) -> date:
    """A day that has been. Raises ValueError: who is taken down as born in 2085 instead of 1985
    resembles nobody of a sanctions list who was.
    """
    born = read_born(text)
    if born > Clock().now().date():
        raise ValueError(f"nobody was born on {born}: it is still to come")
    return born


def read_number(text: str) -> Msisdn:
    """A whole number with its plus. Raises ValueError."""
    if not text.startswith("+"):
        raise ValueError("write the number with plus and country code")
    try:
        return parse_msisdn(text, "KE")
    except CustomerMistake as error:
        raise ValueError("that is no mobile number") from error


def said(read: Callable[[str], T]) -> Callable[[str], T]:
    """The type of an argument that says why a word is none; argparse would name our function."""

    def typed(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


def _number_or_id(text: str) -> Msisdn | CustomerId:
    if is_id(text):
        return CustomerId(text)
    return said(read_number)(text)
