"""Why the chain did nothing: its status text taken apart, and the neutral word for it. Pure.

The text is read in the forms that nodes document (reference, section 2), never by its prose. What
each contract's numbers mean stands in one table; a test compares it with the Move sources.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.ports import Refusal
from providers.aptos import sdk

_ABORT = re.compile(
    r"Move abort in (?P<package>0x[0-9a-fA-F]{1,64})::(?P<module>\w{1,128}): "
    r"(?:(?P<name>E\w{0,127})\()?(?P<code>0x[0-9a-fA-F]{1,16}|[0-9]{1,20})\b"
)
_SCRIPT_ABORT = re.compile(r"Move abort: code (?P<code>0x[0-9a-fA-F]{1,16}|[0-9]{1,20})\b")
_FAILURE = re.compile(
    r"Execution failed in (?P<package>0x[0-9a-fA-F]{1,64})::(?P<module>\w{1,128})"
)
_BARE = re.compile(r"[A-Z][A-Z0-9_]{2,127}")
_OUT_OF_GAS: Final = "Out of gas"
_FRAMEWORK: Final = sdk.address("0x1")
_REASON: Final = 0xFFFF  # the category stands above it


class Status(NamedTuple):
    """A status text: an abort has a `code`; a bare status has only a `name`."""

    package: bytes | None = None
    module: str = ""
    name: str | None = None
    code: int | None = None

    @property
    def reason(self) -> int | None:
        """The constant's own number, which is unique in its module."""
        return None if self.code is None else self.code & _REASON

    @property
    def word(self) -> str:
        """What a log may say: `settlement E_PAUSED`, or the bare status."""
        told = self.name or ("" if self.reason is None else f"abort {self.reason}")
        return f"{self.module} {told}".strip() or "unknown status"


def read_status(text: str) -> Status:
    """The parts of a `vm_status`. A text of no known form has none of them."""
    if found := _ABORT.match(text):
        package = sdk.address(found["package"])
        return Status(package, found["module"], found["name"], int(found["code"], 0))
    if found := _SCRIPT_ABORT.match(text):
        return Status(code=int(found["code"], 0))
    if found := _FAILURE.match(text):
        return Status(sdk.address(found["package"]), found["module"], "EXECUTION_FAILED")
    if text == _OUT_OF_GAS:
        return Status(name="OUT_OF_GAS")
    found = _BARE.match(text)
    return Status(name=found[0] if found else None)


def abort_inside(message: str) -> Status | None:
    """The abort that a view's error message carries; None when it carries none.

    A failed view is told in a sentence around the status (reference, section 2).
    """
    found = _ABORT.search(message)
    return None if found is None else read_status(message[found.start() :])


class Meaning(NamedTuple):
    """A constant of one of our contracts: its name there, and what its abort means for us."""

    name: str
    refusal: Refusal


CONTRACTS: Final[Mapping[str, Mapping[int, Meaning]]] = {
    "governance": {
        1: Meaning("E_PAUSED", Refusal.PAUSED),
        2: Meaning("E_NOT_IN_ROLE", Refusal.OTHER),
        3: Meaning("E_NOT_OWNER", Refusal.OTHER),
    },
    "compliance": {
        1: Meaning("E_BARRED", Refusal.BARRED),
    },
    "liquidity": {
        1: Meaning("E_POOL_PAUSED", Refusal.PAUSED),
        9: Meaning("E_NOT_AVAILABLE", Refusal.SHORT),
        11: Meaning("E_RESERVATION_EXISTS", Refusal.DISPUTE),
        12: Meaning("E_NO_RESERVATION", Refusal.DISPUTE),
        13: Meaning("E_ABOVE_RESERVATION", Refusal.DISPUTE),
    },
    "settlement": {
        1: Meaning("E_BATCH_ID", Refusal.TERMS),
        2: Meaning("E_BATCH_EXISTS", Refusal.DONE_BEFORE),
        3: Meaning("E_NO_BATCH", Refusal.DISPUTE),
        4: Meaning("E_HASH_LENGTH", Refusal.TERMS),
        5: Meaning("E_NET_COUNT", Refusal.TERMS),
        6: Meaning("E_NO_PAYMENTS", Refusal.TERMS),
        7: Meaning("E_BOTH_SIDES", Refusal.TERMS),
        8: Meaning("E_UNBALANCED", Refusal.TERMS),
        9: Meaning("E_TOO_LARGE", Refusal.TERMS),
        10: Meaning("E_EXPIRED", Refusal.APPROVALS),
        11: Meaning("E_EXPIRES_TOO_LATE", Refusal.APPROVALS),
        14: Meaning("E_UNKNOWN_MEMBER", Refusal.DISPUTE),
        15: Meaning("E_NOT_MEMBER", Refusal.DISPUTE),
        16: Meaning("E_SAME_MEMBER", Refusal.DISPUTE),
        17: Meaning("E_ZERO", Refusal.DISPUTE),
        18: Meaning("E_DISPUTE_LATE", Refusal.DISPUTE),
        19: Meaning("E_BAD_PROOF", Refusal.DISPUTE),
        20: Meaning("E_DISPUTE_EXISTS", Refusal.DISPUTE),
        21: Meaning("E_NO_DISPUTE", Refusal.DISPUTE),
        23: Meaning("E_DISPUTE_TOO_LARGE", Refusal.DISPUTE),
    },
    "approvals": {
        5: Meaning("E_APPROVAL_COUNT", Refusal.APPROVALS),
        6: Meaning("E_APPROVER_REPEATED", Refusal.APPROVALS),
        7: Meaning("E_APPROVER_UNKNOWN", Refusal.APPROVALS),
        8: Meaning("E_TOO_FEW_APPROVALS", Refusal.APPROVALS),
        9: Meaning("E_BAD_APPROVAL", Refusal.APPROVALS),
    },
    "disputes": {
        1: Meaning("E_NOT_OPEN", Refusal.DISPUTE),
        2: Meaning("E_ANSWER_PENDING", Refusal.DISPUTE),
        3: Meaning("E_RULED", Refusal.DISPUTE),
        4: Meaning("E_NOT_RULED", Refusal.DISPUTE),
        5: Meaning("E_REFUND_TOO_LARGE", Refusal.DISPUTE),
    },
}
"""By module and reason. A reason that is not listed means `Refusal.OTHER`."""

NO_DISPUTE: Final = 21  # of `settlement`

_PACKAGE_OF: Final = {"approvals": "settlement", "disputes": "settlement"}


def refusal_of(status: Status, ours: Mapping[str, bytes]) -> Refusal:
    """What to do about it. `ours`: the addresses of our packages by their names."""
    if status.code is None:
        return _BARE_MEANINGS.get(status.name or "", Refusal.OTHER)
    reason = status.code & _REASON
    if status.package == _FRAMEWORK:
        return _FRAMEWORK_MEANINGS.get((status.module, reason), Refusal.OTHER)
    if _is_ours(status, ours):
        meaning = CONTRACTS[status.module].get(reason)
        return Refusal.OTHER if meaning is None else meaning.refusal
    # Between our contracts and the framework only the asset's own hooks run: its issuer says no.
    return Refusal.OTHER if status.package is None else Refusal.FROZEN


def _is_ours(status: Status, ours: Mapping[str, bytes]) -> bool:
    if status.module not in CONTRACTS:
        return False
    # A package that the settlement file does not name is known by its module alone.
    package = _PACKAGE_OF.get(status.module, status.module)
    return ours.get(package, status.package) == status.package


_FRAMEWORK_MEANINGS: Final[Mapping[tuple[str, int], Refusal]] = {
    ("fungible_asset", 3): Refusal.FROZEN,
    ("fungible_asset", 4): Refusal.SHORT,
    ("primary_fungible_store", 3): Refusal.FROZEN,
}

# A simulation tells in the same field why the transaction would not even be taken in.
_BARE_MEANINGS: Final[Mapping[str, Refusal]] = {
    "OUT_OF_GAS": Refusal.FEE,
    "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE": Refusal.FEE,
    "INSUFFICIENT_BALANCE_FOR_REQUIRED_DEPOSIT": Refusal.FEE,
    "MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS": Refusal.FEE,
    "GAS_UNIT_PRICE_BELOW_MIN_BOUND": Refusal.FEE,
}
