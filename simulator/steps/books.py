"""Steps about payments and the books, as the server's inspection door tells them."""

from simulator.inspect import Amount
from simulator.steps.stage import Stage, money
from simulator.steps.step import MONEY, NotSo, Step
from simulator.steps.verb import Verb


async def reach(stage: Stage, step: Step) -> None:
    """The latest payment from or to this phone gets into this state."""
    person = await stage.person(step)
    wanted, seen = step.arguments["state"], "not there"

    async def reached() -> bool | None:
        nonlocal seen
        payments = await stage.inspector.payments(person.msisdn, limit=1)
        seen = payments[0].state.lower() if payments else "not there"
        return True if seen == wanted else None

    await stage.wait(reached, lambda: f"the latest payment is {seen}, not {wanted}")


async def count(stage: Stage, step: Step) -> None:
    """So many payments from or to this phone exist, whatever became of them."""
    person, wanted = await stage.person(step), int(step.arguments["count"])
    found = await stage.inspector.payments(person.msisdn, limit=wanted + 1)
    if len(found) != wanted:
        raise NotSo(f"there are {len(found)} payments, not {wanted}")


async def hold(stage: Stage, step: Step) -> None:
    """An account comes to hold exactly this, or has `grown` or `shrunk` so since the beginning."""
    wanted, change = money(step), step.arguments.get("change")
    key = f"{step.arguments['account']} {wanted.currency}"
    before = stage.books_before.get(key, Amount(0, wanted.currency)).minor if change else 0
    sign = -1 if change == "shrunk by " else 1
    seen = 0

    async def held() -> bool | None:
        nonlocal seen
        now = (await balances(stage)).get(key)
        seen = (now.minor if now else 0) - before
        return seen == sign * wanted.minor or None

    def excuse() -> str:
        verb = "has changed by" if change else "holds"
        return f"{key} {verb} {Amount(seen, wanted.currency)}, not {change or ''}{wanted}"

    await stage.wait(held, excuse)


async def balance(stage: Stage, step: Step) -> None:
    """Debits equal credits, in each currency."""
    del step
    if not (await stage.inspector.books()).balanced:
        raise NotSo("the books do not balance")


async def balances(stage: Stage) -> dict[str, Amount]:
    """What every account holds, by its name and currency."""
    accounts = (await stage.inspector.books()).accounts
    return {f"{line.account} {line.currency}": line.amount for line in accounts}


VERBS = (
    Verb("payment", r"(?P<state>[a-z_]+)", reach),
    Verb("payments", r"(?P<count>\d+)", count),
    Verb(
        "account",
        rf"(?P<account>[A-Z_]+(?: [a-z_]+)?) (?P<change>grown by |shrunk by )?{MONEY}",
        hold,
    ),
    Verb("ledger", r"balanced", balance),
)
