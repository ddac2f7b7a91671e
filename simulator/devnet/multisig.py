"""`0x1::multisig_account`: k of n owners propose, vote, and execute calls of a common account.

It keeps proposals and says when one may be executed; the node runs what was agreed. Codes and
order of checks: general knowledge of `multisig_account`, not checked against its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from simulator.devnet import bcs
from simulator.devnet.accounts import Account, Accounts, Draft, Multisig, Proposal
from simulator.devnet.addresses import resource_account_address, sha3, show_address
from simulator.devnet.natives import Act, Native, NativeView, Stop, abort
from simulator.devnet.refusals import Invalid
from simulator.devnet.transactions import EntryFunction, Payload, decode_multisig_payload
from simulator.devnet.values import Value

PENDING_MAX = 20
_SEED = b"aptos_framework::multisig_account"
_MODULE = "multisig_account"

View = Callable[[Accounts, Sequence[Value], int], Sequence[Value]]


def multisig_address(creator: bytes, sequence_number: int) -> bytes:
    """Where the account stands that `creator` makes by the transaction of this number."""
    return resource_account_address(creator, _SEED + bcs.u64(sequence_number))


def agreed_call(accounts: Accounts | Draft, sender: bytes, payload: Payload) -> EntryFunction:
    """What may be executed now for the multisig account. Raises `Invalid`: 31 to 35, 40."""
    assert payload.multisig is not None, "only a multisig payload is agreed on"
    account = accounts.find(payload.multisig)
    multisig = account.multisig if account else None
    if multisig is None:
        raise Invalid("ACCOUNT_NOT_MULTISIG")
    if sender not in multisig.owners:
        raise Invalid("NOT_MULTISIG_OWNER")
    proposal = multisig.proposals.get(multisig.last_resolved + 1)
    if proposal is None:
        raise Invalid("MULTISIG_TRANSACTION_NOT_FOUND")
    # Who executes is for it, whether or not they voted.
    votes = (*((o, v) for o, v in proposal.votes if o != sender), (sender, True))
    if replace(proposal, votes=votes).approvals(multisig.owners) < multisig.threshold:
        raise Invalid("MULTISIG_TRANSACTION_INSUFFICIENT_APPROVALS")
    return _matching(proposal, payload.multisig_bytes)


def resolve(act: Act, address: bytes, *, succeeded: bool, executor: bytes) -> None:
    """The next proposal is done with, whether what it asked for worked or not."""
    account, multisig = _open(act, address)
    number = multisig.last_resolved + 1
    rest = {key: proposal for key, proposal in multisig.proposals.items() if key != number}
    done = replace(multisig, proposals=rest, last_resolved=number)
    act.draft.put(address, replace(account, multisig=done))
    name = "TransactionExecutionSucceeded" if succeeded else "TransactionExecutionFailed"
    act.emit(
        f"{_MODULE}::{name}",
        multisig_account=show_address(address),
        executor=show_address(executor),
        sequence_number=str(number),
    )


def _matching(proposal: Proposal, provided: bytes) -> EntryFunction:
    if proposal.payload is not None:
        if provided and provided != proposal.payload:
            raise Invalid("MULTISIG_TRANSACTION_PAYLOAD_DOES_NOT_MATCH")
        return decode_multisig_payload(proposal.payload)
    if sha3(provided) != proposal.payload_hash:
        raise Invalid("MULTISIG_TRANSACTION_PAYLOAD_DOES_NOT_MATCH_HASH")
    return decode_multisig_payload(provided)


def _create(act: Act) -> None:
    owners, threshold = (act.sender,), act.values[0]
    _make(act, owners, threshold)


def _create_with_owners(act: Act) -> None:
    additional, threshold = act.values[0], act.values[1]
    _make(act, (act.sender, *additional), threshold)


def _make(act: Act, owners: tuple[bytes, ...], threshold: int) -> None:
    if not 0 < threshold <= len(owners):
        sentence = "Number of signatures required must be more than zero and at most the total."
        raise abort(_MODULE, 0x1000B, "EINVALID_SIGNATURES_REQUIRED", sentence)
    if len(set(owners)) < len(owners):
        raise abort(_MODULE, 0x10001, "EDUPLICATE_OWNER", "Owner list cannot contain duplicates.")
    creator = act.draft.open(act.sender)
    address = multisig_address(act.sender, creator.sequence_number)
    account = act.draft.open(address)
    act.draft.put(address, replace(account, multisig=Multisig(owners, threshold)))


def _propose(act: Act) -> None:
    address, payload = act.values
    if not payload:
        raise abort(_MODULE, 0x10004, "EPAYLOAD_CANNOT_BE_EMPTY", "Payload cannot be empty.")
    _add(act, address, payload=payload, payload_hash=None)


def _propose_hash(act: Act) -> None:
    address, payload_hash = act.values
    if len(payload_hash) != 32:
        sentence = "Payload hash must be exactly 32 bytes (sha3-256)."
        raise abort(_MODULE, 0x1000C, "EINVALID_PAYLOAD_HASH", sentence)
    _add(act, address, payload=None, payload_hash=payload_hash)


def _add(act: Act, address: bytes, *, payload: bytes | None, payload_hash: bytes | None) -> None:
    account, multisig = _owned(act, address)
    if len(multisig.proposals) >= PENDING_MAX:
        sentence = "The number of pending transactions has exceeded the maximum allowed."
        raise abort(_MODULE, 0x307E0, "EMAX_PENDING_TRANSACTIONS_EXCEEDED", sentence)
    number = multisig.next_number
    seconds = act.environment.timestamp_microseconds // 1_000_000
    proposal = Proposal(payload, payload_hash, ((act.sender, True),), act.sender, seconds)
    _keep(act, address, account, replace(multisig, next_number=number + 1), number, proposal)
    act.emit(
        f"{_MODULE}::CreateTransaction",
        multisig_account=show_address(address),
        creator=show_address(act.sender),
        sequence_number=str(number),
    )


def _approve(act: Act) -> None:
    _vote(act, *act.values, approved=True)


def _reject(act: Act) -> None:
    _vote(act, *act.values, approved=False)


def _vote_on(act: Act) -> None:
    address, number, approved = act.values
    _vote(act, address, number, approved=approved)


def _vote_on_many(act: Act) -> None:
    address, first, last, approved = act.values
    for number in range(first, last + 1):
        _vote(act, address, number, approved=approved)


def _vote(act: Act, address: bytes, number: int, *, approved: bool) -> None:
    account, multisig = _owned(act, address)
    proposal = multisig.proposals.get(number)
    if proposal is None:
        sentence = "Transaction with specified id cannot be found."
        raise abort(_MODULE, 0x607D6, "ETRANSACTION_NOT_FOUND", sentence)
    others = tuple((owner, vote) for owner, vote in proposal.votes if owner != act.sender)
    voted = replace(proposal, votes=(*others, (act.sender, approved)))
    _keep(act, address, account, multisig, number, voted)
    act.emit(
        f"{_MODULE}::Vote",
        multisig_account=show_address(address),
        owner=show_address(act.sender),
        sequence_number=str(number),
        approved=approved,
    )


def _execute_rejected(act: Act) -> None:
    (address,) = act.values
    account, multisig = _owned(act, address)
    number = multisig.last_resolved + 1
    proposal = multisig.proposals.get(number)
    if proposal is None:
        sentence = "Transaction with specified id cannot be found."
        raise abort(_MODULE, 0x607D6, "ETRANSACTION_NOT_FOUND", sentence)
    if proposal.rejections(multisig.owners) < multisig.threshold:
        sentence = "Transaction has not received enough rejections to be officially rejected."
        raise abort(_MODULE, 0x3000A, "ENOT_ENOUGH_REJECTIONS", sentence)
    rest = {key: each for key, each in multisig.proposals.items() if key != number}
    done = replace(multisig, proposals=rest, last_resolved=number)
    act.draft.put(address, replace(account, multisig=done))
    act.emit(
        f"{_MODULE}::ExecuteRejectedTransaction",
        multisig_account=show_address(address),
        executor=show_address(act.sender),
        sequence_number=str(number),
        num_rejections=str(proposal.rejections(multisig.owners)),
    )


def _keep(
    act: Act, address: bytes, account: Account, multisig: Multisig, number: int, proposal: Proposal
) -> None:
    changed = replace(multisig, proposals={**multisig.proposals, number: proposal})
    act.draft.put(address, replace(account, multisig=changed))


def _owned(act: Act, address: bytes) -> tuple[Account, Multisig]:
    account, multisig = _open(act, address)
    if act.sender not in multisig.owners:
        sentence = "Account executing this operation is not an owner of the multisig account."
        raise abort(_MODULE, 0x507D3, "ENOT_OWNER", sentence)
    return account, multisig


def _open(act: Act, address: bytes) -> tuple[Account, Multisig]:
    account = act.draft.find(address)
    if account is None or account.multisig is None:
        raise _no_multisig()
    return account, account.multisig


def _no_multisig() -> Stop:
    sentence = "Specified account is not a multisig account."
    return abort(_MODULE, 0x307D2, "EACCOUNT_NOT_MULTISIG", sentence)


ENTRIES: Mapping[str, Native] = {
    f"0x1::{_MODULE}::{name}": native
    for name, native in {
        "create": Native(
            ("&signer", "u64", "vector<0x1::string::String>", "vector<vector<u8>>"), _create
        ),
        "create_with_owners": Native(
            (
                "&signer",
                "vector<address>",
                "u64",
                "vector<0x1::string::String>",
                "vector<vector<u8>>",
            ),
            _create_with_owners,
        ),
        "create_transaction": Native(("&signer", "address", "vector<u8>"), _propose),
        "create_transaction_with_hash": Native(("&signer", "address", "vector<u8>"), _propose_hash),
        "approve_transaction": Native(("&signer", "address", "u64"), _approve),
        "reject_transaction": Native(("&signer", "address", "u64"), _reject),
        "vote_transaction": Native(("&signer", "address", "u64", "bool"), _vote_on),
        "vote_transactions": Native(("&signer", "address", "u64", "u64", "bool"), _vote_on_many),
        "execute_rejected_transaction": Native(("&signer", "address"), _execute_rejected),
    }.items()
}


def _of(accounts: Accounts, address: bytes) -> Multisig:
    account = accounts.find(address)
    if account is None or account.multisig is None:
        raise _no_multisig()
    return account.multisig


def _told(tell: Callable[[Multisig], Value]) -> View:
    """A view of one account that tells one thing of it."""

    def view(accounts: Accounts, values: Sequence[Value], now: int) -> Sequence[Value]:
        del now
        return [tell(_of(accounts, values[0]))]

    return view


def _ready(count: Callable[[Proposal, tuple[bytes, ...]], int]) -> View:
    """Whether a proposal is the next to be resolved, and enough owners say what is counted."""

    def view(accounts: Accounts, values: Sequence[Value], now: int) -> Sequence[Value]:
        del now
        multisig = _of(accounts, values[0])
        proposal = multisig.proposals.get(values[1])
        is_next = values[1] == multisig.last_resolved + 1
        counted = count(proposal, multisig.owners) if proposal else 0
        return [is_next and counted >= multisig.threshold]

    return view


def _next_address(accounts: Accounts, values: Sequence[Value], now: int) -> Sequence[Value]:
    del now
    return [multisig_address(values[0], accounts.sequence_number(values[0]))]


VIEWS: Mapping[str, NativeView] = {
    f"0x1::{_MODULE}::{name}": view
    for name, view in {
        "owners": NativeView(("address",), ("vector<address>",), _told(lambda m: m.owners)),
        "num_signatures_required": NativeView(("address",), ("u64",), _told(lambda m: m.threshold)),
        "next_sequence_number": NativeView(("address",), ("u64",), _told(lambda m: m.next_number)),
        "last_resolved_sequence_number": NativeView(
            ("address",), ("u64",), _told(lambda m: m.last_resolved)
        ),
        "can_be_executed": NativeView(("address", "u64"), ("bool",), _ready(Proposal.approvals)),
        "can_be_rejected": NativeView(("address", "u64"), ("bool",), _ready(Proposal.rejections)),
        "get_next_multisig_account_address": NativeView(("address",), ("address",), _next_address),
    }.items()
}
