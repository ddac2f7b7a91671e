"""One handset's USSD dialogue, told to a server the way Africa's Talking tells it.

It plays the network and the gateway: it knows nothing of what a menu means.
Facts: reference africas-talking.md, sections 2, 3 and 9.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from simulator.operators.world import World

DEADLINE_SECONDS = 10.0
"""What the documentation gives an application; section 2."""

PHONE_FAULT = "Connection problem or invalid MMI code."
"""What a phone shows for every bad answer, whatever the reason."""

NETWORKS = {"+254": "63902", "+256": "64110"}
"""The network a number is served by unless told otherwise (section 5); others: the sandbox's."""

SANDBOX_NETWORK = "99999"


@dataclass(frozen=True)
class Screen:
    """What the phone shows. `fault` is the technical reason of a bad answer, for the tester."""

    text: str
    ends: bool
    fault: str | None = None


@dataclass(frozen=True)
class Line:
    """A subscriber's line: whose number, which network, and where the gateway posts."""

    msisdn: str  # E.164, with plus
    url: str
    end_url: str | None = None
    shortcodes: Sequence[str] = ()  # published codes; what is dialled beyond one becomes text
    network: str = ""

    @property
    def network_code(self) -> str:
        """The given code, else the one that usually serves the number's country."""
        return self.network or NETWORKS.get(self.msisdn[:4], SANDBOX_NETWORK)


class UssdSession:
    """One dialogue from dial to end. A new dial needs a new object."""

    def __init__(self, client: httpx.AsyncClient, line: Line, world: World) -> None:
        self.session_id = f"ATUid_{world.hex(32)}"
        self.is_open = False
        self.text = ""
        self._client = client
        self._line = line
        self._now = world.clock
        self._service_code = ""
        self._hops = 0
        self._started_at = world.clock()
        self._last_body = ""
        self._notices: set[asyncio.Task[None]] = set()

    async def dial(self, code: str) -> Screen:
        """Open the session. `*384*96*1#` reaches `*384*96#` with the text `1`."""
        assert self._hops == 0, "a session is dialled once"
        self._service_code, self.text = split_code(code, self._line.shortcodes)
        self._started_at = self._now()
        self.is_open = True
        return await self.repeat()

    async def answer(self, text: str) -> Screen:
        """Send one more input; the gateway appends it to all that was typed before."""
        assert self.is_open, "the session is over"
        self.text = f"{self.text}*{text}" if self.text else text
        return await self.repeat()

    async def repeat(self) -> Screen:
        """Send the last turn as it was, as a gateway does that heard no answer.

        Also after the end: the server must bear it.
        """
        self._hops += 1
        was_open = self.is_open
        screen = await self._turn()
        self.is_open = was_open and not screen.ends
        if was_open and screen.ends:
            self._notify("Failed" if screen.fault else "Success", screen.fault)
        return screen

    async def hang_up(self) -> None:
        """Close the dialogue from the handset. Safe to repeat."""
        if self.is_open:
            self.is_open = False
            self._notify("Incomplete", None)

    async def notified(self) -> None:
        """Wait until the end notification was delivered or given up."""
        await asyncio.gather(*self._notices)

    async def _turn(self) -> Screen:
        form = {
            "sessionId": self.session_id,
            "serviceCode": self._service_code,
            "phoneNumber": self._line.msisdn,
            "networkCode": self._line.network_code,
            "text": self.text,
        }
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                response = await self._client.post(self._line.url, data=form)
        except TimeoutError:
            return _fault(f"no answer within {DEADLINE_SECONDS:g} s")
        except httpx.HTTPError as error:
            return _fault(f"{type(error).__name__}: {error}")
        self._last_body = response.text
        return read_answer(response)

    def _notify(self, status: str, error: str | None) -> None:
        if self._line.end_url is None:
            return
        duration = self._now() - self._started_at
        form = {
            "date": self._now().strftime("%Y-%m-%d %H:%M:%S"),
            "sessionId": self.session_id,
            "serviceCode": self._service_code,
            "networkCode": self._line.network_code,
            "phoneNumber": self._line.msisdn,
            "status": status,
            "cost": "KES 1.0000",
            "durationInMillis": str(int(duration.total_seconds() * 1000)),
            "hopsCount": str(self._hops),
            "input": self.text,
            "lastAppResponse": self._last_body,
        }
        if error:
            form["errorMessage"] = error
        # The caller's screen does not wait for the gateway's bookkeeping.
        task = asyncio.create_task(self._post_notice(self._line.end_url, form))
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def _post_notice(self, url: str, form: dict[str, str]) -> None:
        try:
            await self._client.post(url, data=form, timeout=DEADLINE_SECONDS)
        except httpx.HTTPError:
            return  # The gateway tells once and forgets (section 3).


def read_answer(response: httpx.Response) -> Screen:
    """The screen an answer stands for; every departure from section 2 is a fault."""
    if response.status_code != 200:
        return _fault(f"HTTP status {response.status_code}")
    content_type = response.headers.get("content-type", "")
    if content_type.split(";")[0].strip() != "text/plain":
        return _fault(f"content type {content_type!r} is not text/plain")
    try:
        body = response.content.decode("utf-8")
    except UnicodeDecodeError:
        return _fault("the body is not UTF-8")
    if body[:4] not in ("CON ", "END "):
        return _fault(f"the body starts with {body[:8]!r}, neither 'CON ' nor 'END '")
    return Screen(text=body[4:], ends=body.startswith("END "))


def split_code(code: str, shortcodes: Sequence[str]) -> tuple[str, str]:
    """What was dialled, as (published code, text): the longest published prefix wins.

    A code that nobody published is passed on as it is.
    """
    for shortcode in sorted(shortcodes, key=len, reverse=True):
        stem = shortcode.removesuffix("#")
        if code == shortcode:
            return shortcode, ""
        if code.startswith(f"{stem}*") and code.endswith("#"):
            return shortcode, code[len(stem) + 1 : -1]
    return code, ""


def _fault(reason: str) -> Screen:
    return Screen(text=PHONE_FAULT, ends=True, fault=reason)
