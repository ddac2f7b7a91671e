"""What holds however a play ends, though no transcript asks: nothing twice, the books balance."""

from collections import Counter

from simulator.mishaps import Mishap
from simulator.steps import books, messages
from simulator.steps.stage import Stage
from simulator.steps.step import NotSo, Step

PAYMENTS_MAX = 20


async def hold(stage: Stage, step: Step) -> None:
    """Raises NotSo. `step` is where the play ended."""
    for person in stage.people.values():
        await person.network.settle()
    struck = {s.mishap for person in stage.people.values() for s in person.network.struck}
    if stage.places.gateway and Mishap.SMS_TWICE not in struck:
        await messages.come_once(stage, step)
    if stage.places.server:
        await _no_step_is_taken_twice(stage)
        await books.balance(stage, step)


async def _no_step_is_taken_twice(stage: Stage) -> None:
    for person in stage.people.values():
        for payment in await stage.inspector.payments(person.msisdn, limit=PAYMENTS_MAX):
            taken = Counter(step.state for step in payment.steps)
            doubled = [state for state, times in taken.items() if times > 1]
            if doubled:
                raise NotSo(f"payment {payment.code} was {doubled[0].lower()} more than once")
