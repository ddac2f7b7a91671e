"""TLS of this process, spoken over real sockets with a certificate made for the test."""

import asyncio
import datetime
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.responses import PlainTextResponse

from channels.commands.serving import NEVER_STARTED, server_config
from channels.settings import BadSettings, EdgeSettings, read_settings
from channels.web.tls import open_tls
from tests.listening import listening
from tests.unit.channels.test_settings import GOOD

PASSWORD = "of the key"


def certificate(folder: Path, *, password: str = "", mode: int = 0o600) -> dict[str, str]:
    """The variables that name a certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    hidden = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(mode)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return {
        "CAPP_TLS_CERTIFICATE_FILE": str(folder / "cert.pem"),
        "CAPP_TLS_KEY_FILE": str(folder / "key.pem"),
        "CAPP_TLS_KEY_PASSWORD": password,
    }


def edges_with(variables: dict[str, str]) -> EdgeSettings:
    return read_settings({**GOOD, **variables}).edges


async def spoken(context: ssl.SSLContext, *, newest: ssl.TLSVersion) -> str:
    """The version two agree on."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is tried
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, newest
    client.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(hang_up, tls=context) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        version: str = writer.get_extra_info("ssl_object").version()
        writer.transport.abort()
    return version


def test_without_a_certificate_there_is_no_tls() -> None:
    assert open_tls(edges_with({})) is None


@pytest.mark.parametrize("password", ["", PASSWORD])
async def test_tls_is_spoken_in_its_newer_versions_alone(password: str, tmp_path: Path) -> None:
    context = open_tls(edges_with(certificate(tmp_path, password=password)))
    assert context is not None
    assert await spoken(context, newest=ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert await spoken(context, newest=ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    # Shaking hands again and again costs a caller nothing, and us a signature each.
    assert context.options & ssl.OP_NO_RENEGOTIATION
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that nothing but the version stands in the way
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await spoken(context, newest=ssl.TLSVersion.TLSv1_1)
        context.minimum_version = ssl.TLSVersion.TLSv1
        assert await spoken(context, newest=ssl.TLSVersion.TLSv1_1) == "TLSv1.1"


def test_a_key_for_everybody_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="CAPP_TLS_KEY_FILE: others may read it"):
        open_tls(edges_with(certificate(tmp_path, mode=0o644)))
    assert open_tls(edges_with(certificate(tmp_path, mode=0o640)))


def test_files_that_do_not_belong_together_are_refused_without_asking_at_a_terminal(
    tmp_path: Path,
) -> None:
    named = certificate(tmp_path, password=PASSWORD)
    for wrong in (
        {**named, "CAPP_TLS_KEY_PASSWORD": "another"},
        {**named, "CAPP_TLS_KEY_PASSWORD": ""},
        {**named, "CAPP_TLS_CERTIFICATE_FILE": str(tmp_path / "key.pem")},
        {**named, "CAPP_TLS_CERTIFICATE_FILE": str(tmp_path / "none.pem")},
    ):
        with pytest.raises(BadSettings, match="CAPP_TLS_CERTIFICATE_FILE") as caught:
            open_tls(edges_with(wrong))
        assert PASSWORD not in str(caught.value) and "another" not in str(caught.value)
    with pytest.raises(BadSettings, match="CAPP_TLS_KEY_FILE: names no file"):
        open_tls(edges_with({**named, "CAPP_TLS_KEY_FILE": str(tmp_path / "none.pem")}))


@contextmanager
def served(variables: dict[str, str], handshake_seconds: float) -> Iterator[int]:
    """The port of a web process as `capp serve` runs it, TLS and loop included."""
    edges = replace(edges_with(variables), handshake_seconds=handshake_seconds)  # type: ignore[arg-type]
    config = server_config(PlainTextResponse("hello"), edges, "127.0.0.1", 0)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def greeted(port: int) -> ssl.SSLSocket:
    """A connection that speaks TLS, and was answered: the other side has shaken hands as well. A
    machine that stands still is dropped as those are who never do, and comes again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    deadline = time.monotonic() + 120
    while True:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        try:
            spoken_to = context.wrap_socket(plain)
            assert is_answered(spoken_to)
        except (OSError, AssertionError):
            plain.close()
            if time.monotonic() > deadline:
                raise
        else:
            return spoken_to


def is_answered(connection: ssl.SSLSocket) -> bool:
    connection.sendall(HELLO)
    said = b""
    while not said.endswith(b"hello") and (more := connection.recv(1000)):
        said += more
    return said.startswith(b"HTTP/1.1 200") and said.endswith(b"hello")


def test_who_connects_and_never_shakes_hands_is_dropped(tmp_path: Path) -> None:
    """asyncio alone would wait a minute, which is longer than this test waits."""
    with served(certificate(tmp_path), handshake_seconds=0.2) as port:
        for said in (b"", b"\x16\x03\x01"):  # nothing, and how a handshake begins
            with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
                silent.sendall(said)
                assert silent.recv(1) == b"", "closed"
        with greeted(port) as spoken_to:
            time.sleep(0.4)  # once hands are shaken, other bounds count
            assert is_answered(spoken_to)


def test_without_tls_the_same_process_is_served_plainly() -> None:
    with served({}, handshake_seconds=0.2) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=60).text == "hello"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "is taken: another process serves there; end that one, or choose another"),
        ("203.0.113.7", "nobody can be served at 203.0.113.7, port"),
    ],
)
def test_where_nobody_can_be_served_one_plain_line_says_why(
    host: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = server_config(answer, read_settings(GOOD).edges, host, port)
        with pytest.raises(SystemExit) as ended:
            uvicorn.Server(config).run()
    assert ended.value.code == NEVER_STARTED
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told in line and str(port) in line and "Errno" not in line
