"""An order kept from leaving while somebody says that it came to nothing (`decisions/0034`)."""

from collections.abc import Awaitable, Callable

from engine.clock import AttemptId
from engine.errors import OurFault
from engine.outbox import Outbox, Refusal
from engine.payments.payment import Payment
from engine.ports import Direction, Reason

Look = Callable[[], Awaitable[str]]
"""Why the order may have left since it was last looked at; "" when it has not."""


async def withhold(
    outbox: Outbox,
    payment: Payment,
    attempt_id: AttemptId,
    direction: Direction,
    *,
    code: str,
    look: Look,
) -> str:
    """Why the order may yet be carried out; "" when it was not sent since, and will not be.

    Its intent is held from here on until the commit that ends the attempt, with this code: whoever
    would send it again finds that. It stands ended only once it is known that nobody did. Safe to
    repeat: whoever says the same goes on from where somebody died. Of who dies after the end the
    sweep makes that end; of who dies before it the sweep lets the order go, and sends nothing.

    Raises OurFault when somebody else has it since who says the same: to be tried again.
    """
    ended = Refusal(code, Reason.OTHER).written()
    claim = await outbox.take_again(
        attempt_id, payment.payment_id, payment.facts.tenant, direction, ended
    )
    if not claim:
        return f"the order of {payment.code} is being sent once more: look again after that"
    if why := await look():
        await outbox.let_go(attempt_id, claim)
        return why
    if not await outbox.end(attempt_id, claim, ended):
        raise OurFault(f"{payment.code} moved this moment")
    return ""
