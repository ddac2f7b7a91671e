"""The Redis of sessions behind TLS: replies are read past redis-py, on both event loops."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop

from engine.session.pipeline import open_pipeline
from tests.certificates import pem_for
from tests.listening import listening

PATIENT_SECONDS = 30.0
LONG = b"x" * 300_000
"""Many TLS records, in both directions."""

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_commands_travel_through_tls_and_a_cut_connection_is_opened_again(
    redis_url: str, tmp_path: Path, run: Run
) -> None:
    run(ask_through_tls(redis_url, pem_for(tmp_path)))


async def ask_through_tls(redis_url: str, pem: Path) -> None:
    address = urlsplit(redis_url)
    lines: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(writer)
        inner, outer = await asyncio.open_connection(address.hostname, address.port)
        try:
            await asyncio.gather(pass_on(reader, outer), pass_on(inner, writer))
        finally:
            outer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with listening(serve, tls=context) as port:
        url = f"rediss://localhost:{port}{address.path}?ssl_ca_certs={pem}"
        pipeline = open_pipeline(url, timeout_seconds=PATIENT_SECONDS)
        for round_ in range(3):
            asked = [pipeline.execute("ECHO", f"{round_}.{number}") for number in range(50)]
            long = pipeline.execute("ECHO", LONG)
            assert await asyncio.gather(*asked) == [b"%d.%d" % (round_, n) for n in range(50)]
            assert await long == LONG
            lines[-1].transport.abort()
        assert len(lines) == 3
        await pipeline.aclose()
