"""The words of the transcripts: one module for each noun, one row for each verb.

A verb more is a function and a row in its module's `VERBS`; the README tells it to people.
"""

from collections.abc import Mapping

from simulator.steps import airwaves, books, chain, dialogue, messages, operators, pages, people
from simulator.steps.verb import Verb

VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for room in (people, dialogue, airwaves, messages, operators, pages, books, chain)
    for verb in room.VERBS
}
