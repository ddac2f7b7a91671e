"""An installation on a chain that does not exist: keys made of names, addresses made of numbers."""

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.errors import Rejected
from engine.ports import Approval, Reason, Settlement, SettlementTerms, Slot
from providers.aptos import sdk

CORRIDOR = "mpesa_ke:mtn_ug"
CORRIDORS = {
    CORRIDOR: ["mpesa_ke", "mtn_ug"],
    "airtel_ug:mtn_ug": ["airtel_ug", "mtn_ug"],
    "mpesa_ke:airtel_ug": ["mpesa_ke", "airtel_ug"],
}
SETTLEMENT = "0xca04"
CHAIN_ID = 4
LEDGER_SECONDS = 1_795_255_200
HEADERS = (
    ("X-Aptos-Chain-Id", "4"),
    ("X-Aptos-Ledger-Version", "1000"),
    ("X-Aptos-Ledger-Oldest-Version", "0"),
    ("X-Aptos-Ledger-TimestampUsec", f"{LEDGER_SECONDS}000000"),
    ("X-Aptos-Epoch", "1"),
    ("X-Aptos-Block-Height", "500"),
    ("X-Aptos-Oldest-Block-Height", "0"),
)


def headers(
    *, version: int = 1000, seconds: int = LEDGER_SECONDS, chain_id: int = CHAIN_ID
) -> tuple[tuple[str, str], ...]:
    """What a node puts over every answer."""
    told = dict(HEADERS)
    told["X-Aptos-Chain-Id"] = str(chain_id)
    told["X-Aptos-Ledger-Version"] = str(version)
    told["X-Aptos-Ledger-TimestampUsec"] = f"{seconds}000000"
    return tuple(told.items())


class NamedKeys:
    """A `SignerPort` with a real key for every name that it is told of."""

    def __init__(self, *names: str) -> None:
        self._keys = {
            name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
            for name in names
        }
        self.signed: list[str] = []

    async def public_key(self, name: str) -> bytes:
        return self._key(name).public_key().public_bytes_raw()

    async def sign(self, name: str, message: bytes) -> bytes:
        self.signed.append(name)
        return self._key(name).sign(message)

    async def aclose(self) -> None:
        self._keys.clear()

    def address(self, name: str) -> bytes:
        return sdk.address_of(self._key(name).public_key().public_bytes_raw())

    def _key(self, name: str) -> Ed25519PrivateKey:
        if name not in self._keys:
            raise Rejected("keys", "no such key", code="absent", reason=Reason.CONFIGURATION)
        return self._keys[name]


def keys() -> NamedKeys:
    return NamedKeys("sponsor", "submitter_1", "submitter_2", "member_mpesa_ke", "arbiter")


def settings_file(node: str, **changed: Any) -> dict[str, Any]:
    """The `aptos:` part of a settlement file."""
    return {
        "node": f"{node}/v1",
        "chain_id": CHAIN_ID,
        "addresses": {
            "governance": "0x1001",
            "registry": "0x1002",
            "asset": "0x1003",
            "settlement": SETTLEMENT,
            "liquidity": "0xca03",
            "compliance": "0xca02",
        },
        "corridors": {name: f"0x{0xC0 + n:x}" for n, name in enumerate(CORRIDORS)},
        "accounts": {
            "sponsor": "sponsor",
            "submitters": ["submitter_1", "submitter_2"],
            "members": {"mpesa_ke": "member_mpesa_ke"},
            "arbiter": "arbiter",
        },
        "budget": {
            "units_max": 200_000,
            "unit_price_max": 1_000,
            "margin_percent": 50,
            "fee_reserve_min": 100_000_000,
        },
        "expires_seconds": 60,
        **changed,
    }


def terms(**changed: Any) -> SettlementTerms:
    """One batch of three payments: the first owes the second."""
    fields: Mapping[str, Any] = {
        "corridor": CORRIDOR,
        "batch_id": bytes(range(16)),
        "merkle_root": bytes(range(32)),
        "payment_count": 3,
        "debits": (1_500_000, 0),
        "credits": (0, 1_500_000),
        "expires_at": LEDGER_SECONDS + 3600,
        **changed,
    }
    return SettlementTerms(**fields)


def settlement(**changed: Any) -> Settlement:
    """The same, approved by two; on no chain would these signatures do."""
    approvals = (Approval(0, bytes(64)), Approval(2, b"\x02" * 64))
    return Settlement(terms(**changed), approvals)


def slot(**changed: Any) -> Slot:
    fields: Mapping[str, Any] = {
        "account": "submitter_1",
        "sequence_number": 7,
        "expires_at": LEDGER_SECONDS + 60,
        **changed,
    }
    return Slot(**fields)
