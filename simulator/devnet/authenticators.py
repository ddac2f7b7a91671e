"""Who signed a transaction: its sender, others beside it, and whoever pays for it.

It knows who must have signed and which message, not what they agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.devnet import bcs
from simulator.devnet.addresses import ZERO, sha3, show_address
from simulator.devnet.signatures import (
    Ed25519Proof,
    Gated,
    MultiEd25519Proof,
    NoProof,
    Proof,
    read_ed25519,
    read_multi_ed25519,
    read_multi_key,
    read_single_key,
)

ALONE = sha3(b"APTOS::RawTransaction")
_TOGETHER = sha3(b"APTOS::RawTransactionWithData")
_ABSTRACTION = 5


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose APT the transaction costs, when it is not the sender's."""

    address: bytes
    proof: Proof


@dataclass(frozen=True, slots=True)
class Authenticator:
    """All proofs of a transaction. `together` is set when the signers name each other."""

    sender: Proof
    secondary_addresses: tuple[bytes, ...] = ()
    secondaries: tuple[Proof, ...] = ()
    payer: Payer | None = None
    together: bool = False
    single: bool = False  # the sender's own proof stands in a wrapper

    def verifies(self, raw: bytes) -> bool:
        """Whether everybody signed these bytes of a transaction."""
        if not self.together:
            return self.sender.verifies(ALONE + raw)
        payer = self.payer
        messages = [self._message(raw, payer.address if payer else None)]
        if payer is not None and payer.address != ZERO:
            # A sender may leave open who pays.
            messages.append(self._message(raw, ZERO))
        if payer is not None and not payer.proof.verifies(messages[0]):
            return False
        return all(
            any(proof.verifies(message) for message in messages)
            for proof in (self.sender, *self.secondaries)
        )

    def _message(self, raw: bytes, payer: bytes | None) -> bytes:
        addresses = bcs.sequence(self.secondary_addresses)
        if payer is None:
            return _TOGETHER + b"\x00" + raw + addresses
        return _TOGETHER + b"\x01" + raw + addresses + payer

    def show(self) -> dict[str, object]:
        """As REST writes it."""
        if not self.together:
            # A wrapped proof is shown as it is, without its wrapper.
            return self.sender.show()
        shown: dict[str, object] = {
            "sender": self.sender.show(),
            "secondary_signer_addresses": [show_address(a) for a in self.secondary_addresses],
            "secondary_signers": [proof.show() for proof in self.secondaries],
            "type": "multi_agent_signature",
        }
        if self.payer is not None:
            shown["fee_payer_address"] = show_address(self.payer.address)
            shown["fee_payer_signer"] = self.payer.proof.show()
            shown["type"] = "fee_payer_signature"
        return shown


def read_authenticator(reader: bcs.Reader) -> Authenticator:
    """Any of the five kinds. Raises `Malformed`, or `Gated` for what we do not offer."""
    variant = reader.uleb128()
    match variant:
        case 0:
            return Authenticator(read_ed25519(reader))
        case 1:
            return Authenticator(read_multi_ed25519(reader))
        case 2:
            return _read_together(reader, with_payer=False)
        case 3:
            return _read_together(reader, with_payer=True)
        case 4:
            return Authenticator(_read_proof(reader), single=True)
    raise bcs.Malformed(f"{variant} is no transaction authenticator")


def _read_together(reader: bcs.Reader, *, with_payer: bool) -> Authenticator:
    sender = _read_proof(reader)
    addresses = reader.sequence(reader.address)
    secondaries = reader.sequence(lambda: _read_proof(reader))
    payer = Payer(reader.address(), _read_proof(reader)) if with_payer else None
    return Authenticator(sender, addresses, secondaries, payer, together=True)


_PROOFS: Mapping[int, Callable[[bcs.Reader], Proof]] = {
    0: read_ed25519,
    1: read_multi_ed25519,
    2: read_single_key,
    3: read_multi_key,
    4: lambda _: NoProof(),
}


def _read_proof(reader: bcs.Reader) -> Proof:
    variant = reader.uleb128()
    if variant == _ABSTRACTION:
        raise Gated("account abstraction")
    if variant not in _PROOFS:
        raise bcs.Malformed(f"{variant} is no account authenticator")
    return _PROOFS[variant](reader)


__all__ = [
    "Authenticator",
    "Ed25519Proof",
    "Gated",
    "MultiEd25519Proof",
    "NoProof",
    "Payer",
    "Proof",
    "read_authenticator",
]
