"""How a process stands with each thing it depends on, for load balancers and for people.

Only Postgres decides whether it is ready: while Redis is away callbacks that tell of money are
still taken, and a balancer that sent them elsewhere would lose them. See `decisions/0006`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engine.memory import end_if_refused

SECONDS_MAX: Final = 2.0
"""A question that takes longer is answered "away"; balancers ask every few seconds."""

Word = Literal["ok", "stale", "away"]


class Standing(NamedTuple):
    """One dependency: a word for machines, a sentence for people (no secret, no address)."""

    word: Word
    detail: str = ""


class Dependency(NamedTuple):
    """`ask` raises when it is away. `is_needed`: without it the process is not ready."""

    ask: Callable[[], Awaitable[Standing]]
    is_needed: bool = False


class Told(msgspec.Struct, frozen=True):
    """One dependency in the answer."""

    state: Word
    needed: bool
    detail: str = ""


class Answer(msgspec.Struct, frozen=True):
    """`state` is "ready", "degraded" (works, something is away or stale) or "not ready"."""

    state: Literal["ready", "degraded", "not ready"]
    dependencies: dict[str, Told]


async def examine(dependencies: Mapping[str, Dependency]) -> Answer:
    """Ask all at once. Raises nothing; what fails or takes too long is away."""
    standings = await asyncio.gather(*(_ask(one) for one in dependencies.values()))
    told = {
        name: Told(standing.word, one.is_needed, standing.detail)
        for (name, one), standing in zip(dependencies.items(), standings, strict=True)
    }
    if any(one.needed and one.state == "away" for one in told.values()):
        return Answer("not ready", told)
    is_well = all(one.state == "ok" for one in told.values())
    return Answer("ready" if is_well else "degraded", told)


async def _ask(dependency: Dependency) -> Standing:
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await dependency.ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, it does not answer as it should
        end_if_refused(error)
        return Standing("away", type(error).__name__)


def health_routes(dependencies: Mapping[str, Dependency]) -> list[Route]:
    """Both 200 or 503. `GET /health` asks what is needed and says a word, `GET /health/ready` asks
    for everything and tells of each dependency, as JSON.
    """
    needed = {name: one for name, one in dependencies.items() if one.is_needed}

    async def health(_: Request) -> Response:
        answer = await examine(needed)
        away = [name for name, told in answer.dependencies.items() if told.state == "away"]
        return PlainTextResponse(f"away: {', '.join(away)}" if away else "ok", _status(answer))

    async def ready(_: Request) -> Response:
        answer = await examine(dependencies)
        body = msgspec.json.encode(answer)
        return Response(body, _status(answer), media_type="application/json")

    return [Route("/health", health), Route("/health/ready", ready)]


def _status(answer: Answer) -> int:
    return 503 if answer.state == "not ready" else 200
