"""Steps on a page that an operator has made: where the payer approves when no prompt comes."""

from simulator.steps.person import new_pin
from simulator.steps.stage import Stage
from simulator.steps.step import Step
from simulator.steps.verb import Verb


async def open_page(stage: Stage, step: Step) -> None:
    """Open it and confirm: with one's number and, where the operator has such, a one-time code.

    Some operators then ask the phone for the wallet's PIN (`prompt`).
    """
    person = await stage.person(step)
    page = stage.spell(step.arguments["page"], person)
    pin = new_pin(stage.world.random)
    await stage.admin.confirm_page(page, person.msisdn, pin)


VERBS = (Verb("open", r"(?P<page>\S+)", open_page),)
