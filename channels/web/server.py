"""One connection of the web server: uvicorn's, with a short way to the doors.

A short request to a door costs neither routing nor middleware nor a stream: its body is collected,
the door is called, the answer leaves in one write. Whatever is unusual about a request sends it the
ordinary way, where the same door stands as a route. See `decisions/0001`. Who takes too long over
a request, and who is one caller too many, is sent away: `decisions/0002`.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from channels.web.cycles import Lost, Visit
from channels.web.doors import Doors
from channels.web.heads import is_short, length_of, without_offer
from channels.web.seldom import Seldom
from channels.web.unread import Unread
from engine.memory import end_if_refused

_NO_DOORS: Final = Doors()
_FULL: Final = b"too many connections, come again"
_SLOW: Final = b"the request took too long"
_WORDY: Final = b"the head of the request is too large"
_PLAIN: Final = frozenset({"GET", "POST"})
_SPARE: Final = 0.9
FULL_SECONDS: Final = 1.0
"""How long one caller too many may take to say something; only then can it read our answer."""

LAST_SECONDS: Final = 0.2
"""So long a process that ends hears whoever is let in and owed nothing: what they sent may not have
been read yet."""

HEAD_BYTES_MAX: Final = 16 * 1024
"""Of the first line and all headers. Tokens, the longest of what we read, stay below 2 KiB."""
HEADERS_MAX: Final = 64
AHEAD_MAX: Final = 256
"""Requests of one caller that may wait for the answers before them: each takes 2 KB of ours."""

log = logging.getLogger(__name__)
_strange = Seldom(log)
_uvicorn_log = logging.getLogger(f"{__name__}.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)  # it warns of every request that is no HTTP


@dataclass
class Bounds:
    """What callers may take of one process, and whether somebody was sent away as one too many.

    `headers`: lines that every answer of a door has beside its own, each with its line break.
    """

    request_seconds: float = 10.0  # from its first byte, or the connection's opening, to its last
    connections_max: int = 1000
    headers: bytes = b""
    is_full: bool = False


class Connection(HttpToolsProtocol):
    """Reads the requests of one socket. `doors`, `bounds` come in the application's lifespan state.

    The clock runs from the first byte of a request, or the opening of the connection, until all of
    it is here. Nearly always that is one packet, and then no timer was ever set.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = _uvicorn_log
        self._doors: Doors = self.app_state.get("doors", _NO_DOORS)
        self._bounds: Bounds = self.app_state.get("bounds") or Bounds()
        self._visit: Visit | Lost | None = None  # while its body is coming
        self._is_coming = False  # a request has begun and is not whole
        self._is_body = False  # its head is here
        self._is_refused = False
        self._is_wordy = False  # its head is larger than any that we read
        self._loose_bytes = 0  # of what came since the packet in which the head began, or any body
        self._packet_bytes = 0
        self._is_lost = False  # a request of this packet led nowhere
        self._is_ending = False
        self._patience: asyncio.TimerHandle | None = None
        self.held = self._bounds.headers

    # The transport calls these.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unread = Unread(transport, self._bounds.request_seconds)
        is_full = len(self.connections) > self._bounds.connections_max
        if is_full != self._bounds.is_full:
            self._tell_whether(is_full)
        if is_full:
            self._is_refused = True
            self.connections.discard(self)  # it takes nobody's place while it is told
        self._wait(FULL_SECONDS if is_full else self._bounds.request_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unread.stop()
        self._unset_keepalive_if_required()  # uvicorn lets it run where they hung up rudely
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The process ends: the answer that is owed is the last, or the one to what is on its way.
        To hang up at once would cut off who was let in a moment before and has sent a request.
        """
        self._is_ending = True
        if self._owes_answer():
            super().shutdown()
        else:
            self.loop.call_later(LAST_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if not self._owes_answer():
            self.transport.close()

    def pause_writing(self) -> None:
        """More was said than was taken: until it is, no more is read."""
        super().pause_writing()
        self.flow.pause_reading()
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.took()
        if not self.pipeline:
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which reads on, whatever waits
        if self.transport.is_closing():
            self._unread.watch()  # that was the last: no clock of the connection runs any more
        if self.flow.write_paused or self.pipeline:
            self.flow.pause_reading()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._unread.watch()  # the end waits for what was said before

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._send_away(503, _FULL)
            return
        self._packet_bytes = len(data)
        self._is_lost = False
        if self._is_coming:
            self._loose_bytes += len(data)
        self._unset_keepalive_if_required()
        self._read(data)
        if self._loose_bytes > HEAD_BYTES_MAX and self._is_coming:
            # The parser keeps what comes, and tells us of a header only when it is whole: also of
            # one behind a body in chunks, where nothing is left to be said.
            if self._is_body:
                self.transport.close()
            else:
                self._refuse(431, _WORDY)
            return
        if self._patience is None and (self._is_coming or not self._owes_answer()):
            self._wait(self._bounds.request_seconds)

    def _read(self, data: bytes) -> None:
        """As uvicorn does, but for who offers another protocol: they are heard in this one."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            end_if_refused(error)  # in what the parser called; nobody's request is wrong for it
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as offer:
            parser, self.parser = self.parser, httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            method, version = parser.get_method(), parser.get_http_version()
            head = without_offer(method, self.url, version, self.headers)
            self._read(head + data[offer.args[0] :])

    def _wait(self, seconds: float) -> None:
        self._patience = self.loop.call_later(seconds, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        """Close, after a word where it cannot be taken for the answer to something else."""
        self._patience = None
        self._unread.watch()
        if self._is_refused:
            self._send_away(503, _FULL)
        elif self._owes_earlier_answer():
            self._wait(self._bounds.request_seconds)
        elif self._is_coming and (self._visit is not None or not self._is_body):
            self._send_away(408, _SLOW)
        else:  # Nothing was begun, or an app reads the body: it hears that the caller has gone.
            self.transport.close()

    def _owes_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _owes_earlier_answer(self) -> bool:
        """Whether requests before the one that is coming wait: until then this one is not read."""
        return bool(self.pipeline) if self._is_body else self._owes_answer()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for whatever is no HTTP, with its own sentence."""
        if self._is_wordy:
            self._refuse(431, _WORDY)
        elif not self.transport.is_closing():  # else the parser was stopped by ourselves
            _strange.warning("a request was no HTTP")
            self._refuse(400, msg.encode())

    def _refuse(self, status: int, sentence: bytes) -> None:
        """Close, with a word unless it could be taken for the answer to an earlier request."""
        if self.pipeline or self._owes_answer():
            self.transport.close()
        else:
            self._send_away(status, sentence)

    def _send_away(self, status: int, sentence: bytes) -> None:
        if self.transport.is_closing():
            return
        lines = [b"content-type: text/plain", b"content-length: %d" % len(sentence)]
        lines += [b"retry-after: 1"] if status == 503 else []
        head = STATUS_LINE[status] + b"\r\n".join([*lines, b"connection: close"])
        self.transport.write(head + b"\r\n\r\n" + sentence)
        self.transport.close()

    def _tell_whether(self, is_full: bool) -> None:
        """Once when callers begin to be sent away, and once when there is room to spare again."""
        open_, most = len(self.connections), self._bounds.connections_max
        if is_full:
            log.warning("%d connections are open: more are answered 503", most)
        elif open_ > most * _SPARE:
            return
        else:
            log.warning("%d connections are open: there is room again", open_)
        self._bounds.is_full = is_full

    # The parser calls these.

    def on_message_begin(self) -> None:
        if self._is_lost:
            # Whoever sends on without hearing that nothing is there is no mistake of a friend's.
            # The rest of their packet is not read; what they sent besides, the kernel throws away.
            self.transport.close()
            raise ValueError("more of what leads nowhere")  # the parser stops
        self._is_coming, self._is_body, self._loose_bytes = True, False, 0
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        self._is_body = True
        if self._is_too_large():
            self._is_wordy = True
            raise ValueError("a head that nobody reads")  # the parser stops, and sends it away
        self._loose_bytes = 0
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("nobody is connected to anybody")
            return  # it is read once more, without the offer
        self._visit = self._short_way()
        if self._visit is not None:
            self._visit.keep_alive = not self._is_ending
            self.cycle = self._visit  # type: ignore[assignment]
            return
        if len(self.pipeline) >= AHEAD_MAX:
            self.transport.close()
            raise ValueError("too many sent ahead")  # the parser stops
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # makes the scope that only the ordinary way needs
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False
        # What comes behind a body in chunks (trailers) is told as headers are, and is none: a proxy
        # of ours that takes `X-Forwarded-For` out of headers may let it pass there.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._loose_bytes = 0
        if self._visit is None:
            super().on_body(body)
        else:
            self._visit.take(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._is_coming = False
        if self._patience is not None:
            self._stop_waiting()
        visit, self._visit = self._visit, None
        if visit is None:
            super().on_message_complete()
        elif isinstance(visit, Lost):
            self._is_lost = True
            visit.answer()
        else:
            task = self.loop.create_task(visit.run())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def _is_too_large(self) -> bool:
        """Whether the head is. Nearly every one is one small packet: then nothing is added up."""
        if len(self.headers) > HEADERS_MAX:
            return True
        if self._loose_bytes == 0 and self._packet_bytes <= HEAD_BYTES_MAX:
            return False
        return length_of(self.url, self.headers) > HEAD_BYTES_MAX

    def _short_way(self) -> "Visit | Lost | None":
        """None when the request must go the ordinary way, where everything is possible."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None  # it came before the last answer left: uvicorn keeps them in order
        if not self.parser.should_keep_alive() or not is_short(self.headers):
            return None
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        if "%" in path:
            return None
        scope: Scope = {
            "type": "http",
            "method": self.parser.get_method().decode(),
            "path": path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "client": self.client,
        }
        found = self._doors.find(scope)
        if found is None:
            is_lost = scope["method"] in _PLAIN and self._doors.leads_nowhere(scope)
            return Lost(self) if is_lost else None
        door, scope["path_params"] = found
        return Visit(self, door, scope)
