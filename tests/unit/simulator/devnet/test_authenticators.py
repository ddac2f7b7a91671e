"""Who signed: every kind of key over the right message, and nobody twice."""

from typing import Any

import pytest
from aptos_sdk import ed25519, secp256k1_ecdsa
from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.asymmetric_crypto_wrapper import MultiPublicKey, MultiSignature
from aptos_sdk.authenticator import (
    AccountAuthenticator,
    Authenticator,
    MultiAgentAuthenticator,
    MultiKeyAuthenticator,
    SingleKeyAuthenticator,
    SingleSenderAuthenticator,
)
from aptos_sdk.transactions import MultiAgentRawTransaction, RawTransaction, SignedTransaction

from simulator.devnet import bcs
from simulator.devnet.bcs import Malformed
from simulator.devnet.signatures import Gated
from simulator.devnet.transactions import SignedTransaction as OurTransaction
from simulator.devnet.transactions import decode_signed
from tests.devnet import call, raw, signed, sponsored, u64

ALICE, BOB, CAROL = (Account.load_key("0x" + digit * 64) for digit in "123")
KEYS: list[Any] = [
    ALICE.private_key,
    secp256k1_ecdsa.PrivateKey.from_str("0x" + "44" * 32, False),
    CAROL.private_key,
]
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
PAYLOAD = call("add", u64(1))


def sent(transaction: RawTransaction, authenticator: Any) -> OurTransaction:
    return decode_signed(SignedTransaction(transaction, authenticator).bytes())


def verifies(transaction: OurTransaction) -> bool:
    return transaction.authenticator.verifies(transaction.raw_bytes)


def multi_key(signers: list[int], threshold: int = 2) -> OurTransaction:
    public = MultiPublicKey([key.public_key() for key in KEYS], threshold)
    address = AccountAddress.from_key(public)
    transaction = raw(address, 0, PAYLOAD)
    signatures = [(place, KEYS[place].sign(transaction.keyed())) for place in signers]
    proof = MultiKeyAuthenticator(public, MultiSignature(signatures))
    return sent(transaction, AccountAuthenticator(proof))


def test_one_key_signs_for_its_own_address() -> None:
    transaction = decode_signed(signed(ALICE, 0, PAYLOAD))
    assert verifies(transaction)
    key = transaction.authenticator.sender.authentication_key()
    assert key == ALICE.address().address


def test_no_byte_of_a_signed_transaction_can_change() -> None:
    body = signed(ALICE, 0, PAYLOAD)
    for place in range(0, len(body), 7):
        changed = bytearray(body)
        changed[place] ^= 1
        try:
            assert not verifies(decode_signed(bytes(changed)))
        except (Malformed, Gated):
            continue


def test_a_secp256k1_key_signs_in_its_wrapper() -> None:
    key = KEYS[1]
    wrapped = SingleKeyAuthenticator(key.public_key(), key.sign(b"")).public_key
    transaction = raw(AccountAddress.from_key(wrapped), 0, PAYLOAD)
    proof = SingleKeyAuthenticator(key.public_key(), key.sign(transaction.keyed()))
    ours = sent(transaction, AccountAuthenticator(proof))
    assert verifies(ours)
    assert ours.authenticator.sender.authentication_key() == transaction.sender.address


def test_the_other_form_of_a_secp256k1_signature_is_refused() -> None:
    key = KEYS[1]
    transaction = raw(ALICE.address(), 0, PAYLOAD)
    low = key.sign(transaction.keyed()).data()
    high = low[:32] + (ORDER - int.from_bytes(low[32:])).to_bytes(32)
    for signature, good in ((low, True), (high, False), (bytes(64), False)):
        proof = SingleKeyAuthenticator(key.public_key(), secp256k1_ecdsa.Signature(signature))
        assert verifies(sent(transaction, AccountAuthenticator(proof))) is good


@pytest.mark.parametrize("signers", [[0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_enough_of_several_keys_sign(signers: list[int]) -> None:
    transaction = multi_key(signers)
    assert verifies(transaction)
    key = transaction.authenticator.sender.authentication_key()
    assert key == transaction.raw.sender


@pytest.mark.parametrize("signers", [[0], [0, 0], [1, 1], [2, 0]])
def test_too_few_or_the_same_key_twice_do_not(signers: list[int]) -> None:
    """The SDK takes `[0, 0]` for two of three; a node must not."""
    assert not verifies(multi_key(signers))


def multi_ed25519(signers: list[int], bitmap: bytes | None = None) -> OurTransaction:
    accounts: Any = [ALICE, BOB, CAROL]
    body = signed(ALICE, 0, PAYLOAD)
    raw_bytes = decode_signed(body).raw_bytes
    message = raw(ALICE.address(), 0, PAYLOAD).keyed()
    keys = b"".join(a.public_key().to_crypto_bytes() for a in accounts) + b"\x02"
    signatures = b"".join(accounts[place].sign(message).data() for place in signers)
    bits = sum(1 << (31 - place) for place in set(signers))
    signatures += bits.to_bytes(4) if bitmap is None else bitmap
    written = raw_bytes + b"\x01" + bcs.byte_string(keys) + bcs.byte_string(signatures)
    return decode_signed(written)


def test_several_ed25519_keys_sign_together() -> None:
    assert verifies(multi_ed25519([0, 2]))
    accounts: Any = [ALICE, BOB, CAROL]
    public = ed25519.MultiPublicKey([account.public_key() for account in accounts], 2)
    key = multi_ed25519([0, 2]).authenticator.sender.authentication_key()
    assert key == AccountAddress.from_key(public).address


@pytest.mark.parametrize(
    ("signers", "bitmap"),
    [([0], None), ([0, 0], None), ([0, 2], "c0000000"), ([0, 2], "a0000001"), ([], "00000000")],
)
def test_wrong_places_of_ed25519_signatures_do_not(signers: list[int], bitmap: str | None) -> None:
    given = None if bitmap is None else bytes.fromhex(bitmap)
    assert not verifies(multi_ed25519(signers, given))


def multi_agent(*signing: Account) -> OurTransaction:
    inner = raw(ALICE.address(), 0, PAYLOAD)
    transaction = MultiAgentRawTransaction(inner, [BOB.address()])
    proofs = [account.sign_transaction(transaction) for account in signing]
    secondary = [(BOB.address(), proofs[1])]
    return sent(inner, Authenticator(MultiAgentAuthenticator(proofs[0], secondary)))


def test_two_agents_sign_with_each_others_names() -> None:
    transaction = multi_agent(ALICE, BOB)
    assert verifies(transaction)
    assert transaction.signers == (ALICE.address().address, BOB.address().address)


def test_an_agent_who_signed_alone_has_not_signed_together() -> None:
    inner = raw(ALICE.address(), 0, PAYLOAD)
    alone = [(BOB.address(), BOB.sign_transaction(inner))]
    proof = MultiAgentAuthenticator(ALICE.sign_transaction(inner), alone)
    assert not verifies(sent(inner, Authenticator(proof)))


@pytest.mark.parametrize("open_payer", [False, True])
def test_a_payer_signs_beside_the_sender(open_payer: bool) -> None:
    transaction = decode_signed(sponsored(ALICE, BOB, 0, PAYLOAD, open_payer=open_payer))
    assert verifies(transaction)
    assert transaction.payer == BOB.address().address
    assert transaction.signers == (ALICE.address().address,)


def test_a_payer_cannot_be_put_in_anothers_place() -> None:
    body = sponsored(ALICE, BOB, 0, PAYLOAD)
    assert not verifies(decode_signed(body.replace(BOB.address().address, CAROL.address().address)))


@pytest.mark.parametrize("open_payer", [False, True])
def test_a_payer_who_has_not_signed_does_not_pay(open_payer: bool) -> None:
    body = sponsored(ALICE, BOB, 0, PAYLOAD, open_payer=open_payer)
    assert not verifies(decode_signed(body[:-64] + bytes(64)))
    # What is signed with nobody as payer binds the payer to nothing.
    nobody = sponsored(ALICE, BOB, 0, PAYLOAD, open_payer=True)
    proof = nobody[nobody.index(ALICE.public_key().to_crypto_bytes()) :][:97]
    assert not verifies(decode_signed(body[:-97] + proof))


def test_a_wrapped_single_sender_is_shown_as_one() -> None:
    transaction = raw(ALICE.address(), 0, PAYLOAD)
    proof = SingleKeyAuthenticator(ALICE.public_key(), ALICE.private_key.sign(transaction.keyed()))
    wrapped = Authenticator(SingleSenderAuthenticator(AccountAuthenticator(proof)))
    ours = sent(transaction, wrapped)
    assert verifies(ours)
    assert ours.authenticator.single


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"\x04\x05", "abstraction"),
        (b"\x04\x02\x03", "public key of kind 3"),
        (b"\x04\x02\x02", "public key of kind 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_we_do_not_offer_are_gated(written: bytes, why: str) -> None:
    raw_bytes = decode_signed(signed(ALICE, 0, PAYLOAD)).raw_bytes
    with pytest.raises(Gated, match=why):
        decode_signed(raw_bytes + written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"\x05", "no transaction authenticator"),
        (b"\x04\x06", "no account authenticator"),
        (b"\x00\x1f" + bytes(31) + b"\x40" + bytes(64), "32 bytes"),
        (b"\x00\x20" + bytes(32) + b"\x3f" + bytes(63), "64 bytes"),
        (b"\x01\x20" + bytes(32) + b"\x44" + bytes(68), "no multi-Ed25519 key"),
        (b"\x01\x21" + bytes(33) + b"\x40" + bytes(64), "no multi-Ed25519 signature"),
        (b"\x04\x02\x01\x40" + bytes(64), "65 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_of_a_wrong_form_are_refused(written: bytes, why: str) -> None:
    raw_bytes = decode_signed(signed(ALICE, 0, PAYLOAD)).raw_bytes
    with pytest.raises(Malformed, match=why):
        decode_signed(raw_bytes + written)
