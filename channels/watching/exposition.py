"""Where counts and gauges are read: `/metrics` of the web process, and a small door of the worker.

Only there when a token is set; every request must carry it, for what money stands where is nobody
else's business.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.watching.figures import Figures
from channels.watching.metrics import Metrics
from channels.web.bodies import is_secret

log = logging.getLogger(__name__)

SCRAPE_SECONDS_MAX = 5
"""So long a process that ends lets a scrape finish."""


def metrics_route(metrics: Metrics, figures: Figures, token: str, tenant: str = "") -> Route:
    """`GET /metrics` with `Authorization: Bearer <token>`, in Prometheus' text format.

    Of a named tenant every sample carries its name as the label `tenant`.
    """
    metrics.registry.register(figures)
    collector = _OfTenant(metrics.registry, tenant) if tenant else metrics.registry

    async def told(request: Request) -> Response:
        if not is_secret(request.headers.get("authorization", ""), f"Bearer {token}"):
            return PlainTextResponse("forbidden", 403)
        await figures.refresh()
        return Response(generate_latest(collector), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", told)


class _OfTenant(Collector):
    """A registry whose samples say whose they are: what is collected stays one family."""

    def __init__(self, registry: CollectorRegistry, tenant: str) -> None:
        self._registry = registry
        self._tenant = tenant

    def collect(self) -> Iterable[Metric]:
        for family in self._registry.collect():
            told = Metric(family.name, family.documentation, family.type, family.unit)
            told.samples = [
                s._replace(labels={**s.labels, "tenant": self._tenant}) for s in family.samples
            ]
            yield told


@asynccontextmanager
async def listening(routes: list[Route], port: int) -> AsyncIterator[int]:
    """Serve these on 127.0.0.1 beside whatever the process does; gives the port, of 0 a free one.

    The worker has no other door; whoever scrapes it from elsewhere puts a proxy before it. Raises
    OSError for a taken port.
    """
    taken = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        Starlette(routes=routes), lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=SCRAPE_SECONDS_MAX,
    )  # fmt: skip
    server = _Beside(config)
    task = asyncio.create_task(server.serve(sockets=[taken]))
    found: int = taken.getsockname()[1]
    log.info("metrics at 127.0.0.1:%d", found)
    try:
        yield found
    finally:
        server.should_exit = True
        await task


class _Beside(uvicorn.Server):
    """Leaves the process's signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
