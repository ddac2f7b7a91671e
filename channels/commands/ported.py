"""`capp ported`: what staff know of whose wallet a number is, when its prefix lies.

One person is enough: it moves no money, and the payer sees the operator before they pay. A number
is shown masked.
"""

import argparse
from collections.abc import Callable

from channels.commands.customers import read_number
from channels.numbering import read_directory
from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.times import minute_utc_of
from engine.clock import Clock, Ids
from engine.desk.proposals import read_line, read_person
from engine.msisdn import Msisdn, country_of
from engine.payments.portability_store import PortabilityStore
from engine.payments.routing import Directory
from providers.redaction import printable

Say = Callable[[str], None]
WHY_CHARACTERS_MAX = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp ported`."""
    parser.add_argument("msisdn", type=_number, help="+256772000001")
    parser.add_argument("operator", nargs="?", help="whose it is: airtel_ug; none: only look")
    parser.add_argument("--forget", action="store_true", help="take the last word back")
    parser.add_argument("--as", dest="person", metavar="NAME", help="who you are")
    parser.add_argument("--why", default="", help="how you know")


async def run_ported(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Put down, take back or look; False, and nothing written, for words that make no sense.

    Safe to repeat: what stands already is not written again. Raises StaffMistake for no name, and
    for a reason that is no line of printable characters.
    """
    clock, directory = Clock(), read_directory({})  # the numbering plan alone: nobody is called
    changes = options.operator is not None or options.forget
    if wrong := _wrong(options, directory) if changes else "":
        say(wrong)
        return False
    by = read_person(options.person) if changes else ""
    why = read_line(options.why) if changes and options.why.strip() else ""
    pool = await open_sealed_pool(settings, size=1)
    try:
        store = PortabilityStore(pool, settings.tenant, clock, Ids(clock))
        if changes:
            await store.put_down(options.msisdn, options.operator, by=by, why=why)
        await _show(store, directory, options.msisdn, say)
    finally:
        await pool.close()
    return True


def _wrong(options: argparse.Namespace, directory: Directory) -> str:
    if options.forget and options.operator is not None:
        return "either an operator or --forget"
    if not options.person:
        return "who puts that down? --as NAME"
    country = country_of(options.msisdn)
    if options.operator is not None and directory.country_of(options.operator) != country:
        return f"nobody is called {options.operator} in {country} (engine/prefixes.yaml)"
    if len(options.why) > WHY_CHARACTERS_MAX:
        return f"--why wants at most {WHY_CHARACTERS_MAX} characters"
    return ""


async def _show(store: PortabilityStore, directory: Directory, msisdn: Msisdn, say: Say) -> None:
    seen = await store.seen(msisdn)
    dialled = directory.network_operator(seen.network) or seen.network
    say(f"{msisdn.masked}  by its prefix: {directory.payee_operator(msisdn) or 'nobody we know'}")
    if dialled:
        say(f"  dials by {dialled} since {minute_utc_of(seen.network_since_ms)}")
    for word in await store.history(msisdn):
        what = f"put down as {word.operator}" if word.operator else "taken back"
        why = f": {printable(word.why)}" if word.why else ""  # typed before it was looked at
        say(f"  {what} by {word.by} {minute_utc_of(word.at_ms)}{why}")


def _number(text: str) -> Msisdn:
    try:
        return read_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
