"""What must not make a turn dearer: sessions that live in Redis, and screens in the menu.

    python -m tests.bench.ussd_flat [--sessions N] [--rounds N] [--live N]

Turns are taken in this process, payments and customers in memory, sessions in a real Redis: of
three servers, one holds a thousand records of a session in the middle of a payment, one a tenth of
`live`, one all of them. The rounds go from one to the next, and each one's best counts. The same
with a menu of 20 screens and one of 500, walked alike. CPU is this process's, all threads, and that
of Redis. Then every journey is walked at random and the records are weighed. Void when a reply is
wrong.
"""

import asyncio
import random
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import redis
import uvloop
import yaml

from engine.clock import Ids
from engine.menu.bundle import Bundle
from engine.menu.reading import read_menu
from engine.msisdn import Msisdn
from engine.payments.ranking import Candidate, RouteRules, rank
from engine.ports import Turn
from engine.session.cluster import ClusterPipeline
from engine.session.editions import Binder, Edition, Editions, RedisShelf
from engine.session.pipeline import TickPipeline, open_pipeline
from engine.session.render import Renderer
from engine.session.session import Session, pack
from engine.session.steps import LateWork, Steps
from engine.session.store import Records, SessionStore, key_of, pointer_of
from engine.session.turn import TurnTaker
from engine.texts import Texts
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import Section, Void, cpu_seconds
from tests.bench.ussd_servers import PAYEE, PAYING, PIN, Asked
from tests.unit.session.rooms import MENUS, NETWORKS, PAYER, RECORD_SEAL, SHORTCODE, House

RECORD_BYTES_MAX = 1_024
TASKS = 64
CALLERS = 4_000
HEAVIEST = 6
LIVE_FEW = 1_000
LIVE_KEPT_SECONDS = 3_600
SCREENS = (20, 500)
CHOICES, DEPTH = 5, 4
WALKS, WALK_TURNS = 400, 14


class Options(NamedTuple):
    sessions: int = 400
    rounds: int = 5
    live: int = 1_000_000


class Spent(NamedTuple):
    """Microseconds of CPU per turn."""

    ours: float
    redis: float

    @property
    def both(self) -> float:
        return self.ours + self.redis


class Place:
    """A Redis of its own and what is measured on it."""

    def __init__(self, name: str, server: embedded.Server) -> None:
        self.name = name
        self.server = server
        self.rounds: list[Spent] = []
        self.taken = 0
        with redis.Redis.from_url(server.url) as client:
            client.config_set("appendonly", "no")

    @property
    def best(self) -> Spent:
        return min(self.rounds, key=lambda spent: spent.both)


async def _measured(
    place: Place, dialogue: Sequence[Asked], turns: TurnTaker, sessions: int
) -> None:
    """One round of whole dialogues by many callers at once. Raises Void."""
    numbers = iter(range(place.taken, place.taken + sessions))
    place.taken += sessions
    count = 0

    async def caller() -> None:
        nonlocal count
        for number in numbers:
            phone = _caller(number)
            for asked in dialogue:
                turn = Turn(f"b{number}", phone, "63902", SHORTCODE, asked.text, cumulative=True)
                reply = await turns.take(turn)
                if not reply.text.encode().startswith(asked.reply):
                    raise Void(f"{asked.text!r} was answered {reply.text!r}")
                count += 1

    ours, theirs = _own_seconds(), cpu_seconds(place.server.pid)
    await asyncio.gather(*(caller() for _ in range(TASKS)))
    ours, theirs = _own_seconds() - ours, cpu_seconds(place.server.pid) - theirs
    place.rounds.append(Spent(ours / count * 1e6, theirs / count * 1e6))


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# Sessions that live.


async def measure_sessions(options: Options, folder: Path) -> Section:
    """Raises Void."""
    with ExitStack() as stopping:
        places = []
        for live in (LIVE_FEW, options.live // 10, options.live):
            server = embedded.start_redis(folder / f"redis{live}")
            stopping.callback(server.stop)
            places.append(Place(f"{live:,} live sessions", server))
            await asyncio.to_thread(fill, server.url, live, await _payment_record())
        houses = [await _house(place) for place in places]
        for _ in range(options.rounds):
            for place, (house, _) in zip(places, houses, strict=True):
                await _measured(place, _SPOKEN, house.turns, options.sessions)
        for _, pipeline in houses:
            await pipeline.aclose()
        memory = [_megabytes(place.server.url) for place in places]
    ratio = places[-1].best.both / places[0].best.both
    return Section(
        header=(
            "(f) a turn, by live sessions",
            "our CPU",
            "Redis",
            "both",
            "to the first",
            "memory",
        ),
        rows=tuple(
            (*_row(place, places[0]), f"{size:,.0f} MB")
            for place, size in zip(places, memory, strict=True)
        ),
        remarks=(f"most / fewest live sessions, best of each: {ratio:.2f} (goal: 1, flat)",),
    )


_SPOKEN = tuple(Asked(asked.text, asked.reply[4:]) for asked in PAYING[:-1])
"""A payment, without what one gateway puts around the text."""


async def _house(place: Place) -> tuple[House, TickPipeline | ClusterPipeline]:
    pipeline = open_pipeline(place.server.url, timeout_seconds=5.0)
    house = House(SessionStore(pipeline, 1, RECORD_SEAL))
    for number in range(CALLERS):
        await house.customers.register(_caller(number), "KE", "en", PIN)
    return house, pipeline


def _caller(number: int) -> Msisdn:
    """None of those that live in Redis beforehand."""
    return Msisdn(f"+2547990{number % CALLERS:05d}")


async def _payment_record() -> bytes:
    """What a session leaves that was asked for its PIN."""
    house = await House().registered()
    await house.press("1", PAYEE, "1000", "1")
    return house.records.records[PAYER, "s1"]


_FILL = """
for number = ARGV[1], ARGV[2] do
  local phone = string.format('+2547%08d', number)
  local id = string.format('ATUid_%032x', number)
  redis.call('SET', 'capp:session:{1:' .. phone .. '}:' .. id, ARGV[3], 'EX', ARGV[4])
  redis.call('SET', 'capp:last:{1:' .. phone .. '}', id, 'EX', ARGV[4])
end
"""
_FILL_AT_ONCE = 20_000


def fill(url: str, live: int, record: bytes) -> None:
    """So many sessions under the keys of the store, made where they lie. Raises Void."""
    phone, session_id = Msisdn("+254700000001"), f"ATUid_{1:032x}"
    with redis.Redis.from_url(url) as client:
        for first in range(1, live + 1, _FILL_AT_ONCE):
            last = min(live, first + _FILL_AT_ONCE - 1)
            client.eval(_FILL, 0, first, last, record, LIVE_KEPT_SECONDS)
        if client.dbsize() != 2 * live or client.get(key_of(1, phone, session_id)) != record:
            raise Void("the sessions were not made under the store's keys")
        if client.get(pointer_of(1, phone)) != session_id.encode():
            raise Void("the pointers were not made under the store's keys")


def _megabytes(url: str) -> float:
    with redis.Redis.from_url(url) as client:
        info: Mapping[str, Any] = client.info("memory")
    return float(info["used_memory"]) / 2**20


# Screens in the menu.


async def measure_menus(options: Options, folder: Path) -> Section:
    """Raises Void."""
    server = embedded.start_redis(folder / "redis-menus")
    pipeline = open_pipeline(server.url, timeout_seconds=5.0)
    try:
        places, takers = [], []
        for screens in SCREENS:
            edition = generated(folder / f"menus{screens}", screens)
            place = Place(f"{len(edition.menu.screens)} screens", server)
            place.taken = screens * 1_000_000
            places.append(place)
            takers.append(_taker(edition, SessionStore(pipeline, 1, RECORD_SEAL)))
        for _ in range(options.rounds):
            for place, turns in zip(places, takers, strict=True):
                await _measured(place, WALK, turns, options.sessions)
        await pipeline.aclose()
    finally:
        server.stop()
    ratio = places[1].best.both / places[0].best.both
    return Section(
        header=("(g) a turn, by screens of the menu", "our CPU", "Redis", "both", "to the first"),
        rows=tuple(_row(place, places[0]) for place in places),
        remarks=(f"large / small menu, best of each: {ratio:.2f} (goal: 1, flat)",),
    )


_PRESSED = ("1", "2", "3", "4", "00") * 2
WALK = tuple(Asked("*".join(_PRESSED[:count]), b"Screen ") for count in range(len(_PRESSED) + 1))


class GivenBinder(Binder):
    """Binds one edition, whatever it is asked for."""

    def __init__(self, edition: Edition) -> None:
        super().__init__(lambda _: {}, LateWork())
        self._edition = edition

    def bind(self, bundle: Bundle) -> Edition:
        return self._edition


async def _anybody(_: Msisdn) -> bool:
    return True


def _taker(edition: Edition, store: Records) -> TurnTaker:
    house = House()
    return TurnTaker(
        editions=Editions({}, GivenBinder(edition), RedisShelf(house.redis)),
        late=house.late,
        store=store,
        drops=house.drops,
        seal=house.seal,
        ids=Ids(house.clock),
        clock=house.clock,
        shortcodes=[SHORTCODE],
        may_begin=_anybody,
    )


def generated(folder: Path, screens: int) -> Edition:
    """A menu of so many screens, five choices each, four steps deep; then one goes home."""
    folder.mkdir()
    (folder / "texts").mkdir()
    for path in (MENUS / "texts").rglob("*.yaml"):
        (folder / "texts" / path.name).write_bytes(path.read_bytes())
    sentences = {f"many.s{number}": f"Screen {number}" for number in range(screens)}
    for language in Texts.load(folder / "texts").languages:
        path = folder / "texts" / f"{language}.yaml"
        with path.open("a") as out:
            out.write("\n" + yaml.safe_dump(sentences | {"many.go": "Go on"}))
    (folder / "many.yaml").write_text(yaml.safe_dump(_journey(screens)))
    texts, networks = Texts.load(folder / "texts"), NETWORKS
    menu = read_menu(folder)
    steps = Steps(menu, texts, House().build_verbs(texts), LateWork())
    return Edition(f"many{screens}", menu, texts, networks, steps, Renderer(menu, texts))


def _journey(screens: int) -> Mapping[str, Any]:
    """Screen n leads to 5n+1 .. 5n+5 as long as there are such, then home."""
    known = dict.fromkeys(("known", "new", "reset", "dropped", "confirmed"), "many.s0")
    return {
        "opens": {"do": "find_customer", "next": known, "home": "many.s0"},
        "screens": {
            f"s{number}": {
                "kind": "choice",
                "text": f"many.s{number}",
                "choices": {
                    key: {"label": "many.go", "next": f"many.s{_next(number, key, screens)}"}
                    for key in range(1, CHOICES + 1)
                },
            }
            for number in range(screens)
        },
    }


def _next(number: int, key: int, screens: int) -> int:
    target = CHOICES * number + key
    return target if target < screens else (number + key) % screens


# What a session weighs.


async def weigh_records() -> Section:
    """Random walks over every journey; the largest record of each screen that was reached."""
    sizes: dict[str, list[int]] = {}
    for walk in range(WALKS):
        chance = random.Random(walk)
        house = await House().registered(chance.choice(("en", "sw")))
        await house.press(*PAYING[-2].text.split("*"), session_id="paid")
        for number in range(walk % 3 + 1):
            pressed: list[str] = []
            for _ in range(WALK_TURNS):
                reply = await house.take("*".join(pressed), f"w{number}")
                session = house.session(f"w{number}")
                sizes.setdefault(session.screen, []).append(len(pack(_as_priced(session))))
                if reply.ends:
                    break
                pressed.append(chance.choice(_KEYS))
    heaviest = sorted(sizes.items(), key=lambda item: -max(item[1]))
    every = [size for weighed in sizes.values() for size in weighed]
    if max(every) > RECORD_BYTES_MAX:
        raise Void(f"a record of {max(every)} bytes: at most {RECORD_BYTES_MAX} may be")
    return Section(
        header=("(h) a session's record", "mean bytes", "largest"),
        rows=tuple(
            (name, f"{sum(weighed) / len(weighed):,.0f}", f"{max(weighed):,}")
            for name, weighed in heaviest[:HEAVIEST]
        ),
        remarks=(
            f"{len(every):,} records on {len(sizes)} screens: mean {sum(every) / len(every):,.0f},"
            f" largest {max(every):,} bytes (goal: at most {RECORD_BYTES_MAX:,})",
        ),
    )


def _as_priced(session: Session) -> Session:
    """With a quote as the real service gives it: it names two ways and why the first is first."""
    if session.quote is None:
        return session
    quote = msgspec.structs.replace(
        session.quote, ways=("mtn_ug", "airtel_ug"), decisions=(_DECISION,),
        pay_until=session.quote.expires_at + 3_600, rate_at_ms=session.quote.expires_at * 1_000,
    )  # fmt: skip
    return msgspec.structs.replace(session, quote=quote)


def _candidate(operator: str, *, is_own: bool = False) -> Candidate:
    return Candidate(
        operator, is_own, 2_712_300, 50_000, 500_000_000, 100, 3_500,
        available_minor=5_000_000_000, float_minor=3_000_000_000, in_flight_minor=12_000_000,
        day_minor=450_000_000, month_minor=9_900_000_000,
    )  # fmt: skip


_DECISION = rank(
    [_candidate("mtn_ug", is_own=True), _candidate("airtel_ug")],
    123_456,
    RouteRules(),
    margin_minor=45_000,
    payer=_candidate("mpesa_ke"),
).decision
_KEYS = (*"1111122334456", "98", PAYEE, PAYEE, "1000", "1000", PIN, PIN, "Mama Njeri", "0")


# The run.


def _row(place: Place, first: Place) -> tuple[str, ...]:
    best = place.best
    return (
        place.name, f"{best.ours:.0f} us", f"{best.redis:.0f} us", f"{best.both:.0f} us",
        f"{best.both / first.best.both:.2f}",
    )  # fmt: skip


async def measure(options: Options) -> str:
    with TemporaryDirectory() as folder:
        sections = [
            await measure_sessions(options, Path(folder)),
            await measure_menus(options, Path(folder)),
            await weigh_records(),
        ]
    return "\n\n".join(section.written() for section in sections)


BENCH = Bench(
    module="tests.bench.ussd_flat",
    about=__doc__,
    options=Options,
    run=lambda options: uvloop.run(measure(options)),
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))
