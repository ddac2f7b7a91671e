"""Servers that end leave nobody's connection behind."""

import asyncio
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from simulator.serving import serving


@pytest.mark.parametrize("steps", range(6))
async def test_who_connects_while_the_server_ends_is_hung_up_on(steps: int) -> None:
    """As many steps of the loop before its end: accepted, made a connection, or neither."""
    with socket.socket() as caller:
        async with serving({"it": (Starlette(), 0)}) as urls:
            caller.connect((urlsplit(urls["it"]).hostname, urlsplit(urls["it"]).port))
            for _ in range(steps):
                await asyncio.sleep(0)
        caller.settimeout(30)
        with suppress(ConnectionError):
            assert caller.recv(1) == b""
