"""Steps about settlement: where a payment's own stands, and that the books equal the chain."""

from simulator.chain import Chain
from simulator.devnet.contracts import SYMBOL
from simulator.inspect import Amount
from simulator.steps.books import balances
from simulator.steps.stage import Stage
from simulator.steps.step import WHOM, NotSo, Step
from simulator.steps.verb import Verb

PATIENCE_TIMES = 3
"""A window has to end, operators have to agree, and the chain has to do it."""


async def reach(stage: Stage, step: Step) -> None:
    """The settlement of somebody's latest payment gets so far."""
    msisdn, wanted = stage.number(step.arguments["whom"]), step.arguments["stage"]
    seen = "not there"

    async def reached() -> bool | None:
        nonlocal seen
        payments = await stage.inspector.payments(msisdn, limit=1)
        settled = payments[0].settlement if payments else None
        seen = settled.stage if settled else "not there"
        return True if seen == wanted else None

    await stage.wait(
        reached,
        lambda: f"the settlement of the latest payment is {seen}, not {wanted}",
        seconds=PATIENCE_TIMES * stage.patience_seconds,
    )


async def balance(stage: Stage, step: Step) -> None:
    """What the books say an operator has on the chain is what its pools hold there."""
    del step
    if not stage.places.node:
        raise NotSo("nothing is settled on a chain here")
    chain = Chain(stage.client, stage.places.node)
    different: list[str] = []

    async def equal() -> bool | None:
        nonlocal different
        booked, different = await balances(stage), []
        for operator, pools in sorted(stage.places.pools.items()):
            account = f"CHAIN_TREASURY {operator} {SYMBOL}"
            ours = booked.get(account, Amount(0, SYMBOL))
            theirs = Amount(await chain.holdings(pools), SYMBOL)
            if ours != theirs:
                different.append(f"{account} is {ours} in the books and {theirs} on the chain")
        return not different or None

    await stage.wait(equal, lambda: "; ".join(different))


VERBS = (
    Verb("settlement", rf"{WHOM} (?P<stage>[a-z_]+)", reach),
    Verb("chain", r"balanced", balance),
)
