"""`capp decisions`: what was decided by itself and why; with `--replay`, whether it still would be.

It shows what was kept and decides nothing.
"""

import argparse
import re
from collections.abc import Callable
from typing import Any

import msgspec

from channels.commands.proofs import file_words
from channels.compliance import explain, names_of
from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.times import read_since, stamp_of, typed_since
from engine.clock import Clock, Ids, PaymentId, ms_of
from engine.decision_log import DecisionLog, Kept
from engine.decisions import Decision
from engine.payments.decided import Decided
from engine.payments.payment import code_of
from engine.payments.replays import REPLAYS, differing
from engine.payments.statements.proofs import Proof, Proofs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp decisions`."""
    parser.add_argument(
        "--payment", help="all about one payment, also whom its people resemble: its code or its id"
    )
    parser.add_argument(
        "--since", type=typed_since(Clock()), default="1h", help="30m, 24h, 7d or an ISO time (UTC)"
    )
    parser.add_argument("--most", type=_most, default=1_000, help="how many steps are looked at")
    parser.add_argument("--inputs", action="store_true", help="show all that a decision saw")
    parser.add_argument("--replay", action="store_true", help="decide again, list what differs")


def _most(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999999")
    return int(text)


async def show_decisions(
    settings: Settings, options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Say every decision, or with `replay` those that come out differently now. Of one payment
    also what compliance saw, in sentences: they name people of the lists, and its own people where
    they resembled one.

    False when something differs or the payment is unknown. Raises what the pool raises.
    """
    clock, proofs, explained, names = Clock(), list[Proof](), list[list[str]](), list[str]()
    since = read_since(options.since, clock.now())
    pool = await open_sealed_pool(settings, size=2)
    try:
        log = DecisionLog(pool, settings.tenant, Ids(clock))
        decided = Decided(pool, settings.tenant, log)
        if options.payment:
            payment_id = await decided.payment_of(options.payment)
            if payment_id is None:
                say(f"no payment {options.payment}")
                return False
            kept = await decided.of(payment_id)
            proofs = await Proofs(pool, settings.tenant).of(payment_id)
            if not options.replay:
                explained = await explain(settings, pool, [one.decision for one in kept])
                names = await _names(settings, pool, decided, payment_id)
        else:
            kept = await decided.since(since, most=options.most)
    finally:
        await pool.close()
    if options.replay:
        is_well = _say_differences(kept, say)
    else:
        is_well = _say_all(kept, explained, options.inputs, say)
    for name in names:
        say(name)
    for proof in proofs:
        say(_proof_line(proof))
    if not options.payment and len(kept) >= options.most:
        say(f"there may be more: the oldest {options.most} steps are looked at (--most, --since)")
    return is_well


async def _names(
    settings: Settings, pool: Any, decided: Decided, payment_id: PaymentId
) -> list[str]:
    quote_id = await decided.quote_of(payment_id)
    return [] if quote_id is None else await names_of(settings, pool, quote_id)


def _say_all(
    kept: list[Kept], explained: list[list[str]], with_inputs: bool, say: Callable[[str], None]
) -> bool:
    for one, sentences in zip(kept, explained or [[]] * len(kept), strict=True):
        say(_line(one))
        for sentence in sentences:
            say(f"  {sentence}")
        if with_inputs:
            say("  " + msgspec.json.encode(one.decision.inputs).decode())
    return True


def _say_differences(kept: list[Kept], say: Callable[[str], None]) -> bool:
    replayed = [one for one in kept if one.decision.kind in REPLAYS]
    differences = 0
    for one in replayed:
        for difference in differing([one.decision]):
            differences += 1
            say(_line(one))
            again = difference.again
            say(f"  now: {again.outcome}: {again.reason}" if again else "  now: cannot be read")
    passed_over = len(kept) - len(replayed)
    say(f"{len(replayed)} decided again, {differences} differ, {passed_over} without a replay")
    return differences == 0


def _line(kept: Kept) -> str:
    decision = kept.decision
    code = code_of(kept.payment_id) if kept.payment_id else _about(decision)
    at = stamp_of(ms_of(kept.at))
    return f"{at}  {code:<10}  {decision.kind:<10}  {decision.outcome}: {decision.reason}"


def _proof_line(proof: Proof) -> str:
    file = f"; {file_words(proof.file)}" if proof.file is not None else ""
    return f"{stamp_of(proof.at_ms)}  {proof.attempt_id}  statement: {proof.words}{file}"


def _about(decision: Decision) -> str:
    """What a decision about no payment is about: a rate's pair."""
    base, quote = (decision.inputs.get(word) for word in ("base", "quote"))
    return f"{base}/{quote}" if base and quote else "-"
