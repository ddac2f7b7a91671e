"""Steps at an operator: its faults, what it asks a phone, what it holds in a wallet."""

import httpx

from simulator.admin import Prompt, Wallet
from simulator.inspect import Amount
from simulator.steps.person import new_pin
from simulator.steps.stage import Stage, money
from simulator.steps.step import MONEY, WHOM, NotSo, Step
from simulator.steps.verb import Verb


async def arm_fault(stage: Stage, step: Step) -> None:
    """The next calls at this sandbox go wrong; disarmed at the end of the play."""
    given = step.arguments
    whom = stage.number(given["whom"]) if "whom" in given else None
    seconds = float(given["seconds"]) if "seconds" in given else None
    try:
        await stage.admin.set_fault(
            given["sandbox"], on=given["on"], fault=given["fault"],
            times=int(given.get("times", 1)), msisdn=whom, seconds=seconds,
        )  # fmt: skip
    except KeyError as error:
        raise NotSo(error.args[0]) from error
    except httpx.HTTPStatusError as error:
        raise NotSo(f"the sandbox refuses the fault: {error.response.text}") from error
    stage.faulty.add(given["sandbox"])


async def see_prompt(stage: Stage, step: Step) -> str:
    """The operator asks for the wallet's PIN."""
    msisdn = stage.number(step.arguments["whom"])

    async def waiting_prompt() -> Prompt | None:
        waiting = await stage.admin.prompts(msisdn)
        return waiting[0] if waiting else None

    prompt = await stage.wait(waiting_prompt, lambda: "no operator asks for a PIN")
    stage.prompt = prompt
    return prompt.text


async def approve(stage: Stage, step: Step) -> None:
    """Type the wallet's PIN, or a wrong one, into the prompt that was seen."""
    prompt = stage.take_prompt()
    pin = wrong = new_pin(stage.world.random)
    while wrong == pin:
        wrong = new_pin(stage.world.random)
    await stage.admin.set_pin(prompt, pin)
    await stage.admin.approve(prompt, wrong if "wrong" in step.arguments else pin)


async def decline(stage: Stage, step: Step) -> None:
    """Refuse the prompt that was seen."""
    del step
    await stage.admin.decline(stage.take_prompt())


async def hold(stage: Stage, step: Step) -> None:
    """The wallet at the operator that is named, or the first at home, comes to hold this."""
    msisdn, wanted = stage.number(step.arguments["whom"]), money(step)
    seen: Amount | None = None

    async def held() -> bool | None:
        nonlocal seen
        wallet = await _wallet(stage, msisdn, step.arguments.get("sandbox"))
        seen = Amount(wallet.balance_minor, wallet.currency) if wallet else None
        return seen == wanted or None

    await stage.wait(held, lambda: f"the wallet holds {seen or 'nothing yet'}, not {wanted}")


async def _wallet(stage: Stage, msisdn: str, sandbox: str | None) -> Wallet | None:
    if sandbox is None:
        return await stage.admin.wallet(msisdn)
    try:
        return await stage.admin.wallet_at(stage.places.sandbox(sandbox), msisdn)
    except KeyError as error:
        raise NotSo(error.args[0]) from error


VERBS = (
    Verb("holds", rf"{WHOM} {MONEY}(?: at (?P<sandbox>\w+))?", hold),
    Verb(
        "fault",
        r"(?P<sandbox>\w+) (?P<on>\w+) (?P<fault>\w+)(?: x(?P<times>\d+))?"
        rf"(?: of (?P<seconds>\d+(?:\.\d+)?) s)?(?: for {WHOM})?",
        arm_fault,
    ),
    Verb("prompt", WHOM, see_prompt, shows_text=True),
    Verb("approve", r"(?P<wrong>wrong)?", approve),
    Verb("decline", r"", decline),
)
