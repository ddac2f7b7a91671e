"""Steps of a USSD dialogue: what is dialled and typed, and how it ends."""

from simulator.mishaps import Mishap
from simulator.steps.airwaves import arm_sms
from simulator.steps.person import Person
from simulator.steps.stage import Stage, show
from simulator.steps.step import NotSo, Step
from simulator.steps.verb import Verb
from simulator.ussd import Screen, UssdSession


async def dial(stage: Stage, step: Step) -> str:
    """Open a new dialogue; the one before is hung up."""
    person = await stage.person(step)
    if person.session is not None:
        await person.session.hang_up()
    person.line = person.network.next_line(person.line)
    for strike in person.network.sms_mishaps():
        await arm_sms(stage, person, strike.mishap, strike.value)
    person.session = UssdSession(stage.courier, person.line, stage.world, network=person.network)
    screen = await person.session.dial(stage.spell(step.arguments["code"], person))
    return await _take(stage, step, person, screen)


async def type_text(stage: Stage, step: Step) -> str:
    """One more input."""
    person, session = await stage.in_session(step)
    if not session.is_open:
        raise NotSo("the session is over, nothing can be typed")
    screen = await session.answer(stage.spell(step.arguments["text"], person))
    return await _take(stage, step, person, screen)


async def repeat(stage: Stage, step: Step) -> str:
    """The last turn once more: the same answer must come as was shown before."""
    person, session = await stage.in_session(step)
    before = None if person.network.now else person.screen
    screen = await session.repeat()
    if before is not None and screen != before:
        raise NotSo(f"the same turn was answered differently:\n  {screen.text!r}")
    return await _take(stage, step, person, screen)


async def hang_up(stage: Stage, step: Step) -> None:
    """Close the dialogue from the handset."""
    _, session = await stage.in_session(step)
    await session.hang_up()


async def be_over(stage: Stage, step: Step) -> None:
    """The server has closed the dialogue."""
    _, session = await stage.in_session(step)
    if session.is_open:
        raise NotSo("the session is still open")


async def _take(stage: Stage, step: Step, person: Person, screen: Screen) -> str:
    """What is shown, and what the turn's mishap lets people do afterwards."""
    network, session = person.network, person.session
    if network.contradictions:
        raise NotSo(f"the same turn was answered differently: {network.contradictions.pop()}")
    match network.now and network.now.mishap:
        case Mishap.HANG_UP if session is not None:
            await session.hang_up()
        case Mishap.TWIN:
            await _dial_beside(stage, person)
    return show(step, person, screen)


async def _dial_beside(stage: Stage, person: Person) -> None:
    """Another handset with this number dials, and stays on its first screen."""
    twin = UssdSession(stage.courier, person.line, stage.world)
    person.twins.append(twin)
    await twin.dial(stage.places.shortcode)


VERBS = (
    Verb("dial", r"(?P<code>\S+)", dial, shows_text=True),
    Verb("type", r"(?P<text>.*)", type_text, shows_text=True),
    Verb("repeat", r"", repeat, shows_text=True),
    Verb("hang up", r"", hang_up),
    Verb("ended", r"", be_over),
)
