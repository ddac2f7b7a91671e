"""TLS spoken by this process itself where no proxy does it: its certificate, its oldest version."""

import errno
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvloop

from channels.settings import BadSettings, EdgeSettings

OLDEST: Final = ssl.TLSVersion.TLSv1_2
"""RFC 8996 took the earlier ones out of use."""


def open_tls(edges: EdgeSettings) -> ssl.SSLContext | None:
    """What connections are served with; None where no certificate is named.

    Raises BadSettings for files that cannot be read, do not belong together or, of the key, are for
    everybody to read.
    """
    if not edges.certificate_file:
        return None
    if _is_for_everybody(edges.key_file):
        raise BadSettings("CAPP_TLS_KEY_FILE: others may read it; give it mode 0600 or 0640")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = OLDEST
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(
            edges.certificate_file, edges.key_file, password=lambda: edges.key_password
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BadSettings(
            "CAPP_TLS_CERTIFICATE_FILE, CAPP_TLS_KEY_FILE: are no certificate with its key"
        ) from error
    return context


def loop_with(handshake_seconds: float) -> Callable[[], uvloop.Loop]:
    """What makes the loop of a process whose callers must have shaken hands in that time.

    Before that a connection is none: no bound of `server.py` counts it. uvicorn, which opens the
    listening socket, cannot be told and leaves it at a minute; and tells of a port that is taken
    in a number's words.
    """

    class Loop(uvloop.Loop):
        async def create_server(self, *arguments: Any, **named: Any) -> Any:
            if named.get("ssl") is not None:
                named.setdefault("ssl_handshake_timeout", handshake_seconds)
            try:
                return await super().create_server(*arguments, **named)
            except OSError as error:
                raise OSError(_why_not(error, named.get("host"), named.get("port"))) from error

    return Loop


def _why_not(error: OSError, host: str | None, port: int | None) -> str:
    """Why nobody can be listened to there, for whoever started us."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken: another process serves there;"
            " end that one, or choose another --port"
        )
    return f"nobody can be served at {host}, port {port}: {error.strerror or error}"


def _is_for_everybody(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IRWXO)
    except OSError as error:
        raise BadSettings("CAPP_TLS_KEY_FILE: names no file that can be read") from error
