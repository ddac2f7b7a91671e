"""`capp traffic`: a payment's whole conversation with its operators.

It shows what was kept, which is redacted, and asks nobody.
"""

import argparse
from collections.abc import Callable

from channels.privacy import open_sealed_pool
from channels.settings import Settings
from engine.clock import Clock
from engine.traffic.conversation import Conversations
from engine.traffic.messages import Kind, Message
from engine.traffic.veil import Veil
from providers.registry import build_operators

_ARROWS = {Kind.REQUEST: "->", Kind.CALLBACK: "<-", Kind.EVIDENCE: " =", Kind.STATE: " *"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp traffic`."""
    parser.add_argument("payment", help="its code, its id, or the id of an attempt")
    parser.add_argument(
        "--whole", action="store_true", help="with the two people's numbers, where they stand"
    )


async def show_traffic(
    settings: Settings, options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Say the conversation line by line; False when there is no such payment.

    What operators name things by may hold a number: it is hidden unless it is asked for.
    Raises what the pool raises, and what building the operators raises.
    """
    pool = await open_sealed_pool(settings, size=2)
    try:
        conversations = Conversations(pool, settings.tenant, await _names(settings))
        said = await conversations.of_payment(options.payment)
        hidden = () if options.whole else await conversations.people_of(options.payment)
    finally:
        await pool.close()
    if said is None:
        say(f"no payment {options.payment}")
        return False
    veil = Veil(hidden)
    for message in said:
        for line in lines_of(message):
            say(veil.text(line))
    return True


def lines_of(message: Message) -> list[str]:
    """One line, and one more for each text of it."""
    at = f"{message.at:%Y-%m-%dT%H:%M:%S}.{message.at.microsecond // 1000:03d}Z"
    words = [at, _ARROWS[message.kind], message.operator, message.operation, message.outcome]
    if message.kind in (Kind.REQUEST, Kind.CALLBACK):
        words.append("no answer" if message.status is None else str(message.status))
    if message.elapsed_ms is not None:
        words.append(f"{message.elapsed_ms} ms")
    if message.source:
        words.append(f"from {message.source}")
    if message.attempt_id:
        words.append(f"attempt {message.attempt_id}")
    texts = [("said" if message.kind is not Kind.REQUEST else "asked", message.asked)]
    texts.append(("answered", message.answered))
    told = [f"    {label}: {text}" for label, text in texts if text]
    return [" ".join(word for word in words if word), *told]


async def _names(settings: Settings) -> dict[int, str]:
    built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    names = {port.facts.code: name for name, port in built.items()}
    for port in built.values():
        await port.aclose()
    return names
