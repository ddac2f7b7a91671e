"""What `capp books --earned` says: income and cost of a time, corridor by corridor."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from channels.commands.spreadsheets import write_rows
from channels.office import Office
from engine.clock import ms_of
from engine.money import Money, plain, to_decimal
from engine.payments.earnings import Corridor, Earned, Earnings

Say = Callable[[str], None]

_COLUMNS = (
    "payer_operator", "payee_operator", "currency", "payments", "fees", "spread", "rounding",
    "operator_cost", "losses", "earned",
)  # fmt: skip


async def say_earned(
    office: Office, since: datetime, until: datetime, to_ms: int, *, is_csv: bool, say: Say
) -> None:
    """What the accounts of income and cost moved by, and what paying out cost the pools."""
    earnings = Earnings(office.pool, office.tenant)
    found = await earnings.earned(ms_of(since), to_ms)
    if is_csv:
        say(write_rows(_COLUMNS, map(_row, found)).removesuffix("\r\n"))
        return
    say(f"earned from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC, as it was booked")
    for each in found:
        say(_line(each))
    for currency, minor in sorted(_sums(found).items()):
        say(f"{currency}  {'in all':<28} {plain(minor, currency):>16}")
    for told in await earnings.charged(ms_of(since), to_ms):
        pays = f"paying out cost {told.charge}, which the pool bore"
        say(f"{told.charge.currency}  {_name(told.corridor):<28} {pays}")


def _sums(found: list[Earned]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for each in found:
        sums[each.currency] += each.earned_minor
    return sums


def _line(each: Earned) -> str:
    parts = {
        "fees": each.fee_minor,
        "spread": each.spread_minor,
        "rounding": each.rounding_minor,
        "operators' cost": each.cost_minor,
        "losses": each.loss_minor,
    }
    told = ", ".join(f"{name} {plain(m, each.currency)}" for name, m in parts.items() if m)
    made = f"{each.payments} payment{'s' * (each.payments > 1)}: " if each.payments else ""
    earned = plain(each.earned_minor, each.currency)
    return f"{each.currency}  {_name(each.corridor):<28} {earned:>16}  {made}{told}"


def _row(each: Earned) -> list[object]:
    minor = (
        each.fee_minor, each.spread_minor, each.rounding_minor, each.cost_minor, each.loss_minor,
        each.earned_minor,
    )  # fmt: skip
    amounts = [f"{to_decimal(Money(m, each.currency)):f}" for m in minor]
    return [*each.corridor, each.currency, each.payments, *amounts]


def _name(corridor: Corridor) -> str:
    if not corridor.payer_operator:
        return "of no payment"
    return f"{corridor.payer_operator} -> {corridor.payee_operator}"
