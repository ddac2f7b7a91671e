"""What every door for operators does: know the address, bound the body, keep what came, answer.

Everything that comes is stored before it is answered, redacted: as evidence by whoever takes it
for that, else here. It refuses to know what a callback says; that is for the doors in it.
"""

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.addresses import ANY_ATTEMPT, PREFIX, Addressed, CallbackAddresses
from channels.sources import Sources
from channels.web.bodies import TooLarge, announced_length, has_doubled_names, read_body
from channels.web.doors import Door, plain
from channels.web.seldom import Seldom
from channels.web.strangers import Strangers
from engine.clock import AttemptId, Clock
from engine.errors import Unreadable
from engine.ports import FORGED, Acknowledgement, OperatorPort
from engine.traffic.log import TrafficLog
from engine.traffic.messages import Fate, Said, Way
from providers.redaction import STRANGER, printable

log = logging.getLogger(__name__)
_strange = Seldom(log)

BODY_BYTES_MAX: Final = 64 * 1024
METHODS: Final = ("POST", "PUT")  # MTN may use either (reference mtn-momo.md, section 10)
_KIND_LENGTH_MAX = 40
_NEVER_MADE: Final = "a callback came on an address that we never made"
_GONE: Final = "a callback came for an operator that is not among CAPP_OPERATORS: nobody heard it"

_STATUS: Final = {
    Fate.NO_SUCH_ADDRESS: plain(404, "not found"),
    Fate.UNKNOWN_ATTEMPT: plain(404, "not found"),
    Fate.REFUSED_SOURCE: plain(403, "forbidden"),
    Fate.WRONG_METHOD: Acknowledgement(
        405, b"method not allowed", "text/plain", (("allow", ", ".join(METHODS)),)
    ),
    Fate.TOO_LARGE: plain(413, "too large"),
    Fate.UNREADABLE: plain(400, "not understood"),
    Fate.FORGED: plain(400, "not understood"),
}


class Knock(NamedTuple):
    """A callback whose address is ours and whose operator may call from there."""

    port: OperatorPort
    attempt_id: AttemptId  # or ANY_ATTEMPT
    kind: str
    body: bytes
    scope: Scope
    at_ms: int  # when it came

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case."""
        return {n.decode("latin-1"): v.decode("latin-1") for n, v in self.scope["headers"]}


class Taken(NamedTuple):
    """What a door made of a callback, and what of it is left to be kept.

    No `fate`: evidence holds all of it. `evidence` is the hash of the evidence that holds its
    words; else `shown` is what may be kept of them, by default only their shape.
    """

    acknowledgement: Acknowledgement
    fate: Fate | None = None
    attempt_id: AttemptId | None = None
    shown: str | None = None
    evidence: str | None = None


def refused(fate: Fate, **more: AttemptId | str | None) -> Taken:
    """A callback that moved nothing, with the answer that all of its kind get."""
    return Taken(_STATUS[fate], fate, **more)  # type: ignore[arg-type]


class Reception:
    """What all doors for operators share."""

    def __init__(
        self,
        *,
        operators: Mapping[int, OperatorPort],
        addresses: CallbackAddresses,
        sources: Sources,
        traffic: TrafficLog,
        clock: Clock,
        digest_key: bytes,
        strangers: Strangers,
    ) -> None:
        """`digest_key`: without it nobody can try out what a body was that only left a digest."""
        self.operators = dict(operators)
        self.addresses = addresses
        self.sources = sources
        self.traffic = traffic
        self.clock = clock
        self.strangers = strangers
        self._digest_key = digest_key

    def outline(self, body: bytes, scope: Scope) -> str:
        """The shape of a body that nobody vouches for; of one that is no JSON not even that."""
        shown = STRANGER.outline(body)
        if shown and not shown.startswith('{"bytes":'):
            return shown
        digest = hashlib.blake2b(body, digest_size=8, key=self._digest_key[:64]).hexdigest()
        found = {"bytes": len(body), "digest": digest, "type": _content_type(scope)}
        return msgspec.json.encode(found).decode()


class OperatorDoor(Door):
    """A door that operators come in by. `kind`: of callbacks that only this one takes."""

    kind = "{kind}"

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[Route]:
        """The second is for other methods: they are answered 405, and kept."""
        path = f"{PREFIX}/{{company}}/{self.kind}/{{token}}"
        return [Route(path, self, methods=list(METHODS)), Route(path, self)]

    @abstractmethod
    async def _hear(self, knock: Knock) -> Taken:
        """What is to be done about it. Raises Unreadable; anything else is answered 500."""

    async def answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        at_ms = int(self._reception.clock.epoch() * 1000)
        path = scope["path_params"]
        addressed = self._reception.addresses.read(path["token"])
        port = self._reception.operators.get(addressed.operator_code) if addressed else None
        if addressed is not None and port is None:
            return await turn_away(self._reception, scope, addressed)
        if addressed is None or port is None or path["company"] not in port.facts.webhooks:
            return await turn_away(self._reception, scope)
        kind = path.get("kind", self.kind)
        knock = Knock(port, addressed.attempt_id, kind, b"", scope, at_ms)
        if scope["method"] not in METHODS:
            taken = refused(Fate.WRONG_METHOD)
        else:
            try:
                knock = knock._replace(body=await read_body(scope, receive, BODY_BYTES_MAX))
                taken = await self._admit(knock)
            except TooLarge:
                taken = refused(Fate.TOO_LARGE, shown=_announced(scope))
            except Unreadable as error:
                log.warning("callback not understood: %s", error)
                taken = refused(Fate.FORGED if error.code == FORGED else Fate.UNREADABLE)
        if taken.fate is not None:
            said = self._said(taken, knock)
            if taken.evidence is not None:
                self._reception.traffic.note(said)  # its words are stored already
            else:
                await self._reception.traffic.keep(said)
        return taken.acknowledgement

    async def _admit(self, knock: Knock) -> Taken:
        reception, name = self._reception, knock.port.facts.name
        if not reception.sources.admits(name, reception.sources.of(knock.scope)):
            log.warning("%s callback from an address that is not on its list", name)
            return refused(Fate.REFUSED_SOURCE)
        if has_doubled_names(knock.body):
            raise Unreadable(name, "a body that names a member twice")
        try:
            return await self._hear(knock)
        except Unreadable:
            raise
        except Exception:
            # Answered 500, so it should come again; M-PESA says everything once. Storing it at once
            # may be what fails.
            failed = Taken(plain(500, "internal error"), Fate.FAILED)
            reception.traffic.note(self._said(failed, knock))
            raise

    def _said(self, taken: Taken, knock: Knock) -> Said:
        assert taken.fate is not None
        shown = taken.shown
        if shown is None and taken.evidence is None and knock.body:
            shown = self._reception.outline(knock.body, knock.scope)
        return Said(
            knock.at_ms, Way.THEY_CALLED, knock.port.facts.name, _kind(knock.kind), taken.fate,
            taken.attempt_id or _known(knock.attempt_id), taken.acknowledgement.status,
            self._reception.sources.of(knock.scope), asked=shown or "", evidence=taken.evidence,
        )  # fmt: skip


class LostCallbacks(Door):
    """All addresses below ours for callbacks that lead to no door: kept like other strangers."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def routes(self) -> list[Route]:
        """To stand behind all doors, and not among them: it takes more than a word."""
        return [Route(f"{PREFIX}/{{rest:path}}", self)]

    async def answer(self, scope: Scope, _: Receive) -> Acknowledgement:
        return await turn_away(self._reception, scope)


async def turn_away(
    reception: Reception, scope: Scope, addressed: Addressed | None = None
) -> Acknowledgement:
    """A stranger: what of theirs is kept says nothing but that they came. Their body is not read.

    `addressed`: what an address of ours stands for whose operator nobody serves any more. Nobody
    here could read what it says: its attempt is kept, and people are told.

    Whoever comes so often that they are no mistake of an operator's is answered 429, and counted
    instead of kept: they take nobody else's room. Raises what storing raises.
    """
    _strange.warning(_NEVER_MADE if addressed is None else _GONE)
    source = reception.sources.of(scope)
    away_seconds = await reception.strangers.away_seconds(source)
    answer = _too_many(away_seconds) if away_seconds else _STATUS[Fate.NO_SUCH_ADDRESS]
    said = Said(
        int(reception.clock.epoch() * 1000), Way.THEY_CALLED, "", "", Fate.NO_SUCH_ADDRESS,
        None if addressed is None else _known(addressed.attempt_id), answer.status, source,
        asked=_announced(scope),
    )  # fmt: skip
    if away_seconds:
        reception.traffic.count(said)
    else:
        await reception.traffic.keep(said)
    return answer


def _too_many(away_seconds: int) -> Acknowledgement:
    return Acknowledgement(429, b"too many", "text/plain", (("retry-after", str(away_seconds)),))


def _known(attempt_id: AttemptId) -> AttemptId | None:
    return None if attempt_id == ANY_ATTEMPT else attempt_id


def _kind(kind: str) -> str:
    """The word of a path is the sender's choice too."""
    return printable(kind, length_max=_KIND_LENGTH_MAX)


def _announced(scope: Scope) -> str:
    found = {"bytes": announced_length(scope), "type": _content_type(scope)}
    return msgspec.json.encode(found).decode()


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return printable(value.decode("latin-1").partition(";")[0], length_max=60)
    return ""
