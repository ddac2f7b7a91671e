"""A Redis Cluster of three masters on this machine, and slots that can be moved between them."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.session.commands import SLOTS
from simulator import embedded

NODES = 3
START_SECONDS_MAX = 120.0
HURRIED_MS = 500
STARTS_MAX = 5
PORTS = range(12_000, 15_000)
"""A node talks to its peers 10,000 above its port; both lie below what the system hands out, and
beside what `embedded.free_port` draws."""
SETTINGS = {
    "cluster-enabled": "yes",
    # As long as no starved machine leaves one alone: else the others give it up.
    "cluster-node-timeout": "120000",
    # Else one node that is gone takes everybody's sessions with it.
    "cluster-require-full-coverage": "no",
    "save": "",
    "bind": "127.0.0.1",
}


class NoCluster(RuntimeError):
    """The binary cannot be one of a cluster."""


class ClusterNode:
    """One master. `admin` is a plain client to it."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process
        self.admin: Any = redis.Redis(host="127.0.0.1", port=port)
        self.admin.response_callbacks.clear()  # replies as the server gives them

    @property
    def node_id(self) -> str:
        found: str = self.admin.execute_command("CLUSTER", "MYID").decode()
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(120)

    def stop(self) -> None:
        self.admin.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)


class Cluster:
    """Three masters that know each other; together they serve every slot."""

    def __init__(self, nodes: list[ClusterNode]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port},127.0.0.1:{self.nodes[1].port}"

    def owner(self, slot: int) -> ClusterNode:
        ranges = self.nodes[0].admin.execute_command("CLUSTER", "SLOTS")
        (port,) = (port for (first, last), port in _ports(ranges) if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def notice(self, lost: ClusterNode) -> None:
        """The others find out that it is gone, and give up nobody else."""
        left = [node for node in self.nodes if node is not lost]
        self._set_patience(left, HURRIED_MS)
        _wait_until(lambda: all(_gave_up(node) == {lost.port} for node in left))
        self._set_patience(left, int(SETTINGS["cluster-node-timeout"]))
        _wait_until(lambda: all(_gave_up(node) == {lost.port} for node in left))

    @staticmethod
    def _set_patience(nodes: list[ClusterNode], milliseconds: int) -> None:
        for node in nodes:
            node.admin.execute_command("CONFIG", "SET", "cluster-node-timeout", milliseconds)

    def take_over(self, lost: ClusterNode, heir: ClusterNode) -> None:
        """What happens when a replica takes the place of a master that is gone."""
        ranges = heir.admin.execute_command("CLUSTER", "SLOTS")
        slots = [n for (first, last), port in _ports(ranges) if port == lost.port
                 for n in range(first, last + 1)]  # fmt: skip
        for node in self.nodes:
            if node is not lost:
                node.admin.execute_command("CLUSTER", "DELSLOTS", *slots)
        heir.admin.execute_command("CLUSTER", "ADDSLOTS", *slots)

    def begin_to_move(self, slot: int, target: ClusterNode) -> None:
        """From here on the source sends away whom it has no key for."""
        source = self.owner(slot)
        target.admin.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.node_id)
        source.admin.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.node_id)

    def move_keys(self, slot: int, target: ClusterNode) -> int:
        source = self.owner(slot)
        keys = source.admin.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
        for key in keys:
            source.admin.execute_command("MIGRATE", "127.0.0.1", target.port, key, 0, 120_000)
        return len(keys)

    def end_move(self, slot: int, target: ClusterNode) -> None:
        identity = target.node_id
        for node in (target, *(node for node in self.nodes if node is not target)):
            node.admin.execute_command("CLUSTER", "SETSLOT", slot, "NODE", identity)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Raises NoCluster where the Redis at hand was built without."""
    with ExitStack() as stopping:
        nodes = []
        for number in range(NODES):
            nodes.append(_start(folder / f"node{number}"))
            stopping.callback(nodes[-1].stop)
        _join(nodes)
        yield Cluster(nodes)


def _start(folder: Path) -> ClusterNode:
    """On a port that is free now; another when somebody was faster."""
    folder.mkdir(parents=True)
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    for _ in range(STARTS_MAX):
        port = random.SystemRandom().choice(PORTS)
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [embedded.redis_program(), "--port", str(port), *settings],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        node = ClusterNode(port, process)
        if _comes_up(node):
            return node
        node.stop()
    raise NoCluster((folder / "server.log").read_text(errors="replace")[-500:])


def _comes_up(node: ClusterNode) -> bool:
    deadline = time.monotonic() + START_SECONDS_MAX
    while node.process.poll() is None and time.monotonic() < deadline:
        with suppress(RedisConnectionError):
            told = node.admin.execute_command("INFO", "server").decode().split()
            return f"process_id:{node.process.pid}" in told  # else somebody else was there first
        time.sleep(0.02)
    return False


def _join(nodes: list[ClusterNode]) -> None:
    share = -(-SLOTS // len(nodes))
    for number, node in enumerate(nodes):
        slots = range(number * share, min(SLOTS, (number + 1) * share))
        node.admin.execute_command("CLUSTER", "ADDSLOTS", *slots)
        # Else all three begin at epoch 0 and quarrel for the first seconds.
        node.admin.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        if node is not nodes[0]:
            node.admin.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
    try:
        _wait_until(lambda: all(_knows_all(node) for node in nodes))
    except TimeoutError as error:
        raise NoCluster("the nodes did not find each other") from error


def _wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def _gave_up(node: ClusterNode) -> set[int]:
    """The ports of those whom this node takes for gone, or is about to."""
    lines = node.admin.execute_command("CLUSTER", "NODES").decode().splitlines()
    gone = {"fail", "fail?"}
    fields = [line.split() for line in lines]
    return {_port(place) for _, place, flags, *_ in fields if gone & set(flags.split(","))}


def _port(place: str) -> int:
    """Of an address as nodes tell it: `127.0.0.1:12000@22000`."""
    return int(place.split("@")[0].rpartition(":")[2])


def _knows_all(node: ClusterNode) -> bool:
    info = node.admin.execute_command("CLUSTER", "INFO")
    ranges = node.admin.execute_command("CLUSTER", "SLOTS")
    return b"cluster_state:ok" in info and len(_ports(ranges)) == NODES


def _ports(reply: Any) -> list[tuple[tuple[int, int], int]]:
    """Slot ranges and the ports of their masters."""
    return [((first, last), port) for first, last, (_, port, *_), *_ in reply]
