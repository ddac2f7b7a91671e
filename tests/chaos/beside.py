"""Two versions over one Postgres and one Redis: an upgrade under load, the way back, and again.

As `deploy/upgrading.md` says it: the schema while the older version serves, workers one after the
other, all web processes at once; back in the other order, on the schema as it is. Between the first
worker and the last both versions' are killed in turn, as often as the plan has cycles.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from zipfile import ZipFile

import asyncpg

from simulator import embedded
from simulator.child import Child, ChildDied
from simulator.embedded import free_port
from simulator.stack import PROJECT, START_SECONDS_MAX, Stack
from tests.chaos.__main__ import say_line, summary
from tests.chaos.balancer import Balancer
from tests.chaos.draws import FAULTS, PAID_AFTERWARDS
from tests.chaos.killer import UP, Killer, wait_for
from tests.chaos.laws import HEARD_SECONDS_MAX
from tests.chaos.load import Load
from tests.chaos.readings import OPERATORS
from tests.chaos.relay import Network
from tests.chaos.run import Plan, Result, Say, Story, prepare
from tests.chaos.troubles import Troubles
from tests.e2e.city import City
from tests.e2e.servers import running, start_stack

MANY = 2
"""Processes of each kind."""
KILLS = 6
"""So often a worker of two versions side by side is killed, at each of the three changes."""
STEPS = "migrations/versions"
PROMPT = tuple(fault for fault in FAULTS if fault.name != PAID_AFTERWARDS)
"""Without the one that takes minutes to be known: an upgrade does not touch it."""


class NoOlderVersion(Exception):
    """There is nothing to play beside: the message says why."""


def unpack(revision: str, folder: Path) -> Path:
    """The project as it was at a revision of its history, "" for the last of an older schema.

    Raises NoOlderVersion without such a history, or where it needs other packages than are here.
    """
    revision = revision or _last_of_an_older_schema()
    with ZipFile(BytesIO(_git("archive", "--format=zip", revision))) as files:
        files.extractall(folder)
    if (folder / "requirements.lock").read_bytes() != (PROJECT / "requirements.lock").read_bytes():
        raise NoOlderVersion(f"{revision} needs other packages")
    return folder


def _last_of_an_older_schema() -> str:
    """All of its steps are among today's: one that was renumbered meanwhile leads nowhere."""
    ours = {f"{STEPS}/{file.name}" for file in (PROJECT / STEPS).glob("*.py")}
    for changed in _git("log", "--format=%H", "--", STEPS).decode().split():
        steps = _git("ls-tree", "--name-only", f"{changed}^", f"{STEPS}/").decode().split()
        if steps and {*steps} < ours:
            return f"{changed}^"
    raise NoOlderVersion("no version of an older schema is in this history")


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PROJECT, capture_output=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoOlderVersion(f"git {arguments[0]}: no history here ({error})") from error
    return done.stdout


class Beside(Stack):
    """Web processes behind a balancer, and workers; the next is started from `program`."""

    older: Path
    balancer: Balancer
    _environment: Mapping[str, str]

    @classmethod
    def of(cls, older: Path) -> "type[Beside]":
        """The kind of stack that begins with that version."""
        return type("Beside", (cls,), {"older": older, "program": older})

    def migrate(self) -> None:
        """Bring the schema to today's, while whoever serves serves."""
        self.program = PROJECT
        self._run_once("migrated", ["migrate"], self._server)

    @property
    def workers(self) -> list[Child]:
        return [child for child in self._children if child.name.startswith("worker")]

    def change_a_worker(self) -> None:
        """The first of them: from now on two versions' workers stand beside each other."""
        first = self.workers[0]
        self._start_worker()
        self._end(first)

    def change_workers(self) -> None:
        """One after the other: the next begins before the last ends."""
        for old in self.workers:
            self._start_worker()
            self._end(old)

    def kill_for_a_while(self, worker: Child, seconds: float) -> None:
        """SIGKILL, and the same version's worker once more after that."""
        worker.kill()
        time.sleep(seconds)
        said = worker.log.read_bytes().count(UP)
        worker.start()
        self._remember()
        self._wait_until_up(worker, said)

    def change_web(self) -> None:
        """All at once: the others end when nothing is under way to them any more."""
        before = [child for child in self._children if child.name.startswith("web")]
        self._start_web()
        for old in before:
            self._end(old)

    def stop(self) -> None:
        super().stop()
        if hasattr(self, "balancer"):
            self.balancer.__exit__(None, None, None)

    def _spawn(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        self._environment = environment
        if name == "web":
            self.balancer = Balancer(int(arguments[-1])).__enter__()
            return self._start_web()
        if name == "worker":
            first, *_ = [self._start_worker() for _ in range(MANY)]
            return first
        return super()._spawn(name, arguments, environment)

    def _start_web(self) -> Child:
        ports = [free_port() for _ in range(MANY)]
        serve = ["channels.cli", "serve", "--port"]
        begun = [
            super(Beside, self)._spawn(f"web-{port}", [*serve, str(port)], self._environment)
            for port in ports
        ]
        for child, port in zip(begun, ports, strict=True):
            self._wait(child, f"http://127.0.0.1:{port}/health")
        self.balancer.turn_to(ports)
        return begun[0]

    def _start_worker(self) -> Child:
        name = f"worker-{time.monotonic_ns()}"
        child = super()._spawn(name, ["channels.cli", "worker"], self._environment)
        self._wait_until_up(child, 0)
        return child

    def _wait_until_up(self, child: Child, said: int) -> None:
        """Once more than it has said before."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while child.log.read_bytes().count(UP) == said:
            child.check()
            if time.monotonic() > deadline:
                raise ChildDied(f"{child.name} is not up; {child.log}")
            time.sleep(0.05)

    def _end(self, child: Child) -> None:
        child.check()  # whoever ended before by itself could not stand the other version
        child.stop()
        self._children.remove(child)
        self._remember()


class Rollout(Story):
    """The story of one upgrade, and of the way back."""

    stack: Beside

    async def meanwhile(self, load: Load) -> None:
        """Everybody pays at every stage, and while a backup holds what the schema's steps want."""
        await wait_for(lambda: load.acknowledged > 0, "nobody can pay at all", HEARD_SECONDS_MAX)
        stack = self.stack
        await self._tell(load, "the older version alone")
        await self._migrate(load)
        await self._tell(load, "the older version on the newer schema")
        for words in ("upgraded", "back", "upgraded again"):
            stack.program = stack.older if words == "back" else PROJECT
            changes = [("workers", stack.change_workers), ("web", stack.change_web)]
            for what, change in changes[::-1] if words == "back" else changes:
                if what == "workers" and self._plan.cycles:
                    await self._kill_either(load, words)
                await asyncio.to_thread(change)
                await self._tell(load, f"{words}: {what}")

    async def _migrate(self, load: Load) -> None:
        backup = await asyncpg.connect(self.stack.database_url)
        try:
            tables = await backup.fetch(
                "select relname from pg_class where relkind in ('r', 'p') and relnamespace ="
                " 'public'::regnamespace"
            )
            await backup.execute("begin")
            for table in tables:
                await backup.execute(f"lock table {table['relname']} in access share mode")
            migrating = asyncio.create_task(asyncio.to_thread(self.stack.migrate))
            await self._tell(load, "beside a backup")
        finally:
            await backup.close()
        await migrating

    async def _kill_either(self, load: Load, words: str) -> None:
        """Of two versions' workers each in turn: the other takes over what it has begun."""
        stack = self.stack
        await asyncio.to_thread(stack.change_a_worker)
        for number, worker in enumerate(islice(cycle(stack.workers), self._plan.cycles)):
            seconds = self._plan.quiet_seconds
            await asyncio.to_thread(stack.kill_for_a_while, worker, seconds)
            await self._tell(load, f"{words}: a worker of two versions killed, {number + 1}")

    async def _tell(self, load: Load, words: str) -> None:
        load.check()
        await self.pays_again(load, words)
        self.say(f"{words}; acknowledged {load.acknowledged}, broken off {load.interrupted}")


async def _leave(city: City) -> None:
    del city


def run_beside(folder: Path, older: Path, plan: Plan, say: Say) -> Result:
    """An upgrade from that version's folder to this one; afterwards nothing runs any more."""
    environment = prepare(folder)
    with (
        running(folder / "databases") as databases,
        Network({}) as network,
        start_stack(
            folder / "stack",
            databases,
            database="beside",
            redis_number=0,
            environment=environment,
            operators=OPERATORS,
            kind=Beside.of(older),
        ) as stack,
    ):
        assert isinstance(stack, Beside)
        killer = Killer(stack, databases, Troubles(stack, databases, network))
        story = Rollout(stack, killer, plan, say, _leave)
        result = asyncio.run(story.tell())
        faults = [f"{asked}, {n} times" for asked, n in stack.balancer.faults.items()]
    return result._replace(breaches=[*result.breaches, *faults], kills=Counter())


def main(arguments: Sequence[str]) -> int:
    """`python -m tests.chaos.beside [REVISION]`; the folder stays when something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="capp-beside-"))
    seed = secrets.token_hex(4)
    try:
        older = unpack(arguments[0] if arguments else "", folder / "older")
    except NoOlderVersion as why:
        say_line(str(why))
        return 2
    began = time.monotonic()
    plan = Plan(KILLS, seed, fault_odds=0.05, faults=PROMPT, has_strangers=False)
    result = run_beside(folder, older, plan, say_line)
    for line in summary(result, time.monotonic() - began):
        say_line(line)
    for breach in result.breaches:
        say_line(f"BREACH: {breach}")
    if not result.breaches:
        embedded.remove(folder)
        return 0
    say_line(f"logs and data: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
