"""What staff do at a terminal: propose, approve, see, look at pools and cases.

Who somebody is comes from `--as` and is taken on trust: whoever may open this terminal may give
any name. People who have proven who they are come with the API; the desk itself only compares
names.
"""

import argparse
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec

from channels.commands.proposing import (
    KINDS_TOLD,
    find_proposal,
    known_currency,
    read_fields,
    read_minor,
)
from channels.office import Office
from channels.settings import Settings
from channels.times import minute_of
from channels.wiring import open_engine
from engine.clock import ms_of
from engine.decision_log import DecisionLog
from engine.desk.cases import read_key
from engine.desk.liquidity import FloatStatus, PoolStatus
from engine.desk.next_steps import NEXT
from engine.desk.proposals import (
    Kind,
    Person,
    Proposal,
    Rebalancing,
    Rivals,
    read_body,
    read_person,
)
from engine.desk.proposals import State as Stands
from engine.desk.rebalancing import COVER_DAYS, Advice, Move, advise
from engine.errors import AlreadyProposed, StaffMistake
from engine.ledger.account_names import read_name
from engine.money import plain
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from providers.redaction import printable

Say = Callable[[str], None]


def add_arguments(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    """What may stand behind the desk's words that are given, each with its parser."""
    for word, parser in parsers.items():
        if word in _ADDS:
            _ADDS[word](parser)


def _add_liquidity(parser: argparse.ArgumentParser) -> None:
    mark = parser.add_subparsers(dest="task", required=True).add_parser(
        "set", help="how much there should be in one"
    )
    mark.add_argument("account", help="POOL_AVAIL:UGX or FLOAT:mtn_ug:UGX")
    mark.add_argument("--low", required=True, help="below this somebody is called, major units")
    mark.add_argument("--target", required=True, help="to this rebalancing fills, major units")


def _add_rebalance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=_days, default=COVER_DAYS, help="how long it should last")
    parser.add_argument("--as", dest="person", help="propose the moves in this name")


def _add_propose(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = KINDS_TOLD
    parser.add_argument("kind", choices=[kind.value for kind in Kind], metavar="KIND")
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="as listed below")
    _person(parser)
    parser.add_argument("--why", required=True, help="the reason, which is kept")


def _add_proposals(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also what is over")
    parser.add_argument("--before", metavar="ID", help="only those made before this one")


def _add_decide(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the proposal's id, or enough of its end")
    _person(parser)


def _add_seen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the proposal's id, or enough of its end")
    parser.add_argument("reference", help="the operator's or the bank's")
    _person(parser)


def _add_cases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", type=str.upper, help="only these: ON_HOLD, UNRESOLVED, ...")


def _add_take(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", help="as `capp cases` shows it")
    parser.add_argument("--days", type=_days, help="when it should be done")
    _person(parser)


def _days(text: str) -> int:
    """So many that a calendar has the day."""
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days up to 9999")
    return int(text)


def _add_close(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", help="as `capp cases` shows it")
    parser.add_argument("--why", required=True)
    _person(parser)


def _person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="person", required=True, metavar="NAME", help="who you are")


_ADDS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "liquidity": _add_liquidity,
    "rebalance": _add_rebalance,
    "propose": _add_propose,
    "proposals": _add_proposals,
    "approve": _add_decide,
    "reject": _add_decide,
    "seen": _add_seen,
    "cases": _add_cases,
    "take": _add_take,
    "close": _add_close,
}


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Connect, and close again on leaving. Raises what connecting raises."""
    async with open_engine(settings) as engine:
        yield engine.office


async def run_desk(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one command; whether it came to what was wanted. Raises StaffMistake."""
    async with open_office(settings) as office:
        return await COMMANDS[options.command](office, options, say)


async def _pools(office: Office, _: argparse.Namespace, say: Say) -> bool:
    for pool in await office.liquidity.status():
        _say_pool(pool, say)
    return True


async def _mark(office: Office, options: argparse.Namespace, say: Say) -> bool:
    account = read_name(options.account, office.tenant, office.codes)
    low, target = (read_minor(text, account.currency) for text in (options.low, options.target))
    await office.liquidity.set_mark(account, low_minor=low, target_minor=target)
    say(f"{options.account}: called below {options.low}, filled to {options.target}")
    return True


async def _rebalance(office: Office, options: argparse.Namespace, say: Say) -> bool:
    advices = advise(await office.liquidity.float_facts(), cover_days=options.days)
    if not advices:
        say("every float lasts long enough")
    for advice in advices:
        _say_advice(advice, say)
    if options.person and advices:
        log = DecisionLog(office.pool, office.tenant, office.ids)
        await log.keep(advice.decision for advice in advices)
        await _propose_moves(office, advices, read_person(options.person), say)
    return True


async def _propose_moves(office: Office, advices: list[Advice], person: Person, say: Say) -> None:
    known = await office.proposals.listed(only_open=True, most=1000, kinds=[Kind.REBALANCE])
    under_way = {_way(proposal) for proposal in known.proposals}
    for advice in advices:
        for move in advice.moves:
            if (move.source, move.target) in under_way:
                say(f"{move.source} to {move.target} is proposed already")
                continue
            try:
                say(proposal_line(await _propose_move(office, advice, move, person), office))
            except AlreadyProposed as error:  # while we looked
                say(f"{move.source} to {move.target}: {error}")


async def _propose_move(office: Office, advice: Advice, move: Move, person: Person) -> Proposal:
    fields = {
        "source": move.source,
        "target": move.target,
        "minor": move.minor,
        "decision": msgspec.json.encode(advice.decision).decode(),
    }

    rivals = Rivals(
        f"rebalancing {move.source} {move.target}", (Kind.REBALANCE,),
        lambda other: _way(other) == (move.source, move.target),
    )  # fmt: skip
    return await office.desk.propose(
        Kind.REBALANCE, fields, by=person, note=advice.decision.reason, rivals=rivals
    )


def _way(proposal: Proposal) -> tuple[str, str] | None:
    """Between whom a proposed move is; None where it cannot be read, which the log was told."""
    if not proposal.body:
        return None
    body = read_body(proposal.kind, proposal.body)
    assert isinstance(body, Rebalancing), "these speak of two operators"
    return body.source, body.target


async def _propose(office: Office, options: argparse.Namespace, say: Say) -> bool:
    kind = Kind(options.kind)
    fields = await read_fields(kind, options.fields, office)
    by = read_person(options.person)
    say(proposal_line(await office.desk.propose(kind, fields, by=by, note=options.why), office))
    return True


async def _proposals(office: Office, options: argparse.Namespace, say: Say) -> bool:
    before = await find_proposal(office, options.before) if options.before else None
    listed = await office.proposals.listed(
        only_open=not options.all, most=PROPOSALS_MAX, before=before
    )
    for proposal in listed.proposals:
        say(proposal_line(proposal, office))
    for unread in listed.unread:
        say(f"{unread[-ID_SHOWN:]} cannot be read and waits: the log says why")
    if listed.last is not None:
        which = " --all" if options.all else ""
        say(f"... and older: `capp proposals{which} --before {listed.last[-ID_SHOWN:]}`")
    return not listed.unread


async def _approve(office: Office, options: argparse.Namespace, say: Say) -> bool:
    wanted = await find_proposal(office, options.id)
    proposal = await office.desk.approve(wanted, by=read_person(options.person))
    say(proposal_line(proposal, office))
    return proposal.state is not Stands.FAILED


async def _reject(office: Office, options: argparse.Namespace, say: Say) -> bool:
    wanted = await find_proposal(office, options.id)
    say(proposal_line(await office.desk.reject(wanted, by=read_person(options.person)), office))
    return True


async def _seen(office: Office, options: argparse.Namespace, say: Say) -> bool:
    wanted = await find_proposal(office, options.id)
    by = read_person(options.person)
    proposal = await office.desk.see(wanted, options.reference, by=by)
    say(proposal_line(proposal, office))
    return proposal.state is not Stands.FAILED


async def _cases(office: Office, options: argparse.Namespace, say: Say) -> bool:
    if options.kind is not None and options.kind not in NEXT:
        raise StaffMistake(f"{options.kind!r} is no kind of case; there are {', '.join(NEXT)}")
    now_ms = int(office.clock.epoch() * 1000)
    cases = await office.cases.open_cases(most=CASES_MAX + 1, kind=options.kind)
    states = await office.cases.states({case.key.payment for case in cases})
    for case in cases[:CASES_MAX]:
        age = timedelta(seconds=case.age_seconds(now_ms))
        owner = case.owner or "nobody"
        due = f", due {minute_of(case.due_ms)}" if case.due_ms is not None else ""
        state = states.get(case.key.payment)
        now = f" (now {State(state).name})" if state in set(State) else ""
        about = f"{code_of(case.key.payment)}{now}"
        line = f"{case.key.kind:<18} {about} {age} {owner}{due}: {case.detail}"
        say(printable(line, length_max=LINE_LENGTH_MAX))
        say(f"    {case.key}")
    if len(cases) > CASES_MAX:
        say(f"... and more: these are the oldest {CASES_MAX}; choose a --kind")
    for kind in sorted({case.key.kind for case in cases[:CASES_MAX]} & NEXT.keys()):
        say(f"{kind}: {NEXT[kind]}")
    return True


async def _take(office: Office, options: argparse.Namespace, say: Say) -> bool:
    due_ms = None
    if options.days is not None:
        due_ms = ms_of(office.clock.now() + timedelta(days=options.days))
    key = read_key(options.key)
    case = await office.cases.take(key, owner=read_person(options.person), due_ms=due_ms)
    say(f"{case.owner} looks after it")
    return True


async def _close(office: Office, options: argparse.Namespace, say: Say) -> bool:
    key = read_key(options.key)
    await office.cases.close(key, by=read_person(options.person), note=options.why)
    say("closed")
    return True


COMMANDS: dict[str, Callable[[Office, argparse.Namespace, Say], Awaitable[bool]]] = {
    "pools": _pools,
    "liquidity": _mark,
    "rebalance": _rebalance,
    "propose": _propose,
    "proposals": _proposals,
    "approve": _approve,
    "reject": _reject,
    "seen": _seen,
    "cases": _cases,
    "take": _take,
    "close": _close,
}


ID_SHOWN = 8
CASES_MAX = 200
PROPOSALS_MAX = 200
LINE_LENGTH_MAX = 4000


def proposal_line(proposal: Proposal, office: Office) -> str:
    """A proposal as the terminal shows it: who asked, who agreed, who saw it, what came of it."""
    who = proposal.made_by + (f"+{proposal.decided_by}" if proposal.decided_by else "")
    seen = f" seen as {proposal.reference} by {proposal.reference_by}" if proposal.reference else ""
    told = f": {proposal.outcome}" if proposal.outcome else ""
    body = _body(proposal, office)
    line = (
        f"{proposal.id[-ID_SHOWN:]}  {minute_of(proposal.made_ms)}  {proposal.kind:<12}"
        f"  {proposal.state:<8}  {who}  {body}  ({proposal.note}){seen}{told}"
    )
    # What a stranger wrote never looks like a proposal of its own.
    return printable(line, length_max=LINE_LENGTH_MAX)


def _body(proposal: Proposal, office: Office) -> str:
    """The fields as they were typed; amounts with their currency, decisions left to the log."""
    fields: dict[str, Any] = msgspec.json.decode(proposal.body)
    fields.pop("decision", None)
    if "minor" in fields and (currency := known_currency(fields, office)):
        fields["minor"] = f"{currency} {plain(fields['minor'], currency)}"
        fields = {"amount" if name == "minor" else name: fields[name] for name in fields}
    # A number that is to be paid is not shown whole.
    if fields.get("payee"):
        fields["payee"] = "*" * 8 + fields["payee"][-3:]
    return " ".join(f"{name}={value}" for name, value in fields.items() if value)


def _say_pool(pool: PoolStatus, say: Say) -> None:
    def amount(minor: int) -> str:
        return plain(minor, pool.currency)

    low = f", mark {amount(pool.low_minor)}" if pool.low_minor else ""
    reserved = f"  reserved {amount(pool.reserved_minor)}" if pool.reserved_minor else ""
    say(
        f"{pool.currency}  free {amount(pool.available_minor)}{low}"
        f"  promised {amount(pool.held_minor)}  in flight {amount(pool.in_flight_minor)}"
        f"  leaving {amount(pool.leaving_minor)}{reserved}"
    )
    for float_ in pool.floats:
        say(f"     {_float(float_, pool.currency)}")


def _float(float_: FloatStatus, currency: str) -> str:
    days = "lasts: unknown" if float_.days is None else f"lasts {float_.days} days"
    short = "  BELOW ITS MARK" if float_.minor < float_.low_minor else ""
    return (
        f"{float_.operator:<16} {plain(float_.minor, currency):>18}"
        f"  in flight {plain(float_.in_flight_minor, currency)}"
        f"  leaving {plain(float_.leaving_minor, currency)}"
        f"  {plain(float_.use_per_day_minor, currency)} a day, {days}{short}"
    )


def _say_advice(advice: Advice, say: Say) -> None:
    for move in advice.moves:
        amount = plain(move.minor, move.currency)
        say(f"move {move.currency} {amount} from {move.source} to {move.target}")
    for short in advice.shortages:
        amount = plain(short.minor, short.currency)
        say(f"buy {short.currency} {amount} for {short.operator}: no float can spare it")
