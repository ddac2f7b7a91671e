"""`capp payins`: tell an operator where to announce pay-ins, and see which still need somebody."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from channels.addresses import CallbackAddresses
from channels.settings import Settings
from channels.times import minute_of
from channels.wiring import open_engine
from engine.errors import StaffMistake
from engine.payments.payins.judging import PayIn, Stage, shown
from engine.payments.payins.store import PayInStore
from engine.ports import PAY_IN_NOTICE, PAY_IN_QUESTION, OperatorPort, PayInPort

Say = Callable[[str], None]

SHOWN_MAX = 200
OPEN = [Stage.HEARD, Stage.DENIED, Stage.SUSPENDED, Stage.RETURNING, Stage.ASSIGNING]
"""Where something is still to be done, by somebody."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    tasks = parser.add_subparsers(dest="task", required=True)
    register = tasks.add_parser("register", help="tell an operator where to announce pay-ins")
    register.add_argument("operator")
    listed = tasks.add_parser("list", help="money that customers sent of their own accord")
    listed.add_argument("--all", action="store_true", help="also what has come to rest")


async def run_pay_ins(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one task; whether it came to what was wanted. Raises StaffMistake."""
    async with open_engine(settings) as engine:
        if options.task == "register":
            await register(options.operator, engine.operators, engine.addresses, say)
            return True
        store = PayInStore(engine.pool, settings.tenant, engine.clock, engine.ids)
        stages = list(Stage) if options.all else OPEN
        say_pay_ins(await store.listed(stages, SHOWN_MAX + 1), say)
    return True


def say_pay_ins(found: Sequence[PayIn], say: Say) -> None:
    """The newest, a line each, and whether there are more."""
    for pay_in in found[:SHOWN_MAX]:
        say(_line(pay_in))
    if len(found) > SHOWN_MAX:
        say(f"... and more: these are the newest {SHOWN_MAX}")


async def register(
    operator: str, operators: Mapping[str, OperatorPort], addresses: CallbackAddresses, say: Say
) -> None:
    """Give an operator both addresses. Raises StaffMistake, and what calling raises.

    They stay as they are as long as the key that signs addresses does.
    """
    port = operators.get(operator)
    if not isinstance(port, PayInPort):
        known = [name for name, one in operators.items() if isinstance(one, PayInPort)]
        raise StaffMistake(f"{operator} announces no pay-ins; it can be: {', '.join(known)}")
    code = operators[operator].facts.code
    await port.register_pay_ins(
        question_url=addresses.to_register(code, PAY_IN_QUESTION),
        notice_url=addresses.to_register(code, PAY_IN_NOTICE),
    )
    say(f"{operator} was told where to ask about pay-ins and where to announce them")


def _line(pay_in: PayIn) -> str:
    paid = pay_in.paid
    owner = f" of {pay_in.payment}" if pay_in.payment else ""
    return (
        f"{pay_in.id}  {minute_of(pay_in.heard_ms)}  {pay_in.operator} {paid.receipt}"
        f"  {paid.amount}  {shown(paid.reference)}  {pay_in.stage.name}{owner}"
    )
