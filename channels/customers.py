"""`capp customer`: what staff took down about a customer, and the tier that follows from it."""

import argparse
from collections.abc import Callable

from channels.settings import Settings
from engine.compliance.profiles import Profile, Profiles, read_born, read_name, read_tier
from engine.database import open_pool
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn, parse_msisdn

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words; every value is proved before anything is opened."""
    parser.add_argument("msisdn", type=_whole_number)
    parser.add_argument("--tier", type=read_tier, help="0 a number only, 1 described, 2 verified")
    parser.add_argument("--name", type=read_name)
    parser.add_argument("--born", type=read_born, metavar="YYYY-MM-DD")


async def describe_customer(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Take down what was given and show the customer; False when the number is not registered.

    Tier 1 and above need a name and a birth, or there would be nobody to screen. Safe to repeat.
    """
    pool = await open_pool(settings.database_url, size=1)
    try:
        profiles = Profiles(pool, settings.tenant)
        known = (await profiles.find([options.msisdn])).get(options.msisdn)
        if known is None:
            say(f"{options.msisdn.masked} is not registered")
            return False
        if missing := _missing(known, options):
            say(f"tier {options.tier} needs {missing}")
            return False
        profile = await profiles.describe(
            options.msisdn, tier=options.tier, name=options.name, born=options.born
        )
    finally:
        await pool.close()
    assert profile is not None, "customers are never deleted"
    named = profile.name or "no name"
    say(f"{profile.msisdn}  {profile.country}  tier {profile.tier}  {named}  born {profile.born}")
    return True


def _missing(known: Profile, options: argparse.Namespace) -> str:
    if not options.tier:
        return ""
    has_name = (options.name or known.name) is not None
    has_born = (options.born or known.born) is not None
    return " and ".join([*(["--name"] * (not has_name)), *(["--born"] * (not has_born))])


def _whole_number(text: str) -> Msisdn:
    if not text.startswith("+"):
        raise argparse.ArgumentTypeError("write the number with plus and country code")
    try:
        return parse_msisdn(text, "KE")
    except CustomerMistake as error:
        raise argparse.ArgumentTypeError("that is no mobile number") from error
