"""The whole product on one machine: databases, sandboxes, web process and worker, as programs.

The demo, the end-to-end tests and the benches start it. It speaks to the server only through its
environment, its command line and HTTP.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import httpx

from simulator import embedded, places, schema, seeding, settling
from simulator.child import Child, ChildDied, end_leftovers, remember
from simulator.folder_lock import FolderLock, NoFolder
from simulator.installation import (
    PREFERRED,
    Ports,
    choose_ports,
    folder_of,
    places_of,
    rate_sources_of,
    read_secrets,
    server_environment,
    write_environment,
)
from simulator.markets import EVERY, Market, read_markets
from simulator.places import Places
from simulator.settling import Preparing, Windows

__all__ = ["EVERY", "PREFERRED", "PROJECT", "Approval", "Ports", "Stack", "read_secrets"]

PROJECT = Path(__file__).resolve().parents[1]
RECONCILIATION = PROJECT / "simulator" / "reconciliation.yaml"
START_SECONDS_MAX = 180.0
COMMAND_SECONDS_MAX = 180.0  # a busy machine starts a program in a minute

ANY_PORTS = Ports()
Approval = Literal["ask", "approve"]


def _ignore(line: str) -> None:
    del line


def _go_on() -> None:
    return


class Stack:
    """Everything that runs. Made by `start`; `stop` ends it all, also when half of it is dead."""

    places: Places
    markets: tuple[Market, ...]
    rate_sources: Mapping[str, str]  # openexchangerates -> URL
    database_url: str
    redis_url: str
    _server: dict[str, str]  # the server's environment
    web: Child
    worker: Child
    sandboxes: Child
    chain: Child | None = None  # who squares the operators, where somebody does
    program = PROJECT  # where the server's code lies: a test plays another version's

    def __init__(
        self, folder: Path, *, say: Callable[[str], None], proceed: Callable[[], None]
    ) -> None:
        self.folder = folder.resolve()
        self.kept = self.folder  # keys, chain and settlement: they belong to one database
        self._say = say
        self._proceed = proceed
        self._lock: FolderLock | None = None
        self._servers: list[embedded.Server] = []
        self._children: list[Child] = []

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        operators: Iterable[str] = EVERY,
        approval: Approval = "approve",
        database_url: str | None = None,
        redis_url: str | None = None,
        ports: Ports = ANY_PORTS,
        windows: Windows | None = None,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = _ignore,
        proceed: Callable[[], None] = _go_on,
    ) -> Self:
        """Start everything on `folder` and wait until the server is healthy.

        `operators`: which of `markets.py` run, and can be paid from and to. `approval`: whether
        they ask the payer or approve by themselves. `environment` adds to the server's.
        `windows`: operators are squared on a chain beside it, in such windows; without them nobody
        squares. `proceed` is called between steps and may raise to give up. Raises ValueError for
        an operator nobody knows, NoFolder, Busy, embedded.StartFailed or ChildDied; then nothing
        is left running.
        """
        stack = cls(folder, say=say, proceed=proceed)
        stack.markets = read_markets(operators)
        try:
            stack._start(approval, database_url, redis_url, ports, windows, environment or {})
        except BaseException:
            stack.stop()
            raise
        return stack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raises ChildDied when a program has ended by itself."""
        for child in self._children:
            child.check()
        for server in self._servers:
            if server.process.poll() is not None:
                raise ChildDied(f"{server.name} ended with exit code {server.process.returncode}")

    def stop(self) -> None:
        """End all programs, the last started first. Safe to repeat."""
        for child in reversed(self._children):
            child.stop()
        for server in reversed(self._servers):
            server.stop()
        if self._lock is not None:  # Without it the folder is somebody else's.
            (self.folder / "children.json").unlink(missing_ok=True)
            (self.folder / "demo.json").unlink(missing_ok=True)
            (self.folder / "server.env").unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def kill_web(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.web.kill()

    def kill_worker(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.worker.kill()

    def restart_web(self) -> None:
        """Stop the web process if it runs, start it, wait until it is healthy."""
        self.web.stop()
        self.web.start()
        self._remember()
        self._wait(self.web, f"{self.places.server}/health")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the server beside it, as staff would at its terminal."""
        return subprocess.run(
            [sys.executable, "-m", "channels.cli", *arguments],
            cwd=self.program,
            env=self._server,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

    def kill_chain(self) -> None:
        """SIGKILL to the node; what it has committed it has written down."""
        assert self.chain is not None, "nobody squares the operators of this stack"
        self.chain.kill()

    def restart_chain(self) -> None:
        """Stop the node if it runs, start it, wait until it answers."""
        assert self.chain is not None, "nobody squares the operators of this stack"
        self.chain.stop()
        self.chain.start()
        self._remember()
        self._wait(self.chain, self.places.node)

    def second_worker(self) -> Child:
        """One more worker beside the first, running, as where several machines serve."""
        return self._spawn("worker-2", ["channels.cli", "worker"], self._server)

    def restart_worker(self) -> None:
        """Stop the worker if it runs, and start it."""
        self.worker.stop()
        self.worker.start()
        self._remember()

    def _start(
        self,
        approval: Approval,
        database_url: str | None,
        redis_url: str | None,
        ports: Ports,
        windows: Windows | None,
        environment: Mapping[str, str],
    ) -> None:
        try:
            (self.folder / "logs").mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder)
        except OSError as error:
            raise NoFolder(f"nothing can be kept in {self.folder}: {error}") from error
        end_leftovers(self.folder / "children.json")
        if database_url is not None:
            self.kept = self.folder / folder_of(database_url)
            self.kept.mkdir(exist_ok=True)
        is_kept = (self.kept / "demo.env").exists()
        keys = read_secrets(self.kept / "demo.env")
        ports = choose_ports(ports, self.markets, self._say)
        self.places = places_of(ports, keys)
        self.rate_sources = rate_sources_of(ports)
        if database_url is None:
            self._forget_what_is_of_no_use(keeps_chain=windows is not None)
        preparing = self._start_chain(ports, windows) if windows else None
        self._start_sandboxes(approval, ports, keys)
        self._start_databases(database_url, redis_url, ports)
        server = {
            **os.environ,
            **server_environment(self.places, keys, self.rate_sources),
            **self._fetch_certificates(),
            "CAPP_RECONCILIATION_FILE": str(RECONCILIATION),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._server = server
        self._run_once("migrate", ["migrate"], server)
        self._seed(server)
        if is_kept:
            books = self._run_once("books", ["books"], server)
            seeding.hold_what_is_booked(books, self.places.operators, RECONCILIATION)
        if preparing is not None:
            self._tell_of_chain(preparing, ports, server)
        self.web = self._spawn("web", ["channels.cli", "serve", "--port", str(ports.web)], server)
        if preparing is not None:  # before anybody compares the books with the chain
            provided = str(preparing.done().provided_file)
            self._run_once("provided", ["settlement", "provided", "--file", provided], server)
        self.worker = self._spawn("worker", ["channels.cli", "worker"], server)
        self._register_addresses(server)  # while both start
        self._wait(self.web, f"{self.places.server}/health")
        self.worker.check()
        self._write_state()

    def _forget_what_is_of_no_use(self, *, keeps_chain: bool) -> None:
        if schema.forget_other(self.folder, "postgres"):
            self._say("this version has another schema: the demo begins with fresh data")
        if keeps_chain and settling.forget_halves(self.folder):
            self._say("books and chain are not of the same run: the demo begins with fresh data")

    def _start_chain(self, ports: Ports, windows: Windows) -> Preparing:
        """The node; what stands on it is made ready while the rest starts."""
        arguments = settling.arguments(ports.chain, self.kept)
        self.chain = self._spawn("chain", arguments, dict(os.environ))
        pairs = settling.pairs_of(self.places.operators)
        return Preparing(self.kept, ports.chain, pairs, windows)

    def _tell_of_chain(self, preparing: Preparing, ports: Ports, server: dict[str, str]) -> None:
        """Where the chain is, for the server and for whoever looks from outside."""
        self._say("making the chain ready")
        while not preparing.is_done:
            self._proceed()
            self.check()
            time.sleep(0.05)
        server.update(preparing.environment())
        self.places = replace(
            self.places, node=settling.node_at(ports.chain), pools=preparing.pools()
        )

    def _start_sandboxes(self, approval: Approval, ports: Ports, keys: Mapping[str, str]) -> None:
        sms_url = f"{self.places.server}/sms/africastalking/{keys['CAPP_GATEWAY_TOKEN']}"
        arguments = ["simulator", "operators", "--approval", approval]
        listening = ",".join(f"{name}={port}" for name, port in ports.operators.items())
        arguments += ["--operators", listening]
        arguments += ["--gateway-port", str(ports.gateway), "--delivery-report-url"]
        arguments += [f"{sms_url}/report", "--sms-in-url", f"{sms_url}/message"]
        arguments += ["--openexchangerates-port", str(ports.openexchangerates)]
        arguments += ["--floatrates-port", str(ports.floatrates)]
        arguments += ["--rate-noise-bp", "0"]  # transcripts have figures in them
        self.sandboxes = self._spawn("sandboxes", arguments, dict(os.environ))

    def _start_databases(
        self, database_url: str | None, redis_url: str | None, ports: Ports
    ) -> None:
        self._proceed()
        if database_url is None:
            self._say("starting Postgres")
            server = embedded.start_postgres(self.folder / "postgres", port=ports.postgres)
            self._servers.append(server)
            database_url = server.url
        self._proceed()
        if redis_url is None:
            self._say("starting Redis")
            server = embedded.start_redis(self.folder / "redis", port=ports.redis)
            self._servers.append(server)
            redis_url = server.url
        self.database_url, self.redis_url = database_url, redis_url

    def _fetch_certificates(self) -> dict[str, str]:
        """Files of the keys that passwords are sealed for; sandboxes make new ones each start."""
        found: dict[str, str] = {}
        for market in self.markets:
            url = f"{self.places.operators[market.name]}/_sandbox"
            if market.certificate:
                file = self.folder / f"{market.name}.pem"
                file.write_bytes(self._wait(self.sandboxes, f"{url}/certificate"))
                found[market.variable(market.certificate)] = str(file)
        return found

    def _seed(self, server: Mapping[str, str]) -> None:
        file = self.folder / "seed.yaml"
        files = [self.program / "simulator" / name for name in seeding.NAMES]
        seeding.write_seed(file, self.places.operators.keys(), files)
        self._run_once("seed", ["seed", str(file)], server)

    def _register_addresses(self, server: Mapping[str, str]) -> None:
        """Tell operators that call back on one address which it is, as staff would."""
        if not any(market.fixed_address for market in self.markets):
            return
        said = self._run_once("addresses", ["addresses"], server)
        (self.folder / "logs" / "addresses.log").unlink()  # whoever knows them can write to them
        told = {line.split()[0]: line.split()[-1] for line in said.splitlines() if line.strip()}
        for market in self.markets:
            if market.fixed_address:
                url = f"{self.places.operators[market.name]}/_sandbox/settings"
                change = {market.fixed_address: told[market.name]}
                httpx.put(url, json=change, trust_env=False).raise_for_status()

    def _run_once(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> str:
        """What the command says."""
        self._proceed()
        self._say(f"{name} ...")
        result = subprocess.run(
            [sys.executable, "-m", "channels.cli", *arguments],
            cwd=self.program,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        (self.folder / "logs" / f"{name}.log").write_bytes(result.stdout + result.stderr)
        if result.returncode:
            tail = (result.stdout + result.stderr).decode(errors="replace")[-4000:]
            raise ChildDied(f"{name} failed with exit code {result.returncode}:\n{tail}")
        return result.stdout.decode()

    def _spawn(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        self._proceed()
        self._say(f"starting {name}")
        log = self.folder / "logs" / f"{name}.log"
        log.write_bytes(b"")
        command = [sys.executable, "-m", *arguments]
        code = self.program if arguments[0] == "channels.cli" else PROJECT
        child = Child(name, command, environment=environment, folder=code, log=log)
        self._children.append(child)
        child.start()
        self._remember()
        return child

    def _remember(self) -> None:
        remember(self._children, self.folder / "children.json")

    def _wait(self, child: Child, url: str) -> bytes:
        """The body of the first good answer from `url`."""
        deadline = time.monotonic() + START_SECONDS_MAX
        # Asking with a client of its own each time would cost more than what is waited for.
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while True:
                self._proceed()
                child.check()
                try:
                    response = client.get(url)
                    if response.status_code == 200:
                        return response.content
                except httpx.HTTPError:
                    pass  # Nobody listens yet; the deadline below ends the waiting.
                if time.monotonic() > deadline:
                    raise ChildDied(f"{child.name} does not answer; {child.log}:\n{child.tail()}")
                time.sleep(0.05)

    def _write_state(self) -> None:
        write_environment(self.folder / "server.env", self._server)
        programs: Iterable[Child | embedded.Server] = [*self._children, *self._servers]
        places.write(
            self.places,
            self.folder / "demo.json",
            database_url=self.database_url,
            redis_url=self.redis_url,
            pids={program.name: program.pid for program in programs},
        )
