"""Steps about SMS: what a phone writes to us, what reaches it, and what must not."""

import asyncio
from collections import Counter

from simulator.admin import Message
from simulator.steps.stage import Stage
from simulator.steps.step import WHOM, NotSo, Step
from simulator.steps.verb import Verb


async def write(stage: Stage, step: Step) -> None:
    """The phone writes to us; the answer, if there is one, is the next `sms`."""
    person = await stage.person(step)
    await stage.admin.write_sms(person.msisdn, stage.spell(step.arguments["text"], person))


async def read(stage: Stage, step: Step) -> str:
    """The next SMS of a name or number."""
    msisdn = stage.number(step.arguments["whom"])

    async def next_message() -> str | None:
        messages = await stage.admin.messages(msisdn, after=stage.heard.get(msisdn, 0))
        if not messages:
            return None
        stage.heard[msisdn] = messages[0].n
        return messages[0].text

    return await stage.wait(next_message, lambda: "no SMS came")


async def hear_nothing(stage: Stage, step: Step) -> None:
    """No SMS is left that no step has read, and none comes for a while."""
    msisdn = stage.number(step.arguments["whom"])
    await asyncio.sleep(stage.quiet_seconds)
    messages = await stage.admin.messages(msisdn, after=stage.heard.get(msisdn, 0))
    if messages:
        raise NotSo(f"an SMS came that nobody expected:\n  {messages[0].text}")


async def count(stage: Stage, step: Step) -> None:
    """So many SMS have come since the play began, and no one more."""
    msisdn, wanted = stage.number(step.arguments["whom"]), int(step.arguments["count"])
    seen = 0

    async def enough() -> bool | None:
        nonlocal seen
        seen = len(await _since_the_beginning(stage, msisdn))
        return seen >= wanted or None

    await stage.wait(enough, lambda: f"{seen} SMS came, not {wanted}")
    await asyncio.sleep(stage.quiet_seconds)
    await enough()
    if seen > wanted:
        raise NotSo(f"{seen} SMS came, not {wanted}")


async def come_once(stage: Stage, step: Step) -> None:
    """Nobody of the file has got the same SMS twice."""
    del step
    await asyncio.sleep(stage.quiet_seconds)
    for name, person in stage.people.items():
        messages = await _since_the_beginning(stage, person.msisdn)
        text, times = next(
            iter(Counter(message.text for message in messages).most_common(1)), ("", 0)
        )
        if times > 1:
            raise NotSo(f"{name} got the same SMS {times} times:\n  {text}")


async def _since_the_beginning(stage: Stage, msisdn: str) -> list[Message]:
    return list(await stage.admin.messages(msisdn, after=stage.began_at.get(msisdn, 0)))


VERBS = (
    Verb("text", r"(?P<text>.*\S.*)", write),
    Verb("sms", WHOM, read, shows_text=True),
    Verb("no sms", WHOM, hear_nothing),
    Verb("count", rf"{WHOM} (?P<count>\d+) sms", count),
    Verb("receipts once", r"", come_once),
)
