"""What is asked of the contracts, as calls: one instruction, one entry function. Pure.

The functions and the order of their arguments are those of `move/settlement` and `move/liquidity`;
so are the two hashes that the contracts make themselves. Amounts are minor units of the asset.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, assert_never

from engine.errors import Rejected
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    Instruction,
    Reason,
    Settlement,
    SettlementTerms,
)
from providers.aptos import sdk
from providers.aptos.answers import NAME
from providers.aptos.sdk import Call

SETTLEMENT: Final = "settlement"
LIQUIDITY: Final = "liquidity"
_FRAMEWORK: Final = sdk.address("0x1")
_APT: Final = "0x1::aptos_coin::AptosCoin"
_METADATA: Final = "0x1::fungible_asset::Metadata"
_TERMS_OF: Final = b"CAPP::SettlementBatch::v1"


class Corridor(NamedTuple):
    """One corridor on the chain: its object, and its operators in the order of its members."""

    address: bytes
    members: tuple[str, ...]


class Contracts:
    """Where the packages and the corridors of one installation are."""

    def __init__(
        self, *, settlement: bytes, liquidity: bytes, corridors: Mapping[str, Corridor]
    ) -> None:
        self.settlement = settlement
        self.liquidity = liquidity
        self._corridors = dict(corridors)
        self._places = {name: place for place, name in enumerate(corridors)}

    def corridor(self, name: str) -> Corridor:
        """Raises Rejected for a corridor that the settlement file does not place on the chain."""
        self.place_of(name)
        return self._corridors[name]

    def place_of(self, name: str) -> int:
        """Which one it is in the settlement file, from 0. Raises Rejected."""
        place = self._places.get(name)
        if place is None:
            raise Rejected(
                NAME, f"the settlement file does not place the corridor {name!r}",
                code="corridor", reason=Reason.CONFIGURATION,
            )  # fmt: skip
        return place

    def call_for(self, instruction: Instruction) -> Call:
        """The entry function that carries it out. Raises Rejected for an unknown corridor."""
        corridor = self.corridor(corridor_of(instruction))
        match instruction:
            case Settlement(terms=terms, approvals=approvals):
                return self._of_settlement(
                    "settle",
                    corridor,
                    *_arguments_of(terms),
                    sdk.u64s(tuple(approval.index for approval in approvals)),
                    sdk.many_octets(tuple(approval.signature for approval in approvals)),
                )
            case DisputeOpening():
                return self._of_settlement("open_dispute", corridor, *_opening(instruction))
            case DisputeAnswer():
                return self._of_settlement(
                    "answer_dispute",
                    corridor,
                    sdk.octets(instruction.dispute_id),
                    sdk.boolean(instruction.accepts),
                    sdk.octets(instruction.evidence_hash),
                )
            case DisputeRuling():
                return self._of_settlement(
                    "resolve_dispute",
                    corridor,
                    sdk.octets(instruction.dispute_id),
                    sdk.u64(instruction.refund_minor),
                )
            case DisputeRefund():
                return self._of_settlement("refund", corridor, sdk.octets(instruction.dispute_id))
            case _:
                assert_never(instruction)

    def question(self, view: str, corridor: str, *arguments: bytes) -> Call:
        """A `#[view]` of the settlement package about one corridor."""
        return self._of_settlement(view, self.corridor(corridor), *arguments)

    def pool_question(self, view: str, pool: bytes) -> Call:
        """A `#[view]` of the liquidity package about one pool."""
        return Call(self.liquidity, LIQUIDITY, view, (pool,))

    def terms_hash(self, terms: SettlementTerms, chain_id: int) -> bytes:
        """What approvers sign, as `capp_settlement::terms` makes it."""
        corridor = self.corridor(terms.corridor)
        fields = (chain_id.to_bytes(1, "little"), corridor.address, *_arguments_of(terms))
        return hashlib.sha3_256(_TERMS_OF + b"".join(fields)).digest()

    def dispute_id(self, opening: DisputeOpening) -> bytes:
        """One dispute for a payment of a batch and the member that opens it."""
        corridor = self.corridor(opening.corridor)
        named = corridor.address + opening.batch_id + opening.leaf_hash
        return hashlib.sha3_256(named + sdk.u64(opening.member)).digest()

    def _of_settlement(self, function: str, corridor: Corridor, *arguments: bytes) -> Call:
        return Call(self.settlement, SETTLEMENT, function, (corridor.address, *arguments))


def corridor_of(instruction: Instruction) -> str:
    """Our own name of the corridor it is about."""
    if isinstance(instruction, Settlement):
        return instruction.terms.corridor
    return instruction.corridor


def nothing(account: bytes) -> Call:
    """What changes nothing: no money from an account to itself.

    Should a chain refuse even that, the place in the account's order is used up all the same.
    """
    return Call(_FRAMEWORK, "aptos_account", "transfer", (account, sdk.u64(0)))


def fee_balance(account: bytes) -> Call:
    """How many octas an account has, asked as the SDK asks it."""
    return Call(_FRAMEWORK, "coin", "balance", (account,), (_APT,))


def decimals_of(asset: bytes) -> Call:
    """How many decimals the issuer of a fungible asset gave it."""
    return Call(_FRAMEWORK, "fungible_asset", "decimals", (asset,), (_METADATA,))


def proof_arguments(
    batch_id: bytes, leaf_hash: bytes, leaf_index: int, proof: Sequence[bytes]
) -> tuple[bytes, ...]:
    """A payment's place in a batch, as every function that checks it takes it."""
    return (
        sdk.octets(batch_id),
        sdk.octets(leaf_hash),
        sdk.u64(leaf_index),
        sdk.many_octets(tuple(proof)),
    )


def _arguments_of(terms: SettlementTerms) -> tuple[bytes, ...]:
    # The same order in the call and in what is signed: both are the contract's `Terms`.
    return (
        sdk.octets(terms.batch_id),
        sdk.octets(terms.merkle_root),
        sdk.u64(terms.payment_count),
        sdk.u64s(terms.debits),
        sdk.u64s(terms.credits),
        sdk.u64(terms.expires_at),
    )


def _opening(opening: DisputeOpening) -> tuple[bytes, ...]:
    return (
        *proof_arguments(opening.batch_id, opening.leaf_hash, opening.leaf_index, opening.proof),
        sdk.u64(opening.member),
        sdk.u64(opening.against),
        sdk.u64(opening.amount_minor),
    )
