"""The whole product on one machine: databases, sandboxes, web process and worker, as programs.

The demo, the end-to-end tests and the benches start it. It speaks to the server only through its
environment, its command line and HTTP.
"""

import fcntl
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, Self

import httpx

from simulator import embedded, places, schema
from simulator.child import Child, ChildDied, end_leftovers, remember
from simulator.operators import credentials
from simulator.places import SHORTCODE, Places

PROJECT = Path(__file__).resolve().parents[1]
SEED = PROJECT / "simulator" / "seed.yaml"
RECONCILIATION = PROJECT / "simulator" / "reconciliation.yaml"
OPERATORS = ("mpesa_ke", "mtn_ug")
START_SECONDS_MAX = 40.0
COMMAND_SECONDS_MAX = 60.0

Approval = Literal["ask", "approve"]


class Busy(RuntimeError):
    """Another run uses the same data folder."""


@dataclass(frozen=True)
class Ports:
    """Where the programs listen on 127.0.0.1; 0 is any free port."""

    web: int = 0
    mpesa: int = 0
    mtn: int = 0
    gateway: int = 0
    openexchangerates: int = 0
    floatrates: int = 0
    postgres: int = 0
    redis: int = 0


PREFERRED = Ports(
    web=8096,
    mpesa=8097,
    mtn=8098,
    gateway=8099,
    openexchangerates=8093,
    floatrates=8092,
    postgres=8095,
    redis=8094,
)


def _ignore(line: str) -> None:
    del line


def _go_on() -> None:
    return


class Stack:
    """Everything that runs. Made by `start`; `stop` ends it all, also when half of it is dead."""

    places: Places
    rate_sources: Mapping[str, str]  # openexchangerates -> URL
    database_url: str
    redis_url: str
    _server: dict[str, str]  # the server's environment
    web: Child
    worker: Child
    sandboxes: Child

    def __init__(
        self, folder: Path, *, say: Callable[[str], None], proceed: Callable[[], None]
    ) -> None:
        self.folder = folder.resolve()
        self._say = say
        self._proceed = proceed
        self._lock: TextIOWrapper | None = None
        self._servers: list[embedded.Server] = []
        self._children: list[Child] = []

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        approval: Approval = "approve",
        database_url: str | None = None,
        redis_url: str | None = None,
        ports: Ports = Ports(),
        rate_noise_bp: int = 0,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = _ignore,
        proceed: Callable[[], None] = _go_on,
    ) -> Self:
        """Start everything on `folder` and wait until the server is healthy.

        `approval`: whether operators ask the payer or approve by themselves. `environment` adds
        to the server's. `rate_noise_bp`: how far the market moves, in hundredths of a percent; a
        transcript with figures in it needs one that stands still. `proceed` is called between
        steps and may raise to give up. Raises Busy, embedded.StartFailed or ChildDied; then
        nothing is left running.
        """
        stack = cls(folder, say=say, proceed=proceed)
        try:
            stack._start(approval, database_url, redis_url, ports, rate_noise_bp, environment or {})
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
            self._lock.close()
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
            cwd=PROJECT,
            env=self._server,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

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
        rate_noise_bp: int,
        environment: Mapping[str, str],
    ) -> None:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._take_lock()
        end_leftovers(self.folder / "children.json")
        keys = read_secrets(self.folder / "demo.env")
        ports = self._choose(ports)
        self.places = _places(ports, keys)
        self.rate_sources = _rate_sources(ports)
        self._start_sandboxes(approval, ports, rate_noise_bp, keys)
        self._start_databases(database_url, redis_url, ports)
        certificate = self._fetch_certificate()
        server = {
            **os.environ,
            **_server_environment(self.places, keys),
            **_rates_environment(self.rate_sources),
            "CAPP_MPESA_KE_CERTIFICATE": str(certificate),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._server = server
        self._run_once("migrate", ["migrate"], server)
        self._run_once("seed", ["seed", str(SEED.relative_to(PROJECT))], server)
        self.web = self._spawn("web", ["channels.cli", "serve", "--port", str(ports.web)], server)
        self.worker = self._spawn("worker", ["channels.cli", "worker"], server)
        self._wait(self.web, f"{self.places.server}/health")
        self.worker.check()
        self._write_state()

    def _take_lock(self) -> None:
        self._lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            self._lock = None
            raise Busy(f"another run uses {self.folder}; stop it first") from error

    def _choose(self, wanted: Ports) -> Ports:
        taken: set[int] = set()
        chosen: dict[str, int] = {}
        for name, port in vars(wanted).items():
            free = embedded.free_port(port)
            while free in taken:
                free = embedded.free_port()
            if port not in (0, free):
                self._say(f"port {port} is taken: {name} listens on {free}")
            taken.add(free)
            chosen[name] = free
        return replace(wanted, **chosen)

    def _start_sandboxes(
        self, approval: Approval, ports: Ports, rate_noise_bp: int, keys: Mapping[str, str]
    ) -> None:
        sms_url = f"{self.places.server}/sms/africastalking/{keys['CAPP_GATEWAY_TOKEN']}"
        arguments = ["simulator", "operators", "--approval", approval]
        arguments += ["--mpesa-port", str(ports.mpesa), "--mtn-port", str(ports.mtn)]
        arguments += ["--gateway-port", str(ports.gateway), "--delivery-report-url"]
        arguments += [f"{sms_url}/report", "--sms-in-url", f"{sms_url}/message"]
        arguments += ["--openexchangerates-port", str(ports.openexchangerates)]
        arguments += ["--floatrates-port", str(ports.floatrates)]
        arguments += ["--rate-noise-bp", str(rate_noise_bp)]
        self.sandboxes = self._spawn("sandboxes", arguments, dict(os.environ))

    def _start_databases(
        self, database_url: str | None, redis_url: str | None, ports: Ports
    ) -> None:
        self._proceed()
        if database_url is None:
            if schema.forget_other(self.folder, "postgres"):
                self._say("this version has another schema: the demo begins with fresh data")
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

    def _fetch_certificate(self) -> Path:
        """The key M-PESA's passwords are encrypted for; the sandbox makes a new one each start."""
        url = f"{self.places.operators['mpesa_ke']}/_sandbox/certificate"
        file = self.folder / "mpesa.pem"
        file.write_bytes(self._wait(self.sandboxes, url))
        return file

    def _run_once(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._proceed()
        self._say(f"{name} ...")
        result = subprocess.run(
            [sys.executable, "-m", "channels.cli", *arguments],
            cwd=PROJECT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
        (self.folder / "logs" / f"{name}.log").write_bytes(result.stdout)
        if result.returncode:
            tail = result.stdout.decode(errors="replace")[-4000:]
            raise ChildDied(f"{name} failed with exit code {result.returncode}:\n{tail}")

    def _spawn(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        self._proceed()
        self._say(f"starting {name}")
        log = self.folder / "logs" / f"{name}.log"
        log.write_bytes(b"")
        command = [sys.executable, "-m", *arguments]
        child = Child(name, command, environment=environment, folder=PROJECT, log=log)
        self._children.append(child)
        child.start()
        self._remember()
        return child

    def _remember(self) -> None:
        remember(self._children, self.folder / "children.json")

    def _wait(self, child: Child, url: str) -> bytes:
        """The body of the first good answer from `url`."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self._proceed()
            child.check()
            try:
                response = httpx.get(url, timeout=2.0, trust_env=False)
                if response.status_code == 200:
                    return response.content
            except httpx.HTTPError:
                pass  # Nobody listens yet; the deadline below ends the waiting.
            if time.monotonic() > deadline:
                raise ChildDied(f"{child.name} does not answer; {child.log}:\n{child.tail()}")
            time.sleep(0.05)

    def _write_state(self) -> None:
        programs: Iterable[Child | embedded.Server] = [*self._children, *self._servers]
        places.write(
            self.places,
            self.folder / "demo.json",
            database_url=self.database_url,
            redis_url=self.redis_url,
            pids={program.name: program.pid for program in programs},
        )


def read_secrets(file: Path) -> dict[str, str]:
    """The server's keys and tokens: made on the first call, the same ever after."""
    if not file.exists():
        made = {
            "CAPP_PIN_KEYS": f"1:{secrets.token_hex(32)}",
            "CAPP_CALLBACK_KEYS": secrets.token_hex(32),
            "CAPP_SESSION_KEY": secrets.token_hex(32),
            "CAPP_GATEWAY_TOKEN": secrets.token_hex(16),
            "CAPP_INSPECT_TOKEN": secrets.token_hex(16),
        }
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.writelines(f"{name}={value}\n" for name, value in made.items())
    lines = file.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def _places(ports: Ports, keys: Mapping[str, str]) -> Places:
    server = f"http://127.0.0.1:{ports.web}"
    ussd_url = f"{server}/ussd/africastalking/{keys['CAPP_GATEWAY_TOKEN']}"
    return Places(
        server=server,
        ussd_url=ussd_url,
        ussd_end_url=f"{ussd_url}/end",
        gateway=f"http://127.0.0.1:{ports.gateway}",
        operators={
            "mpesa_ke": f"http://127.0.0.1:{ports.mpesa}",
            "mtn_ug": f"http://127.0.0.1:{ports.mtn}",
        },
        inspect_token=keys["CAPP_INSPECT_TOKEN"],
    )


def _rate_sources(ports: Ports) -> dict[str, str]:
    return {
        "openexchangerates": f"http://127.0.0.1:{ports.openexchangerates}",
        "floatrates": f"http://127.0.0.1:{ports.floatrates}",
    }


def _rates_environment(sources: Mapping[str, str]) -> dict[str, str]:
    return {
        "CAPP_RATE_SOURCES": ",".join(sources),
        "CAPP_RATE_FETCH_SECONDS": "15",
        "CAPP_OPENEXCHANGERATES_BASE_URL": f"{sources['openexchangerates']}/api",
        "CAPP_OPENEXCHANGERATES_APP_ID": credentials.OPENEXCHANGERATES_SANDBOX_APP_ID,
        "CAPP_FLOATRATES_BASE_URL": f"{sources['floatrates']}/daily",
    }


def _server_environment(places: Places, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        **keys,
        "CAPP_SHORTCODES": SHORTCODE,
        "CAPP_PUBLIC_URL": places.server,
        "CAPP_OPERATORS": ",".join(OPERATORS),
        "CAPP_RECONCILIATION_FILE": str(RECONCILIATION),
        "CAPP_COLLECT_DELAY_SECONDS": "2",
        "CAPP_MPESA_KE_BASE_URL": places.operators["mpesa_ke"],
        "CAPP_MPESA_KE_CONSUMER_KEY": credentials.MPESA_SANDBOX_CONSUMER_KEY,
        "CAPP_MPESA_KE_CONSUMER_SECRET": credentials.MPESA_SANDBOX_CONSUMER_SECRET,
        "CAPP_MPESA_KE_SHORTCODE": credentials.MPESA_SANDBOX_SHORTCODE,
        "CAPP_MPESA_KE_PASSKEY": credentials.MPESA_SANDBOX_PASSKEY,
        "CAPP_MPESA_KE_B2C_SHORTCODE": credentials.MPESA_SANDBOX_B2C_SHORTCODE,
        "CAPP_MPESA_KE_INITIATOR": credentials.MPESA_SANDBOX_INITIATOR_NAME,
        "CAPP_MPESA_KE_INITIATOR_PASSWORD": credentials.MPESA_SANDBOX_INITIATOR_PASSWORD,
        "CAPP_MTN_UG_BASE_URL": places.operators["mtn_ug"],
        "CAPP_MTN_UG_TARGET_ENVIRONMENT": "mtnuganda",
        "CAPP_MTN_UG_API_USER": credentials.MTN_SANDBOX_API_USER,
        "CAPP_MTN_UG_API_KEY": credentials.MTN_SANDBOX_API_KEY,
        "CAPP_MTN_UG_COLLECTION_KEY": credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
        "CAPP_MTN_UG_DISBURSEMENT_KEY": credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
        "CAPP_AFRICASTALKING_BASE_URL": places.gateway,
        "CAPP_AFRICASTALKING_USERNAME": credentials.GATEWAY_SANDBOX_USERNAME,
        "CAPP_AFRICASTALKING_API_KEY": credentials.GATEWAY_SANDBOX_API_KEY,
        "CAPP_AFRICASTALKING_SENDER": "CAPP",
    }
