"""What a transaction must be before anything is run: its size, signatures, prices, and prologue.

It changes nothing; each refusal is one `Invalid` with the status a node gives. Order of checks:
reference: aptos, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.devnet.accounts import Accounts
from simulator.devnet.addresses import ZERO
from simulator.devnet.clock import MICROSECONDS
from simulator.devnet.gas import GasSchedule
from simulator.devnet.multisig import agreed_call
from simulator.devnet.refusals import Invalid, invalid_input
from simulator.devnet.signatures import NoProof, Proof
from simulator.devnet.transactions import U64_MAX, Script, SignedTransaction

SIZE_MAX_BYTES = 64 * 1024
# A nonce must expire within a minute; the chain allows for clocks that differ.
ORDERLESS_SECONDS_MAX = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """What a chain asks of a transaction."""

    chain_id: int
    gas: GasSchedule
    stateless_accounts: bool = False


def check_form(signed: SignedTransaction, rules: Rules) -> None:
    """What can be told without any state: size, signers, kinds, prices. Raises `Invalid`."""
    raw, authenticator = signed.raw, signed.authenticator
    if len(signed.body) > SIZE_MAX_BYTES:
        raise Invalid("EXCEEDED_MAX_TRANSACTION_SIZE")
    if isinstance(raw.payload.call, Script):
        raise Invalid("FEATURE_UNDER_GATING")
    if raw.payload.call is None and raw.payload.multisig is None:
        raise invalid_input("Empty executable can only be used with a multisig account")
    if raw.is_orderless and raw.sequence_number != U64_MAX:
        raise invalid_input("An orderless transaction has the sequence number 2^64 - 1")
    if len(authenticator.secondary_addresses) != len(authenticator.secondaries):
        raise Invalid("SECONDARY_KEYS_ADDRESSES_COUNT_MISMATCH")
    if len(set(signed.signers)) != len(signed.signers):
        raise Invalid("SIGNERS_CONTAIN_DUPLICATES")
    _check_prices(signed, rules.gas)


def check_signatures(signed: SignedTransaction) -> None:
    """Everybody has signed. Raises `Invalid`."""
    if not signed.authenticator.verifies(signed.raw_bytes):
        raise Invalid("INVALID_SIGNATURE")


def check_prologue(
    signed: SignedTransaction, accounts: Accounts, now: int, rules: Rules, *, exact: bool
) -> None:
    """What holds at this moment, by ledger microseconds. Raises `Invalid`.

    `exact`: the number must be the next one, as it must when it is run; else it may be ahead.
    """
    raw = signed.raw
    if raw.expiration_seconds * MICROSECONDS <= now:
        raise Invalid("TRANSACTION_EXPIRED")
    if raw.chain_id != rules.chain_id:
        raise Invalid("BAD_CHAIN_ID")
    _check_keys(signed, accounts, rules)
    if raw.is_orderless:
        _check_nonce(signed, accounts, now)
    else:
        _check_number(signed, accounts, exact=exact)
    _check_deposit(signed, accounts)
    if raw.payload.multisig is not None:
        agreed_call(accounts, raw.sender, raw.payload)


def _check_prices(signed: SignedTransaction, gas: GasSchedule) -> None:
    raw = signed.raw
    if raw.max_gas_amount > gas.units_max:
        raise Invalid("MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND")
    if raw.max_gas_amount < gas.intrinsic_units(len(signed.body)):
        raise Invalid("MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS")
    if raw.gas_unit_price < gas.unit_price_min:
        raise Invalid("GAS_UNIT_PRICE_BELOW_MIN_BOUND")
    if raw.gas_unit_price > gas.unit_price_max:
        raise Invalid("GAS_UNIT_PRICE_ABOVE_MAX_BOUND")


def _check_keys(signed: SignedTransaction, accounts: Accounts, rules: Rules) -> None:
    authenticator = signed.authenticator
    sender = accounts.find(signed.raw.sender)
    # Who does not pay needs no account: it is made by the first transaction somebody pays for.
    alone = authenticator.payer is None and not rules.stateless_accounts
    if sender is None and alone:
        raise Invalid("SENDING_ACCOUNT_DOES_NOT_EXIST")
    proofs = zip(signed.signers, (authenticator.sender, *authenticator.secondaries), strict=True)
    for address, proof in proofs:
        _check_key(address, proof, accounts)
    if authenticator.payer is not None and authenticator.payer.address != ZERO:
        _check_key(authenticator.payer.address, authenticator.payer.proof, accounts)


def _check_key(address: bytes, proof: Proof, accounts: Accounts) -> None:
    account = accounts.find(address)
    wanted = account.authentication_key if account else address
    if not isinstance(proof, NoProof) and proof.authentication_key() != wanted:
        raise Invalid("INVALID_AUTH_KEY")


def _check_number(signed: SignedTransaction, accounts: Accounts, *, exact: bool) -> None:
    number, following = signed.raw.sequence_number, accounts.sequence_number(signed.raw.sender)
    if number == U64_MAX:
        raise Invalid("SEQUENCE_NUMBER_TOO_BIG")
    if number < following:
        raise Invalid("SEQUENCE_NUMBER_TOO_OLD")
    if exact and number > following:
        raise Invalid("SEQUENCE_NUMBER_TOO_NEW")


def _check_nonce(signed: SignedTransaction, accounts: Accounts, now: int) -> None:
    raw = signed.raw
    assert raw.payload.nonce is not None, "it is orderless"
    if raw.expiration_seconds > now // MICROSECONDS + ORDERLESS_SECONDS_MAX:
        raise Invalid("TRANSACTION_EXPIRATION_TOO_FAR_IN_FUTURE")
    if accounts.has_used(raw.sender, raw.payload.nonce):
        raise Invalid("NONCE_ALREADY_USED")


def _check_deposit(signed: SignedTransaction, accounts: Accounts) -> None:
    if signed.payer == ZERO:
        return  # Only a simulation gets here with nobody who pays.
    if signed.authenticator.payer is not None and accounts.find(signed.payer) is None:
        raise Invalid("GAS_PAYER_ACCOUNT_MISSING")
    deposit = signed.raw.max_gas_amount * signed.raw.gas_unit_price
    if accounts.balance_octas(signed.payer) < deposit:
        raise Invalid("INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE")
