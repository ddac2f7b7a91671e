"""What is certainly known at each screen, over all ways that lead there: nothing is shown or used
before it was made. Pure.

A session knows things (`vocabulary.THINGS`); verbs need, make and drop them. At a screen that is
certain which every way in agrees on: forward, by a mistake, by `00`, and by `0` from whatever was
walked behind it. How `0` is followed and why that is sound: `decisions/0002`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from engine.menu.paths import Way, first_screens, reach, targets_of, ways_of
from engine.menu.rules import reading_mistakes
from engine.menu.screens import BACK_KEY, HOME_KEY, Menu, Screen
from engine.menu.shape import own_mistakes
from engine.menu.vocabulary import FACTS, RESUME, SUBJECTS, VERBS
from engine.texts import FALLBACK, Texts

Things = frozenset[str]
CUSTOMER = "customer"
DIAL = "dial"


class _Arrival(NamedTuple):
    """One way into a screen, and what is known after it.

    `lost` is what the step itself dropped, or what was walked before `0` led back.
    """

    source: str
    known: Things
    lost: Things = frozenset()
    by_back: bool = False


class Knowledge:
    """A menu walked until nothing new is found. Reads; a screen nobody reaches knows nothing."""

    def __init__(self, menu: Menu) -> None:
        self._menu = menu
        self._targets = targets_of(menu)
        self._above = _dominators(first_screens(menu), self._targets)
        self._drops = {name: _drops_of(menu, screen) for name, screen in menu.screens.items()}
        self._lost: dict[tuple[str, str], Things] = {}
        self._arrivals: dict[str, dict[tuple[str, str], _Arrival]] = {n: {} for n in menu.screens}
        self._known: dict[str, Things] = {}
        self._walk()

    def at(self, screen: str) -> Things:
        """What every session knows that stands on this screen."""
        return self._known.get(screen, frozenset())

    def reaches(self, screen: str) -> bool:
        return screen in self._known

    def way_without(self, screen: str, thing: str) -> list[str]:
        """An example: the screens on a way that arrives without a thing, from where it lacks on."""
        before: dict[str, str] = {screen: ""}
        ahead = deque([screen])
        while ahead:
            name = ahead.popleft()
            for arrival in self._arrivals[name].values():
                if thing in arrival.known:
                    continue
                if thing in arrival.lost and arrival.by_back:
                    return [arrival.source, BACK_KEY, *_behind(before, name)]
                begins = arrival.source == DIAL or thing in self.at(arrival.source)
                if begins or thing in arrival.lost:
                    return [arrival.source, *_behind(before, name)]
                if arrival.source not in before:
                    before[arrival.source] = name
                    ahead.append(arrival.source)
        raise AssertionError("what is missing is missing on some way")

    # The walk.

    def _walk(self) -> None:
        opens = self._menu.opens
        ahead = deque[str]()
        for outcome, target in opens.targets.items():
            known = _after(frozenset(), opens.verb, outcome)
            self._arrive(target, ("dial", outcome), _Arrival(DIAL, known), ahead)
        while ahead:
            self._leave(self._menu.screens[ahead.popleft()], ahead)

    def _leave(self, screen: Screen, ahead: deque[str]) -> None:
        known = self._known[screen.name]
        for index, (way, verb) in enumerate(self._ways(screen)):
            after = _after(known, verb, way.result)
            dropped = frozenset(VERBS[verb].dropped_on(way.result) if verb else ()) - after
            forward = _Arrival(screen.name, after, dropped)
            self._arrive(way.target, (screen.name, str(index)), forward, ahead)
            if self._may_come_back(screen.name, way.target):
                lost = self._lost_behind(screen.name, way.target)
                back = _Arrival(way.target, after - lost, lost, by_back=True)
                self._arrive(screen.name, (screen.name, f"back {index}"), back, ahead)
        if screen.has_home and CUSTOMER in known:  # without, it is a fault of its own
            home = (screen.name, "home")
            self._arrive(self._menu.home, home, _Arrival(screen.name, known), ahead)

    def _ways(self, screen: Screen) -> Iterator[tuple[Way, str | None]]:
        """Every step forward and every mistake that is told here, with the verb it comes of."""
        for way in ways_of(self._menu, screen):
            if way.move is not None:
                yield way, way.move.verb
        for mistake in sorted(own_mistakes(screen)):
            target = screen.mistakes.get(mistake, screen.name)
            for verb in _verbs_of(self._menu, screen):
                if mistake in VERBS[verb].mistakes:
                    yield Way(None, mistake, target), verb
            if mistake in reading_mistakes(screen):
                yield Way(None, mistake, target), None

    def _arrive(
        self, screen: str, way: tuple[str, str], arrival: _Arrival, ahead: deque[str]
    ) -> None:
        self._arrivals[screen][way] = arrival
        before = self._known.get(screen)
        now = arrival.known if before is None else before & arrival.known
        if now != before:
            self._known[screen] = now
            ahead.append(screen)

    def _may_come_back(self, screen: str, target: str) -> bool:
        """A step to what stands in the history is itself a step back, and home forgets all."""
        passed = self._above[screen] | {screen, self._menu.home}
        return self._menu.screens[target].has_back and target not in passed

    def _lost_behind(self, screen: str, target: str) -> Things:
        """What may be dropped between a step forward and the `0` that takes it back.

        The history holds no screen twice and is emptied at home, so what is walked meanwhile never
        sets foot on home, on the screen itself, or on those that certainly stand before it.
        """
        if (screen, target) not in self._lost:
            avoiding = self._above[screen] | {screen, self._menu.home}
            region = reach(self._targets, [target], frozenset(avoiding))
            lost = frozenset[str]().union(*(self._drops[name] for name in region))
            self._lost[screen, target] = lost
        return self._lost[screen, target]


def knowledge_problems(menu: Menu, texts: Texts) -> Iterator[str]:
    """What a screen shows or does before its things are known, as `file:line: screen: what`."""
    knowledge = Knowledge(menu)
    missing = [
        (name, what, things[0])
        for name, screen in menu.screens.items()
        if knowledge.reaches(name)  # Else it is told as unreachable already.
        for what, things in _needs_of(menu, screen, texts)
        if things and not knowledge.at(name).intersection(things)
    ]
    told = {(name, thing) for name, _, thing in missing}
    for name, what, thing in missing:
        way = knowledge.way_without(name, thing)
        # What lacks behind a screen that lacked it too is the same fault again.
        if not any((before, thing) in told for before in way[:-1] if before != name):
            where = menu.screens[name].where
            yield f"{where}: {what} needs `{thing}`, not known on the way {' > '.join(way)}"


def _needs_of(menu: Menu, screen: Screen, texts: Texts) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What on a screen needs things, and which: one of them is enough."""
    if screen.has_home:
        yield f"`{HOME_KEY}`", (CUSTOMER,)
    variables = SUBJECTS[screen.about]
    for key in dict.fromkeys((screen.text, screen.again)):
        for variable in dict.fromkeys(texts.template(FALLBACK, key).names):
            yield f"{{{variable}}} of `{key}`", variables[variable]
    for choice in screen.choices.values():
        if choice.when is not None:
            for thing in FACTS[choice.when]:
                yield f"when `{choice.when}`", (thing,)
    for verb in _verbs_of(menu, screen):
        facts = VERBS[verb]
        for thing in facts.needs:
            if screen.mistakes.get(facts.refuses.get(thing, ""), screen.name) == screen.name:
                yield f"`{verb}`", (thing,)


def _after(known: Things, verb: str | None, result: str) -> Things:
    if verb is None:
        return known
    facts = VERBS[verb]
    return known.difference(facts.dropped_on(result)).union(facts.made_on(result))


def _verbs_of(menu: Menu, screen: Screen) -> Iterable[str]:
    moved = (move.verb for move in screen.moves)
    verbs = (verb for verb in (screen.check, *moved) if verb is not None)
    resumes = [move.verb for move in menu.resumes.values() if move.verb is not None]
    return dict.fromkeys(
        taken for verb in verbs for taken in (resumes if verb == RESUME else [verb])
    )


def _drops_of(menu: Menu, screen: Screen) -> Things:
    """What may be gone after a step from here, unless the session is over with it."""
    spent = [VERBS[verb].spends for verb in _verbs_of(menu, screen)]
    dropped = [
        VERBS[way.move.verb].dropped_on(way.result)
        for way in ways_of(menu, screen)
        if way.move is not None and way.move.verb and menu.screens[way.target].kind != "end"
    ]
    return frozenset(thing for things in (*spent, *dropped) for thing in things)


def _dominators(
    first: Iterable[str], targets: Mapping[str, Iterable[str]]
) -> Mapping[str, set[str]]:
    """Screen -> those that every way to it passes, itself included."""
    sources: dict[str, set[str]] = {name: set() for name in targets}
    for name, ahead in targets.items():
        for target in ahead:
            sources[target].add(name)
    found = {name: {name} for name in first}
    waiting = deque(found)
    while waiting:
        name = waiting.popleft()
        for target in targets[name]:
            known = [found[source] for source in sources[target] if source in found]
            passed = set.intersection(*known) | {target}
            if target not in first and found.get(target) != passed:
                found[target] = passed
                waiting.append(target)
    return {name: found.get(name, {name}) for name in targets}


def _behind(before: Mapping[str, str], name: str) -> Iterator[str]:
    while name:
        yield name
        name = before[name]
