"""Steps that bring people: their phones and what is in their wallets."""

from simulator.steps.person import fill
from simulator.steps.stage import Stage, money
from simulator.steps.step import MONEY, WHOM, NotSo, Step
from simulator.steps.verb import Verb


async def add_phone(stage: Stage, step: Step) -> None:
    """Somebody more, with a number of this run."""
    msisdn = fill(step.arguments["msisdn"], stage.world.random, stage.taken)
    line = stage.new_line(msisdn, step.arguments.get("network", ""))
    await stage.add_person(step.arguments["name"], line)


async def add_handset(stage: Stage, step: Step) -> None:
    """A second handset with the number (and so the PINs) of somebody who is there already."""
    stage.number(step.arguments["whom"])
    twin = stage.people.get(step.arguments["whom"])
    if twin is None:
        raise NotSo("a second handset is somebody's, not a number's")
    await stage.add_person(step.arguments["name"], twin.line, twin.pins)


async def fill_wallet(stage: Stage, step: Step) -> None:
    """Money in the wallet, at each operator of the number's country."""
    amount = money(step)
    await stage.admin.set_balance(stage.number(step.arguments["whom"]), amount.minor)


async def change_sim(stage: Stage, step: Step) -> None:
    """The number has another SIM since then: whoever holds it may not be whose wallet it is."""
    await stage.admin.change_sim(
        stage.number(step.arguments["whom"]), float(step.arguments["hours"])
    )


VERBS = (
    Verb("phone", r"(?P<name>[a-z]\w*) (?P<msisdn>\+[\d?]+)(?: (?P<network>\d+))?", add_phone),
    Verb("handset", rf"(?P<name>[a-z]\w*) of {WHOM}", add_handset),
    Verb("wallet", rf"{WHOM} {MONEY}", fill_wallet),
    Verb("sim", rf"{WHOM} changed (?P<hours>\d+(?:\.\d+)?) h ago", change_sim),
)
