"""First data for an empty installation: rates, corridors, accounts, and float that was paid in.

Read from a YAML file; safe to repeat, and safe to repeat with more in it.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from channels.environment import BadArgument
from channels.settings import Settings
from engine.clock import DAY_MS, Clock, Ids
from engine.database import connect
from engine.fx.quotes import Corridor
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, Kind, Route, read_account, route_accounts
from engine.ledger.commit import commit
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.postings import top_up
from engine.money import MINOR_MAX
from engine.payments.breaker import Lane
from engine.payments.health_store import HealthStore
from engine.payments.ranking import Terms
from engine.plain_yaml import read_yaml
from engine.ports import Direction, Observation, OperatorFacts, Pair
from providers.registry import build_operators

SAID_AGAIN_MS = DAY_MS
"""A rate that is seeded again after this time is said anew."""


Minor = Annotated[int, msgspec.Meta(ge=0, le=MINOR_MAX)]


class SeedRate(msgspec.Struct, forbid_unknown_fields=True):
    """`mid` major units of `quote` for one major unit of `base`; a string, to be exact."""

    base: str
    quote: str
    mid: str

    def __post_init__(self) -> None:
        try:
            Observation(Pair(self.base, self.quote), self.mid, 0)  # as the feed will read it
        except ValueError as error:
            raise ValueError(
                f"mid of {self.base}/{self.quote}: wants a positive decimal in plain digits, at"
                f" most 15 before the point and 24 behind it, not {self.mid[:40]!r}"
            ) from error


class SeedCorridor(Corridor, frozen=True, forbid_unknown_fields=True):
    """What a corridor costs. A slip in it would show in the books, and payments would stand."""

    def __post_init__(self) -> None:
        if wrong := self.senseless:
            raise ValueError(
                f"{self.payer_operator} to {self.payee_operator}: {wrong} makes no sense:"
                f" {getattr(self, wrong)}"
            )


class SeedFloat(msgspec.Struct, forbid_unknown_fields=True):
    """Money paid into our wallet at an operator; `key` makes it happen once."""

    operator: str
    minor: Annotated[int, msgspec.Meta(gt=0)]
    key: str


class SeedTerms(msgspec.Struct, forbid_unknown_fields=True):
    """What was agreed with an operator about volume; amounts are minor units of its currency."""

    operator: str
    direction: Literal["collect", "disburse"]
    day_minor_max: Minor | None = None
    month_minor_max: Minor | None = None
    month_minor_promised: Minor = 0
    canary_ppm: Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)] | None = None


class Seeds(msgspec.Struct, forbid_unknown_fields=True):
    """The file's parts; an operator without terms has no caps."""

    rates: list[SeedRate]
    corridors: list[SeedCorridor]
    floats: list[SeedFloat]
    terms: list[SeedTerms] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp seed`."""
    parser.add_argument("file", type=Path)


async def sow(settings: Settings, options: argparse.Namespace, say: Callable[[str], None]) -> bool:
    """Store what the file holds, and say what is served beside it.

    Raises what reading, connecting and storing raise.
    """
    clock = Clock()
    seeds = read_seeds(options.file)
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    facts = {name: port.facts for name, port in operators.items()}
    beside = await seed(settings, seeds, facts, clock)
    say(
        f"{len(seeds.rates)} rates, {len(seeds.corridors)} corridors and {len(seeds.floats)} floats"
        " are there"
    )
    for payer, payee in beside:
        say(f"{payer} to {payee} is not in this file, and is served as it was seeded before")
    return True


def read_seeds(path: Path) -> Seeds:
    """Raises OSError, BadArgument for no YAML, or msgspec.ValidationError that names the field."""
    try:
        return msgspec.convert(read_yaml(path.read_text()), Seeds)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadArgument(f"{path} is no file of YAML") from error


async def seed(
    settings: Settings, seeds: Seeds, operators: dict[str, OperatorFacts], clock: Clock
) -> list[tuple[str, str]]:
    """Store the seeds. A rate is stored again when it differs from the newest, or a day later.

    Returns the corridors that are stored and not among them: none is ever taken out.

    Seeding says that the table holds today, as a live source does when it repeats itself. Raises
    BadArgument for an operator that is not among `operators` and for two floats of one key, before
    anything is stored, and for a float whose key was another amount's or another wallet's.
    """
    _refuse_strangers(seeds, operators)
    _refuse_doubles(seeds)
    connection = await connect(settings.database_url)
    try:
        await _store_rates(connection, settings.tenant, seeds.rates, _at_ms(clock))
        await _store_corridors(connection, settings.tenant, seeds.corridors)
        routes = [
            route_accounts(
                settings.tenant,
                source=(operators[c.payer_operator].currency, operators[c.payer_operator].code),
                destination=(
                    operators[c.payee_operator].currency,
                    operators[c.payee_operator].code,
                ),
            )
            for c in seeds.corridors
        ]
        await open_accounts(connection, _accounts(routes))
        for agreed in seeds.terms:
            lane = Lane(operators[agreed.operator].name, Direction[agreed.direction.upper()])
            terms = msgspec.convert(agreed, Terms, from_attributes=True)
            await HealthStore(connection, settings.tenant).set_terms(lane, terms)
        for paid_in in seeds.floats:
            await _pay_in(connection, settings.tenant, paid_in, operators[paid_in.operator], clock)
        return await _beside(connection, settings.tenant, seeds.corridors)
    finally:
        await connection.close()


def _refuse_strangers(seeds: Seeds, operators: Mapping[str, OperatorFacts]) -> None:
    named = {end for c in seeds.corridors for end in (c.payer_operator, c.payee_operator)}
    named |= {paid_in.operator for paid_in in seeds.floats}
    named |= {agreed.operator for agreed in seeds.terms}
    if strange := sorted(named - operators.keys()):
        raise BadArgument(f"CAPP_OPERATORS does not name {', '.join(strange)}, which the file does")


def _refuse_doubles(seeds: Seeds) -> None:
    """The second of two floats would be taken for the first said again, and not be paid in; of two
    prices the last would be taken, and nobody told.
    """
    if twice := _twice([paid_in.key for paid_in in seeds.floats]):
        raise BadArgument(f"floats: each wants a key of its own, {twice!r} is there twice")
    if twice := _twice([f"{c.payer_operator} to {c.payee_operator}" for c in seeds.corridors]):
        raise BadArgument(f"corridors: {twice} is there twice")
    if twice := _twice([f"{rate.base}/{rate.quote}" for rate in seeds.rates]):
        raise BadArgument(f"rates: {twice} is there twice")


def _twice(names: list[str]) -> str:
    return next((name for name, n in Counter(names).items() if n > 1), "")


async def _beside(
    connection: Any, tenant: int, corridors: Sequence[Corridor]
) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "select payer_operator, payee_operator from corridor where tenant = $1 order by 1, 2",
        tenant,
    )
    named = {(c.payer_operator, c.payee_operator) for c in corridors}
    return [pair for row in rows if (pair := (row[0], row[1])) not in named]


def _accounts(routes: list[Route]) -> list[Account]:
    numbers = {number for route in routes for number in route}
    found = [read_account(number) for number in sorted(numbers)]
    # People may have any operator give back what the one that collected cannot.
    found += [a._replace(kind=Kind.REFUND_IN_FLIGHT) for a in found if a.kind is Kind.FLOAT]
    pools = {(a.tenant, a.currency) for a in found}
    return found + [Account(t, c, Kind.POOL_AVAIL) for t, c in sorted(pools)]


async def _store_rates(connection: Any, tenant: int, rates: list[SeedRate], at_ms: int) -> None:
    for rate in rates:
        await connection.execute(
            "with newest as (select mid, at_ms, coalesce(accepted_ms, at_ms) as said_ms"
            "   from fx_rate where tenant = $1 and base = $2 and quote = $3 and decided_ms is null"
            "   order by at_ms desc limit 1)"
            " insert into fx_rate (tenant, base, quote, at_ms, mid, source, accepted_ms)"
            # Behind the newest, also where that was said by a clock that was ahead.
            " select $1, $2, $3, greatest($4::bigint, (select at_ms + 1 from newest)),"
            "   $5::text::numeric, 'seed', $4"
            " where not exists (select from newest"
            "   where mid = $5::text::numeric and abs(said_ms - $4::bigint) < $6::bigint)",
            tenant, rate.base, rate.quote, at_ms, rate.mid, SAID_AGAIN_MS,
        )  # fmt: skip


async def _store_corridors(connection: Any, tenant: int, corridors: Sequence[Corridor]) -> None:
    names = Corridor.__struct_fields__
    for corridor in corridors:
        values = [getattr(corridor, name) for name in names]
        placeholders = ", ".join(f"${i}" for i in range(2, len(names) + 2))
        await connection.execute(
            f"insert into corridor (tenant, {', '.join(names)}) values ($1, {placeholders})"
            " on conflict (tenant, payer_operator, payee_operator) do update set "
            + ", ".join(f"{name} = excluded.{name}" for name in names[2:]),
            tenant, *values,
        )  # fmt: skip


async def _pay_in(
    connection: Any, tenant: int, paid_in: SeedFloat, facts: OperatorFacts, clock: Clock
) -> None:
    float_account = Account(tenant, facts.currency, Kind.FLOAT, facts.code)
    pool = Account(tenant, facts.currency, Kind.POOL_AVAIL)
    await open_accounts(connection, [float_account, pool])
    plan = Plan(
        Ids(clock).payment(),
        CREATE,
        tenant,
        Manual.SEEDED,
        key=f"seed:{paid_in.key}",
        hash=f"{paid_in.minor:032x}",
        transfers=top_up(float_account.number, pool.number, paid_in.minor),
    )
    (answer,) = await commit(connection, [plan], _at_ms(clock))
    if answer.verdict is Verdict.CONFLICT:
        raise BadArgument(f"float {paid_in.key!r}: another amount was paid in under this key")
    if answer.verdict is Verdict.DUPLICATE and not await connection.fetchval(
        "select $2 = any(debits) from journal where payment = $1 and version = 1",
        answer.known, float_account.number,
    ):  # fmt: skip
        raise BadArgument(f"float {paid_in.key!r}: was paid in at another operator")
    if answer.verdict not in (Verdict.APPLIED, Verdict.DUPLICATE):
        raise ValueError(f"float {paid_in.key}: {answer.verdict.name}")


def _at_ms(clock: Clock) -> int:
    return int(clock.epoch() * 1000)
