"""The faucet: an account with all the APT there is at the beginning, which sends some to anybody.

What it sends are transactions like all others, signed by a key that everybody knows.
"""

from __future__ import annotations

from random import Random

from nacl.signing import SigningKey

from simulator.devnet import bcs
from simulator.devnet.addresses import FRAMEWORK, sha3
from simulator.devnet.authenticators import ALONE
from simulator.devnet.clock import MICROSECONDS
from simulator.devnet.ledger import Committed
from simulator.devnet.node import Node
from simulator.devnet.refusals import Refused
from simulator.devnet.transactions import (
    U64_MAX,
    EntryFunction,
    Payload,
    RawTransaction,
    encode_raw,
)

SUPPLY_OCTAS = 10**18
_SEED = sha3(b"the faucet of a development network")
_GAS_UNITS = 20_000
_SECONDS = 60
_WAIT_SECONDS = 10.0


class Faucet:
    """One node's faucet. Made once, before the first block."""

    def __init__(self, node: Node, random: Random) -> None:
        self._node = node
        self._random = random
        self._key = SigningKey(_SEED)
        self._public = bytes(self._key.verify_key)
        self.address = sha3(self._public, b"\x00")
        node.endow({self.address: SUPPLY_OCTAS})

    async def mint(self, address: bytes, octas: int) -> Committed:
        """Send APT; the account is made when there is none. Answers when it is final.

        Not safe to repeat: it sends again. Raises `Refused`: it has no more, or no block comes.
        """
        waiting = self._node.submit(self._signed(address, octas))
        if self._node.settings.blocks_by_hand:
            self._node.make_block()
        committed = await self._node.wait_for(waiting.hash, _WAIT_SECONDS)
        if committed is None:
            raise Refused(500, "internal_error", "The faucet's transaction was not committed")
        return committed

    def _signed(self, address: bytes, octas: int) -> bytes:
        transfer = EntryFunction(
            FRAMEWORK, "aptos_account", "transfer", (), (address, bcs.u64(octas))
        )
        settings = self._node.settings
        raw = encode_raw(
            RawTransaction(
                sender=self.address,
                sequence_number=U64_MAX,
                payload=Payload(4, transfer, nonce=self._random.getrandbits(64)),
                max_gas_amount=_GAS_UNITS,
                gas_unit_price=settings.unit_price_min,
                expiration_seconds=self._node.clock.now() // MICROSECONDS + _SECONDS,
                chain_id=settings.chain_id,
            )
        )
        signature = self._key.sign(ALONE + raw).signature
        return raw + b"\x00" + bcs.byte_string(self._public) + bcs.byte_string(signature)
