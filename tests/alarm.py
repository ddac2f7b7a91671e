"""Ends a test that hangs: it fails where it stands, is cleaned up after, and the run goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

SECONDS_MAX = 3600.0 if "EVERY_STEP" in os.environ else 600.0
"""Of one phase of a test: setting up, the test itself, cleaning up. Dying at each step is long."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise pytest's own failure in whatever this thread does when the time is over."""

    def ring(_: int, __: FrameType | None) -> None:
        pytest.fail(f"hangs: not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)  # of the alarm around this one


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with alarm(SECONDS_MAX):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with alarm(SECONDS_MAX):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    with alarm(SECONDS_MAX):
        return (yield)
