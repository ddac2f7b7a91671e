"""`capp verify FILE`: is this payment in a batch that the chain settled? The chain alone is asked.

It needs no database, no key and no settings: a receipt and a node. What it cannot know by itself is
whether the contract a receipt names is ours: anybody may put one of his own on a chain. Tell it
which is (`--package`, `--corridor`), or set `CAPP_SETTLEMENT_FILE`; else it says what to compare.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from channels.commands.keys import FILE_VARIABLE
from channels.settings import BadSettings
from channels.settlement_file import chain_of, read_document
from channels.times import second_of
from engine.clock import Clock
from engine.errors import CappError, ProviderError, Rejected
from engine.money import CURRENCIES, plain
from engine.payments.payment import code_of
from engine.payments.settlement import receipts
from engine.payments.settlement.receipts import Receipt
from providers.aptos import Aborted, Reader
from providers.aptos.sdk import address
from providers.redaction import printable

Say = Callable[[str], None]

ANY = ""
RECEIPT_BYTES_MAX = 64 * 1024
BEHIND_SECONDS_MAX = 60
"""A node whose clock is farther behind ours may not have come to the batch yet."""
LINE_LENGTH_MAX = 400
_ADDRESS = r"^0x[0-9a-fA-F]{1,64}\Z"


class Verdict(IntEnum):
    """The exit code."""

    PROVEN = 0
    REFUSED = 1  # the chain says otherwise
    UNDECIDED = 2  # nobody could be asked, or it is no receipt at all


class Known(NamedTuple):
    """Which contract and corridors are ours, as addresses; empty where nobody said."""

    packages: frozenset[bytes]
    corridors: Mapping[str, bytes]  # by name; under ANY where only the address was said


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a receipt says that it was settled; addresses as `0x` and hex."""

    chain_id: Annotated[int, msgspec.Meta(ge=1, le=255)]
    package: Annotated[str, msgspec.Meta(pattern=_ADDRESS)]
    corridor: Annotated[str, msgspec.Meta(pattern=_ADDRESS)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument("file", type=Path, help="a receipt, as `capp receipt` writes it")
    parser.add_argument(
        "--node", metavar="URL", help=f"a node's API, .../v1; otherwise as in {FILE_VARIABLE}"
    )
    parser.add_argument("--package", metavar="0x..", help="the settlement contract that is trusted")
    parser.add_argument("--corridor", metavar="0x..", help="the corridor that is trusted")


def run_verify(variables: Mapping[str, str], options: argparse.Namespace, say: Say) -> Verdict:
    """Say what was proven, or why it was refused."""

    def say_line(text: str) -> None:
        # Whoever wrote the receipt must not write our other lines as well.
        say(printable(text, length_max=LINE_LENGTH_MAX))

    try:
        receipt = _read(options.file)
    except OSError as error:
        say_line(f"undecided: {options.file} cannot be read: {error.strerror}")
        return Verdict.UNDECIDED
    except ValueError as error:
        say_line(f"undecided: {options.file} is no receipt: {error}")
        return Verdict.UNDECIDED
    try:
        node, known = _trusted(variables, options)
    except (OSError, ValueError) as error:
        say_line(f"undecided: {error}")
        return Verdict.UNDECIDED
    return asyncio.run(verify(receipt, node, known, Clock(), say_line))


def _read(file: Path) -> Receipt:
    with file.open("rb") as opened:
        text = opened.read(RECEIPT_BYTES_MAX + 1)
    if len(text) > RECEIPT_BYTES_MAX:
        raise ValueError("it is far longer than any receipt")
    return receipts.read_receipt(text)


async def verify(receipt: Receipt, node: str, known: Known, clock: Clock, say: Say) -> Verdict:
    """Ask `node` about the receipt. Safe to repeat; nothing is sent that changes anything.

    By `clock` a node is behind: what it does not have then, it may have later.
    """
    try:
        place = msgspec.convert(receipt.chain, Place)
    except msgspec.ValidationError as error:
        say(f"undecided: it does not say which chain: {error}")
        return Verdict.UNDECIDED
    if (stranger := _stranger(receipt, place, known)) is not None:
        say(f"refused: {stranger}")
        return Verdict.REFUSED
    try:
        found, behind_seconds = await _ask(receipt, place, node, clock)
    except Rejected as error:
        say(f"refused: {error.detail}")
        return Verdict.REFUSED
    except (CappError, OSError, ValueError) as error:
        say(f"undecided: {_told(error)}")
        return Verdict.UNDECIDED
    if found.settled_at is None and behind_seconds > BEHIND_SECONDS_MAX:
        say(f"undecided: the node is {behind_seconds} s behind, and says: {found.reasons[0]}")
        return Verdict.UNDECIDED
    if not found.holds:
        for reason in found.reasons:
            say(f"refused: {reason}")
        return Verdict.REFUSED
    for line in _proven(receipt, place, found, known):
        say(line)
    return Verdict.PROVEN


async def _ask(
    receipt: Receipt, place: Place, node: str, clock: Clock
) -> tuple[receipts.Verdict, int]:
    """What the node says, and by how many seconds its clock is behind ours."""
    reader = Reader(
        node,
        chain_id=place.chain_id,
        settlement=place.package,
        corridors={receipt.corridor: place.corridor},
    )
    try:
        # Of the chain that the receipt names, or it is refused.
        position = await reader.position()
        try:
            found = await receipts.verify(receipt, reader)
        except Aborted:  # There is no such corridor: nobody can have been settled in it.
            found = receipts.Verdict(holds=False, reasons=("the contract has no such corridor",))
        return found, int(clock.epoch()) - position.seconds
    finally:
        await reader.aclose()


def _trusted(variables: Mapping[str, str], options: argparse.Namespace) -> tuple[str, Known]:
    """Where to ask, and what is ours. Raises OSError and ValueError."""
    packages = frozenset(_given(options.package))
    corridors = {ANY: address(options.corridor)} if options.corridor else {}
    node = options.node
    if file := variables.get(FILE_VARIABLE, "").strip():
        chain = chain_of(read_document(Path(file)))
        node = node or str(chain.get("node", ""))
        addresses, named = chain.get("addresses"), chain.get("corridors")
        if isinstance(addresses, dict) and not packages:
            packages = frozenset(_given(addresses.get("settlement")))
        if isinstance(named, dict) and not corridors:
            corridors = {str(name): address(str(each)) for name, each in named.items()}
    if not node:
        raise BadSettings(f"which node? Give --node, or set {FILE_VARIABLE}")
    return node, Known(packages, corridors)


def _given(text: object) -> list[bytes]:
    return [address(str(text))] if text else []


def _stranger(receipt: Receipt, place: Place, known: Known) -> str | None:
    """What of the receipt's place is not ours, as far as somebody said what is."""
    if known.packages and address(place.package) not in known.packages:
        return f"{place.package} is not the settlement contract that is trusted"
    if known.corridors and address(place.corridor) not in known.corridors.values():
        return f"{place.corridor} is no corridor that is trusted"
    ours = known.corridors.get(receipt.corridor)
    if ANY not in known.corridors and known.corridors and ours != address(place.corridor):
        return f"{place.corridor} is not the corridor {receipt.corridor}"
    return None


def _proven(receipt: Receipt, place: Place, found: receipts.Verdict, known: Known) -> list[str]:
    said = receipt.leaf.fields
    came_back = " came back" if said.minor < 0 else ""
    lines = [
        "proven: the payment is in a batch that the chain has settled",
        f"payment   {code_of(said.payment)}{came_back}, {second_of(said.at_ms)} UTC",
        f"owed      {_amount(said.minor, said.currency)} by {said.source} to {said.destination}",
        f"batch     {receipt.batch_id}, payment {receipt.index + 1} of {receipt.count}",
        f"settled   {second_of((found.settled_at or 0) * 1000)} UTC by the chain's clock",
        f"chain     {place.chain_id}, contract {place.package}, corridor {place.corridor}",
    ]
    if not (known.packages and known.corridors):
        lines.append(
            "          whose contract that is no chain can tell: compare both with CAPP's own"
        )
    return lines


def _amount(minor: int, currency: str) -> str:
    if currency not in CURRENCIES:
        return f"{abs(minor)} minor units of {currency}"
    return f"{currency} {plain(abs(minor), currency)}"


def _told(error: Exception) -> str:
    if isinstance(error, ProviderError):
        return f"the node could not be asked: {error.detail}"
    return str(error) or type(error).__name__
