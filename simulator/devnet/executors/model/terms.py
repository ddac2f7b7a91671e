"""`capp_settlement::terms`: the bytes of a batch's terms and the hash that operators sign. Pure."""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet import bcs
from simulator.devnet.addresses import sha3

DOMAIN = b"CAPP::SettlementBatch::v1"


class Terms(NamedTuple):
    """What a batch does, where, and until when it may."""

    chain_id: int
    corridor: bytes
    batch_id: bytes
    merkle_root: bytes
    payment_count: int
    debits: tuple[int, ...]
    credits: tuple[int, ...]
    expires_at: int

    def hash(self) -> bytes:
        """The 32 bytes that an approver signs."""
        return sha3(
            DOMAIN,
            bcs.unsigned(self.chain_id, 1),
            self.corridor,
            bcs.byte_string(self.batch_id),
            bcs.byte_string(self.merkle_root),
            bcs.u64(self.payment_count),
            bcs.sequence(bcs.u64(amount) for amount in self.debits),
            bcs.sequence(bcs.u64(amount) for amount in self.credits),
            bcs.u64(self.expires_at),
        )
