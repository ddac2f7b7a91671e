"""The real numbering plan beside whatever operators a test has, read once in a run.

Reading it anew for each test took longer than most of them.
"""

from collections.abc import Mapping
from functools import cache

import yaml

from channels.numbering import NUMBERING
from engine.msisdn import Prefixes
from engine.payments.routing import Directory
from engine.ports import OperatorFacts


def directory_of(facts: Mapping[str, OperatorFacts]) -> Directory:
    """Operators by name; nothing in it is shared that could be changed."""
    return Directory(facts, *_numbering())


@cache
def _numbering() -> tuple[Prefixes, dict[str, str]]:
    numbering = yaml.safe_load(NUMBERING.read_text())
    return Prefixes(numbering["ranges"]), numbering["networks"]
