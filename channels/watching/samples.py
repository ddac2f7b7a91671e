"""One sample of a gauge, and many under one name. It knows nothing of what is counted."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily


class Figure(NamedTuple):
    """One sample: its labels and its value."""

    labels: tuple[str, ...]
    value: float


def family(
    name: str, help_: str, labels: tuple[str, ...], figures: Iterable[Figure]
) -> GaugeMetricFamily:
    """Samples of one name, each with its own values of the labels."""
    told = GaugeMetricFamily(name, help_, labels=labels)
    for figure in figures:
        told.add_metric(figure.labels, figure.value)
    return told
