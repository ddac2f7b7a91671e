"""A live session as a transcript: the steps that were taken and the texts that came, redacted.

Pure: it is told what happened and writes the text of a file. What was typed as a PIN never gets
there (`redaction`); the file passes when it is played against the same server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.redaction import Names, doubtful, pattern_of, reserved
from simulator.steps.person import names_of
from simulator.steps.step import Step

TYPING = ("type", "dial", "text")
"""The verbs behind which people type what they like."""

TITLE = "Recorded."


class Known(NamedTuple):
    """What is known at the end of those who took part; people and their PINs by name."""

    people: Mapping[str, str]  # numbers, with plus
    pins: Mapping[str, Mapping[str, str]]
    codes: Sequence[str] = ()  # of payments the server told us of
    holders: frozenset[str] = frozenset()  # what people are called at their operators


@dataclass(frozen=True)
class Taken:
    """One step that was carried out, by whom, and the lines that came."""

    step: Step
    person: str
    came: tuple[str, ...] | None


@dataclass
class Recording:
    """Everything that happened, in order. `secrets` are values that must not be written."""

    title: str = TITLE
    secrets: Sequence[str] = ()
    taken: list[Taken] = field(default_factory=list)

    def add(self, step: Step, person: str, came: Sequence[str] | None) -> None:
        """A step that was carried out by `person`, and the text it brought, line by line."""
        self.taken.append(Taken(step, person, None if came is None else tuple(came)))

    def write(self, known: Known) -> str:
        """The file's text."""
        names = self._name(known)
        body = [line for taken in self.taken for line in _lines(taken, names)]
        declared = {taken.step.arguments["name"] for taken in self.taken if _declares(taken)}
        head = [
            f"phone {name} {pattern_of(msisdn)}"
            for name, msisdn in names.people.items()
            if name not in declared
        ]
        return "\n".join([f"# {self.title}", *head, "", *body]) + "\n"

    def _name(self, known: Known) -> Names:
        """Everything that may not stand there is known before the first line is written."""
        names = Names(people=dict(known.people), holders=known.holders)
        for person, made in known.pins.items():
            mine = [taken.step.source for taken in self.taken if taken.person == person]
            names.secrets[person] = {made[name]: name for name in sorted(reserved(mine))}
        shown = ""
        for index, taken in enumerate(self.taken):
            if taken.step.verb in TYPING:
                for value in self._secrets_of(index):
                    names.keep_secret(taken.person, value)
                met = set(names.people)
                names.typed(taken.person, _typed(taken.step))  # meets the people in it
                names.examples |= {
                    name
                    for name in names.people.keys() - met
                    if any(value in shown for _, value in names_of(name, names.people[name]))
                }
            for line in taken.came or ():
                names.learn(line)
                shown += f"{line}\n"
        names.codes += [code for code in known.codes if code not in names.codes]
        return names

    def _secrets_of(self, index: int) -> list[str]:
        typed = _typed(self.taken[index].step)
        marked = [value for value in self.secrets if value in typed]
        return [*doubtful(typed, self._answer_to(index)), *marked]

    def _answer_to(self, index: int) -> str:
        """The screen that came, or the messages up to the next one that was written."""
        asked = self.taken[index]
        if asked.came is not None:
            return "\n".join(asked.came)
        lines: list[str] = []
        for taken in self.taken[index + 1 :]:
            if taken.step.verb == asked.step.verb and taken.person == asked.person:
                break
            lines += (taken.came or ()) if taken.step.verb == "sms" else ()
        return "\n".join(lines)


def _lines(taken: Taken, names: Names) -> list[str]:
    return [
        _source(taken, names),
        *(f"| {names.shown(line)}".rstrip() for line in taken.came or ()),
    ]


def _source(taken: Taken, names: Names) -> str:
    """The step's line. What was typed is spelled anew; other lines hold names and numbers."""
    step = taken.step
    if step.verb in TYPING:
        typed = names.typed(taken.person, _typed(step))
        return f"{taken.person}: {step.verb} {typed}".rstrip()
    if step.verb == "phone":
        network = f" {step.arguments['network']}" if "network" in step.arguments else ""
        name = step.arguments["name"]
        return f"phone {name} {pattern_of(names.people[name])}{network}"
    whom = step.arguments.get("whom", "")
    source = step.source.replace(whom, names.meet(whom)) if whom.startswith("+") else step.source
    return names.named(source)


def _typed(step: Step) -> str:
    return step.arguments["code" if step.verb == "dial" else "text"]


def _declares(taken: Taken) -> bool:
    return taken.step.verb in ("phone", "handset")
