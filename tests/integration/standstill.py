"""Redis stands still, who asks it gives up soon: both for a block, on whatever machine."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from engine.session.cluster import ClusterPipeline
from engine.session.pipeline import TickPipeline
from simulator import embedded


@contextmanager
def standing_still(server: embedded.Server) -> Iterator[None]:
    """Alive, connected and silent. Nothing is answered within, and everything after."""
    server.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


@contextmanager
def hurried(pipeline: TickPipeline | ClusterPipeline, seconds: float = 0.3) -> Iterator[None]:
    """Only within is Redis given up so soon: outside, a busy machine may take its time."""
    bound = "_timeout" if isinstance(pipeline, TickPipeline) else "_seconds"
    patient = getattr(pipeline, bound)
    setattr(pipeline, bound, seconds)
    try:
        yield
    finally:
        setattr(pipeline, bound, patient)
