"""Steps of the network: what goes wrong with a person's turns, dials and SMS."""

from simulator.mishaps import SMS_MISHAPS, Mishap, read_mishap
from simulator.steps.person import Person
from simulator.steps.stage import Stage
from simulator.steps.step import NotSo, Step
from simulator.steps.verb import Verb


async def plan(stage: Stage, step: Step) -> None:
    """Let a mishap strike once: the next turn, turn N of the dialogue, the next dial or SMS."""
    person, given = await stage.person(step), step.arguments
    try:
        mishap, value = read_mishap(given["mishap"], given.get("value"))
    except ValueError as error:
        raise NotSo(str(error)) from error
    if mishap in SMS_MISHAPS:
        await arm_sms(stage, person, mishap, value)
    else:
        turn = given.get("turn")
        person.network.plan(mishap, value, int(turn) if turn else None)


async def settle(stage: Stage, step: Step) -> None:
    """What the network held back has arrived."""
    await (await stage.person(step)).network.settle()


async def arm_sms(stage: Stage, person: Person, mishap: Mishap, value: str) -> None:
    """The gateway's sandbox loses, delays or doubles the next SMS to this phone."""
    await stage.admin.set_fault(
        "gateway", on="sms", fault=mishap, times=1, msisdn=person.msisdn,
        seconds=float(value) if value else None,
    )  # fmt: skip
    stage.faulty.add("gateway")


VERBS = (
    Verb(
        "network",
        r"(?P<mishap>[a-z_]+)(?: (?P<value>[\d.]+))?(?: at turn (?P<turn>\d+))?",
        plan,
    ),
    Verb("settled", r"", settle),
)
