"""What a node's answers hold, as far as we read them (reference, section 2). Pure.

Fields that are not read are not listed; numbers of 64 bits come as strings.
"""

from typing import Any, Final, NamedTuple

import httpx
import msgspec

from engine.errors import Unreadable
from engine.ports import Position
from providers.aptos import sdk
from providers.aptos.refusals import Status

NAME: Final = "aptos"
_DIGITS_MAX: Final = 20


class Event(msgspec.Struct, frozen=True):
    """One event of a transaction; `data` is as its struct has it."""

    type: str
    data: Any = None


class Transaction(msgspec.Struct, frozen=True):
    """What a node tells of one transaction; only a committed one has a version.

    Fields that are not read are not listed. Numbers of 64 bits come as strings.
    """

    type: str
    hash: str
    sender: str = ""
    sequence_number: str = ""
    success: bool | None = None
    vm_status: str = ""
    version: str = ""
    gas_used: str = "0"
    gas_unit_price: str = "0"
    events: list[Event] = []

    @property
    def is_final(self) -> bool:
        return self.type == "user_transaction" and self.success is not None


class Simulated(msgspec.Struct, frozen=True):
    """What a transaction would do now."""

    success: bool
    vm_status: str
    gas_used: str


class Prices(msgspec.Struct, frozen=True):
    """Octas for a unit of work."""

    gas_estimate: int
    deprioritized_gas_estimate: int = 0


class Asked(NamedTuple):
    """What a node tells of a hash, and where its history stood when it looked."""

    transaction: Transaction | None
    position: Position


class Aborted(Unreadable):
    """A `#[view]` function refused to answer: there is no such corridor, say."""

    def __init__(self, status: Status) -> None:
        super().__init__(NAME, "a question that was refused", code=status.word)
        self.status = status


class Account(msgspec.Struct, frozen=True):
    """Of an account only its next number is read."""

    sequence_number: str


TRANSACTION = msgspec.json.Decoder(Transaction)
TRANSACTIONS = msgspec.json.Decoder(list[Transaction])
SIMULATED = msgspec.json.Decoder(list[Simulated])
PRICES = msgspec.json.Decoder(Prices)
ACCOUNT = msgspec.json.Decoder(Account)
VALUES = msgspec.json.Decoder(list[Any])


def bytes_of(text: str) -> bytes | None:
    """32 bytes of `0x` and any number of hex digits; None for anything else."""
    try:
        return sdk.address(text)
    except ValueError:
        return None


def position_in(response: httpx.Response) -> Position | None:
    """Where the node's history stood, as it writes over every answer; None when it did not."""
    headers = response.headers
    chain = whole(headers.get("x-aptos-chain-id"))
    version = whole(headers.get("x-aptos-ledger-version"))
    microseconds = whole(headers.get("x-aptos-ledger-timestampusec"))
    if chain is None or version is None or microseconds is None:
        return None
    return Position(chain, version, microseconds // 1_000_000)


def whole(value: Any) -> int | None:
    """A number of 64 bits, told in a string or as it is; None for anything else."""
    if isinstance(value, bool):
        return None
    text = str(value) if isinstance(value, int | str) else ""
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX:
        return None
    return int(text)
