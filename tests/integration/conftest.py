"""Sessions in the run's Redis. Where a module brings a `redis` of its own, `house` lives in it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from channels.watching import figures, health
from engine.session.cluster import ClusterPipeline
from engine.session.pipeline import TickPipeline, open_pipeline
from engine.session.store import SessionStore
from tests.unit.session.rooms import RECORD_SEAL, House

PATIENT_SECONDS = 30.0


@pytest.fixture(scope="session", autouse=True)
def patient_figures() -> Iterator[None]:
    """A machine that gives nothing for a while is no Postgres that is away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "SECONDS_MAX", 120.0)
        patch.setattr(health, "SECONDS_MAX", 120.0)
        yield


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[TickPipeline]:
    pipeline = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS)
    assert isinstance(pipeline, TickPipeline)
    yield pipeline
    await pipeline.aclose()


@pytest.fixture
async def house(redis: TickPipeline | ClusterPipeline) -> House:
    return await House(SessionStore(redis, 1, RECORD_SEAL)).registered()
