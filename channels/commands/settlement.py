"""`capp settlement` and `capp receipt`: windows, batches, balances on the chain, and disputes.

What is asked of the chain here is stored as an errand; the worker carries it out, once. Names
(`--as`) are taken on trust, as everywhere at a terminal.
"""

import argparse
import hashlib
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal, DecimalException
from pathlib import Path

import msgspec
import yaml

from channels.settings import Settings
from channels.settlement import OpenSettlement, settlement_of
from channels.settlement_file import chain_of, read_document
from channels.times import second_of
from engine.clock import is_id
from engine.errors import NoWayNow, StaffMistake
from engine.money import from_decimal, plain
from engine.payments.settlement.batch import Batch, fits
from engine.payments.settlement.receipts import write_receipt
from engine.payments.settlement.rules import Corridor
from engine.payments.settlement.standing import CorridorStanding, OperatorBalance
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.windows import Cause
from engine.plain_yaml import read_yaml

Say = Callable[[str], None]
Task = Callable[[OpenSettlement, argparse.Namespace, Say], Awaitable[bool]]

BATCHES_SHOWN = 20


class Provided(msgspec.Struct, frozen=True):
    """One line of a file for `provided --file`; `minor` is what it should be, of the asset."""

    corridor: str
    operator: str
    minor: int
    transaction: str
    address: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `capp settlement`."""
    tasks = parser.add_subparsers(dest="task")
    tasks.add_parser("show", help="windows, batches under way, balances against the chain")
    batches = tasks.add_parser("batches", help="the newest batches and what became of them")
    batches.add_argument("corridor", nargs="?")
    batch = tasks.add_parser("batch", help="one batch: its nets, and whose word it has")
    batch.add_argument("batch", help="its id, or enough of its end")
    close = tasks.add_parser("close", help="close a corridor's window now")
    close.add_argument("corridor")
    approve = tasks.add_parser("approve", help="bring the approval of who signs elsewhere")
    approve.add_argument("batch", help="its id, or enough of its end")
    approve.add_argument("--index", type=int, required=True, help="which approver, from 0")
    approve.add_argument("--signature", required=True, help="64 bytes in hexadecimal")
    _person(approve)
    take_up = tasks.add_parser("take-up", help="a parked batch goes on: what was wrong is mended")
    take_up.add_argument("batch", help="its id, or enough of its end")
    provided = tasks.add_parser("provided", help="book what came into an operator's pools, or left")
    provided.add_argument("operator", nargs="?")
    provided.add_argument("amount", nargs="?", help="major units of the asset; below zero: it left")
    provided.add_argument("transaction", nargs="?", help="its hash on the chain")
    provided.add_argument("--file", type=Path, help="many of them, in YAML")
    _add_disputes(tasks.add_parser("dispute", help="about one settled payment"))


def _add_disputes(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    opening = steps.add_parser("open", help="an operator says that it should not have moved")
    opening.add_argument("payment", help="its code or id")
    opening.add_argument("operator", help="which of the two says so")
    opening.add_argument("amount", help="how much of it, major units of the asset")
    _person(opening)
    answer = steps.add_parser("answer", help="the other operator agrees, or shows evidence")
    answer.add_argument("dispute", help="its id on the chain")
    agrees = answer.add_mutually_exclusive_group(required=True)
    agrees.add_argument("--accept", action="store_true")
    agrees.add_argument("--evidence", type=Path, metavar="FILE", help="its hash is what is told")
    rule = steps.add_parser("rule", help="the arbiter says how much goes back")
    rule.add_argument("dispute", help="its id on the chain")
    rule.add_argument("amount", help="major units of the asset; 0 for nothing")
    refund = steps.add_parser("refund", help="have paid what was ruled")
    refund.add_argument("dispute", help="its id on the chain")


def add_receipt_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `capp receipt`."""
    parser.add_argument("payment", help="its code or id")
    parser.add_argument("-o", "--output", type=Path, help="a new file; otherwise it is shown")


def _person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="person", required=True, metavar="NAME", help="who you are")


async def run_settlement(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Carry out one task; whether all is well. Raises StaffMistake, and what the chain raises."""
    async with settlement_of(settings) as opened:
        return await TASKS[options.task or "show"](opened, options, say)


async def write_receipt_file(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """The proof that a payment was settled, for `capp verify`. The same one every time."""
    async with settlement_of(settings) as opened:
        payment_id = await _payment(opened, options.payment)
        receipt = await opened.room.receipts.of(payment_id, {})
        if receipt is None:
            say(f"{options.payment} is in no settled batch: it is paid first, and its window ends")
            return False
        receipt = msgspec.structs.replace(receipt, chain=_place(settings, receipt.corridor))
    text = write_receipt(receipt)
    if options.output is None:
        say(text.decode().rstrip())
        return True
    handle = os.open(options.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
    say(f"written to {options.output}; check it with `capp verify {options.output}`")
    return True


def _place(settings: Settings, corridor: str) -> dict[str, str | int]:
    """Which chain, contract and corridor: what a receipt says of the rail. Raises StaffMistake."""
    assert settings.settlement is not None, "it is open"
    chain = chain_of(read_document(Path(settings.settlement.file)))
    if corridor not in chain["corridors"]:
        raise StaffMistake(
            f"the settlement file does not say any more where {corridor} is on the chain"
        )
    return {
        "chain_id": chain["chain_id"],
        "package": chain["addresses"]["settlement"],
        "corridor": chain["corridors"][corridor],
    }


async def _show(opened: OpenSettlement, _: argparse.Namespace, say: Say) -> bool:
    standings, asset = opened.room.standings, opened.outside.rules.asset.code
    for standing in await standings.of_corridors():
        for line in _corridor_lines(standing, asset):
            say(line)
    balances = await standings.balances()
    for balance in balances:
        say(_balance_line(balance, asset))
    reserve = await opened.outside.rail.fee_reserve()
    say(f"fees: {reserve:,} of the chain's own smallest unit are left")
    return not any(balance.drift_minor for balance in balances)


def _payments(number: int) -> str:
    return f"{number} payment{'s' * (number != 1)}"


def _corridor_lines(standing: CorridorStanding, asset: str) -> list[str]:
    owed = standing.exposure_minor
    exposure = "rates are stale" if owed is None else f"{asset} {plain(owed, asset)} owed"
    lag = f", the oldest for {standing.lag_seconds} s" if standing.lag_seconds else ""
    wait = "waits" if standing.payments == 1 else "wait"
    lines = [f"{standing.corridor}: {_payments(standing.payments)} {wait}, {exposure}{lag}"]
    if standing.rest.not_before_ms:
        until = second_of(standing.rest.not_before_ms)
        times = f"{standing.rest.refusals} times in a row"
        lines.append(f"    rests until {until}: reopened {times}, {standing.rest.refusal}")
    return lines + [f"    {_batch_line(batch, asset)}" for batch in standing.unfinished]


def _balance_line(balance: OperatorBalance, asset: str) -> str:
    drift = balance.drift_minor
    told = f"DRIFT {plain(drift, asset)}" if drift else "agrees"
    return (
        f"{balance.operator:<16} {asset} {plain(balance.books_minor, asset):>20} in the books,"
        f" {plain(balance.rail_minor, asset):>20} on the chain  {told}"
    )


def _batch_line(batch: Batch, asset: str) -> str:
    reason = f"  {batch.reason}" if batch.reason else ""
    return (
        f"{batch.id}  {second_of(batch.closed_ms)}  {batch.corridor}"
        f"  {_payments(batch.payment_count)}  {asset} {plain(batch.net_minor, asset)}"
        f"  {batch.state.name.lower()}"
        f" (by {batch.cause}){reason}"
    )


async def _batches(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    asset = opened.outside.rules.asset.code
    for batch in await opened.room.batches.newest(BATCHES_SHOWN, options.corridor):
        say(_batch_line(batch, asset))
    return True


async def _batch(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    batch = await _find_batch(opened, options.batch)
    asset = opened.outside.rules.asset.code
    say(_batch_line(batch, asset))
    say(f"    root {batch.merkle_root.hex()}")
    corridor = opened.outside.rules.corridor(batch.corridor)
    if corridor is None:
        say("    its corridor is not in the settlement file any more")
        return False
    operators = await opened.room.batches.operators_of(batch)
    members = _members_of(batch, operators, corridor, asset)
    if members is None:
        say("    its corridor has other members in the settlement file by now")
        return False
    for name, debit, credit in zip(members, batch.debits, batch.credits, strict=True):
        say(f"    {name} pays {plain(debit, asset)}, gets {plain(credit, asset)}")
    if members != corridor.members:
        say("    the settlement file has its members in another order by now: nobody must sign it")
        return False
    if batch.terms_hash is not None and batch.expires_at is not None:
        # Whoever signs elsewhere signs what is shown here, so it is worked out, not repeated.
        if opened.outside.rail.terms_hash(batch.terms(batch.expires_at)) != batch.terms_hash:
            say("    the hash that is stored is not that of its terms: nobody must sign it")
            return False
        approved = {kept.approval.index for kept in await opened.room.batches.approvals(batch)}
        told = ", ".join(
            f"{place} {name or 'elsewhere'}: {'yes' if place in approved else 'no'}"
            for place, name in enumerate(corridor.approvers)
        )
        say(f"    to be signed: {batch.terms_hash.hex()}, {corridor.threshold} are needed")
        say(f"    {told}")
    return True


def _members_of(
    batch: Batch, operators: Collection[str], corridor: Corridor, asset: str
) -> tuple[str, str] | None:
    """In the order in which it was netted, whatever the file says by now; None: they are others.

    `operators` of its payments; none of one that was reopened.
    """
    first, second = corridor.members
    orders = ((first, second), (second, first))
    known = operators or corridor.members
    return next((order for order in orders if fits(batch, known, order, asset)), None)


async def _close(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    try:
        batch = await opened.room.closing.close_now(options.corridor)
    except NoWayNow:
        raise StaffMistake(f"the rates of {options.corridor} are stale (`capp rates`)") from None
    if batch is None:
        say("nothing waits there")
        return False
    asset = opened.outside.rules.asset.code
    say(_batch_line(batch, asset))
    return batch.cause is Cause.ASKED


async def _approve(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    batch = await _find_batch(opened, options.batch)
    batch = await opened.room.approving.add_by_hand(
        batch.id, options.index, _octets(options.signature), by=options.person
    )
    kept = await opened.room.batches.approvals(batch)
    say(f"{batch.id} has {len(kept)} approvals; the chain judges each of them")
    return batch.state is BatchState.CLOSED


async def _take_up(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    batch = await _find_batch(opened, options.batch)
    state = await opened.room.settling.take_up_again(batch.id)
    say(f"{batch.id} goes on as {state.name.lower()}; the worker looks at all of it anew")
    return True


async def _provided(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    asset = opened.outside.rules.asset.code
    for operator, transaction, expected in _provisions(options, asset):
        minor = await opened.room.capital.book(
            operator, _octets(transaction), expected_minor=expected
        )
        say(f"{operator}: {asset} {plain(minor, asset)} by {transaction}")
    return True


def _provisions(options: argparse.Namespace, asset: str) -> list[tuple[str, str, int]]:
    if options.file is not None:
        try:
            told = read_yaml(options.file.read_text("utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise StaffMistake(f"{options.file} is no file of YAML") from error
        lines = msgspec.convert(told, list[Provided])
        return [(line.operator, line.transaction, line.minor) for line in lines]
    if not (options.operator and options.amount and options.transaction):
        raise StaffMistake("which operator, how much, by which transaction? Or --file")
    return [(options.operator, options.transaction, _minor(options.amount, asset))]


async def _dispute(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    await STEPS[options.step](opened, options, say)
    return True


async def _open_dispute(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    minor = _minor(options.amount, opened.outside.rules.asset.code)
    dispute = await opened.room.disputes.open(
        await _payment(opened, options.payment), options.operator, minor, by=options.person
    )
    say(f"dispute {dispute.hex()}; the worker goes on with the chain")
    return True


async def _answer(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    evidence = options.evidence.read_bytes() if options.evidence else b""
    hash_ = hashlib.sha3_256(evidence).digest()
    await opened.room.disputes.answer(
        _octets(options.dispute), accepts=options.accept, evidence_hash=hash_
    )
    say("the chain is told that it is accepted" if options.accept else f"evidence {hash_.hex()}")
    return True


async def _rule(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    asset = opened.outside.rules.asset.code
    minor = _minor(options.amount, asset)
    await opened.room.disputes.rule(_octets(options.dispute), minor)
    say(f"the chain is told: {asset} {plain(minor, asset)} goes back")
    return True


async def _refund(opened: OpenSettlement, options: argparse.Namespace, say: Say) -> bool:
    await opened.room.disputes.refund(_octets(options.dispute))
    say("the chain is asked to pay what was ruled")
    return True


async def _find_batch(opened: OpenSettlement, word: str) -> Batch:
    """By its id or the end of it, among the newest. Raises StaffMistake."""
    batch = await opened.room.batches.get(word) if is_id(word) else None
    if batch is not None:
        return batch
    newest = await opened.room.batches.newest(1000)
    found = [each for each in newest if word and each.id.endswith(word)]
    if len(found) != 1:
        raise StaffMistake(f"{word!r}: {len(found)} batches end so")
    return found[0]


async def _payment(opened: OpenSettlement, word: str) -> str:
    payment_id = await opened.engine.conversations.find(word)
    if payment_id is None:
        raise StaffMistake(f"no payment {word}")
    return payment_id


def _octets(text: str) -> bytes:
    digits = text.lower().removeprefix("0x")
    if not digits or len(digits) % 2 or not _is_hex(digits):
        raise StaffMistake("wants bytes in hexadecimal")
    return bytes.fromhex(digits)


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")


def _minor(text: str, asset: str) -> int:
    try:
        return from_decimal(Decimal(text.replace(",", "")), asset).minor
    except (DecimalException, ValueError):
        raise StaffMistake(f"{text!r} is no amount of {asset}") from None


TASKS: Mapping[str, Task] = {
    "show": _show,
    "batches": _batches,
    "batch": _batch,
    "close": _close,
    "approve": _approve,
    "take-up": _take_up,
    "provided": _provided,
    "dispute": _dispute,
}
STEPS: Mapping[str, Task] = {
    "open": _open_dispute,
    "answer": _answer,
    "rule": _rule,
    "refund": _refund,
}
