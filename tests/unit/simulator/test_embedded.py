"""Ports for servers that are about to be started."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from simulator import embedded


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """All there are: nobody listens there, and nobody else on this machine may."""
    with ExitStack() as kept:
        held = [kept.enter_context(socket.socket()) for _ in range(4)]
        for each in held:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        drawn_from = [each.getsockname()[1] for each in held]
        monkeypatch.setattr(embedded, "PORTS", drawn_from)
        monkeypatch.setattr(embedded, "_DRAWN", set())
        yield drawn_from


def test_a_port_is_drawn_again_only_after_all_others(ports: list[int]) -> None:
    """Two programs of one network were given the same one, and neither listened there yet."""
    for _ in range(2):
        assert sorted(embedded.free_port() for _ in ports) == sorted(ports)


def test_a_port_where_somebody_listens_is_given_to_nobody(ports: list[int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports.append(port)
        assert sorted(embedded.free_port(port) for _ in ports[:-1]) == sorted(ports[:-1])
