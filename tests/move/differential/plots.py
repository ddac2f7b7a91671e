"""Calls that could well be made: one function for each entry function, with fitting arguments.

Each looks at the picture and asks views, so that most of what it draws is valid just now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacl.signing import SigningKey

from simulator.devnet.addresses import parse_address, sha3
from simulator.devnet.executors.model import merkle
from simulator.devnet.executors.model.terms import Terms
from tests.move.differential.drawing import METADATA, Drawn
from tests.move.differential.picture import (
    ASSET,
    BYTES,
    CORRIDOR,
    GOVERNANCE,
    POOL,
    REGISTRY,
    ROLES,
    STORE,
    Batch,
    Claim,
    Corridor,
    Installation,
    Picture,
)

CHAIN_ID = 4
Plot = Callable[[Picture], Drawn]


def create_governance(picture: Picture) -> Drawn:
    seed = picture.chance.choice([b"one", b"two", b"three", b""])
    return Drawn("governance::create", (picture.somebody(),), ((BYTES, seed),))


def grant(picture: Picture) -> Drawn:
    governance = _installation(picture).governance
    role, name = picture.chance.choice(ROLES)
    who = picture.account(name)
    if picture.happens(0.3):
        role, who = picture.chance.randrange(8), picture.somebody()
    return _governed(picture, "grant", governance, ("address", who), ("u8", role))


def revoke(picture: Picture) -> Drawn:
    governance = _installation(picture).governance
    role, name = picture.chance.choice(ROLES)
    who = picture.account(name) if picture.happens(0.3) else picture.somebody()
    return _governed(picture, "revoke", governance, ("address", who), ("u8", role))


def offer_ownership(picture: Picture) -> Drawn:
    to = picture.account(picture.chance.choice(["owner", "other"]))
    return _governed(picture, "offer_ownership", _installation(picture).governance, ("address", to))


def withdraw_offer(picture: Picture) -> Drawn:
    return _governed(picture, "withdraw_offer", _installation(picture).governance)


def accept_ownership(picture: Picture) -> Drawn:
    governance = _installation(picture).governance
    told = picture.ask("governance::pending_owner", (GOVERNANCE, governance))
    offered = [parse_address(address) for address in (told or {"vec": []})["vec"]]
    signer = offered[0] if offered and picture.happens(0.9) else picture.somebody()
    return Drawn("governance::accept_ownership", (signer,), ((GOVERNANCE, governance),))


def pause(picture: Picture) -> Drawn:
    governance = _installation(picture).governance
    signer = picture.account("officer")
    return Drawn("governance::pause", (signer,), ((GOVERNANCE, governance),))


def unpause(picture: Picture) -> Drawn:
    return _governed(picture, "unpause", _installation(picture).governance)


def set_bound(picture: Picture) -> Drawn:
    which = picture.chance.randrange(7)
    usual = {
        1: [10**15, 10**6, 1],
        2: [86_400, 600],
        3: [259_200, 3_600, 0],
        4: [86_400, 60],
        5: [10**12, 1],
    }
    values = usual.get(which, [1])
    if picture.happens(0.4):
        values = [*values, 0, 59, 604_801, 10**18 + 1]
    value = picture.chance.choice(values) if picture.happens(0.6) else values[0]
    governance = _installation(picture).governance
    return _governed(picture, "set_bound", governance, ("u8", which), ("u64", value))


def create_registry(picture: Picture) -> Drawn:
    seed = picture.chance.choice([b"book", b"register", b"r"])
    governance = _installation(picture).governance
    arguments = ((GOVERNANCE, governance), (BYTES, seed))
    return Drawn("compliance::create", (picture.somebody(),), arguments)


def attest(picture: Picture) -> Drawn:
    return _official(
        picture,
        "attest",
        (BYTES, picture.chance.choice(picture.subjects)),
        (BYTES, _hash(picture)),
        ("address", picture.somebody() if picture.happens(0.9) else bytes(32)),
        ("u8", picture.chance.randrange(4)),
        ("u64", picture.now + picture.chance.choice([0, 1, 60, 86_400, 157_680_000, 157_680_001])),
    )


def revoke_attestation(picture: Picture) -> Drawn:
    subject = picture.chance.choice(picture.subjects)
    return _official(picture, "revoke_attestation", (BYTES, subject))


def bar(picture: Picture) -> Drawn:
    subjects = tuple(picture.chance.sample(picture.subjects, picture.chance.randrange(3)))
    reasons = bytes(picture.chance.choice([0, 1, 1, 2, 2, 3, 3, 3]) for _ in subjects)
    return _listed(picture, "bar", ("vector<vector<u8>>", subjects), (BYTES, reasons))


def unbar(picture: Picture) -> Drawn:
    subjects = tuple(picture.chance.sample(picture.subjects, picture.chance.randrange(6)))
    return _listed(picture, "unbar", ("vector<vector<u8>>", subjects))


def bar_hundreds(picture: Picture) -> Drawn:
    subjects = tuple(sha3(bytes([n % 256, n // 256])) for n in range(501))
    return _listed(
        picture, "bar", ("vector<vector<u8>>", subjects), (BYTES, bytes([1] * len(subjects)))
    )


def report(picture: Picture) -> Drawn:
    period = ("u64", picture.chance.randrange(1, 30))
    return _official(picture, "report", period, (BYTES, _hash(picture)), ("u64", 7))


def create_pool(picture: Picture) -> Drawn:
    installation = _installation(picture)
    registry = installation.registry
    if picture.happens(0.1):
        registry = picture.chance.choice(picture.installations).registry
    operator = bytes(32) if picture.happens(0.05) else picture.account("member_c")
    return Drawn(
        "liquidity::create",
        (picture.account("manager"),),
        (
            (GOVERNANCE, installation.governance),
            (REGISTRY, registry),
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", operator),
            (BYTES, picture.chance.choice([b"pool", b"spare", b"third"])),
        ),
    )


def provide(picture: Picture) -> Drawn:
    pool = _pool(picture)
    who = _provider(picture)
    if picture.happens(0.3):
        who = picture.address("liquidity::operator", (POOL, pool))
    held = _balance(picture, who, pool)
    amount = picture.chance.choice([1, 7, 1_000_000, 999_999_937, held // 3, held, held + 1])
    price = picture.number("liquidity::total", (POOL, pool))
    price //= picture.number("liquidity::shares", (POOL, pool)) or 1
    if price > 1 and picture.happens(0.7):
        # Half a share is lost of so many: about the most that rounding may cost.
        amount = price * picture.chance.randrange(150, 1_500) + price // 2
    return Drawn("liquidity::provide", (who,), ((POOL, pool), ("u64", amount)))


def admit(picture: Picture) -> Drawn:
    return _operated(picture, "admit")


def dismiss(picture: Picture) -> Drawn:
    return _operated(picture, "dismiss")


def withdraw(picture: Picture) -> Drawn:
    pool = _pool(picture)
    who = _provider(picture)
    shares = picture.number("liquidity::shares_of", (POOL, pool), ("address", who))
    given = picture.chance.choice([shares // 7, shares // 2, shares, shares + 1, 1])
    return Drawn("liquidity::withdraw", (who,), ((POOL, pool), ("u64", given)))


def emergency_exit(picture: Picture) -> Drawn:
    return Drawn("liquidity::emergency_exit", (_provider(picture),), ((POOL, _pool(picture)),))


def replenish(picture: Picture) -> Drawn:
    pool = _pool(picture)
    who = picture.account(picture.chance.choice(["member_a", "member_b", "provider"]))
    amount = picture.chance.choice([0, 1, 999, 5_000_000, 10**12 + 39])
    return Drawn("liquidity::replenish", (who,), ((POOL, pool), ("u64", amount)))


def add_fees(picture: Picture) -> Drawn:
    amount = picture.chance.choice([0, 1, 2, 3, 10, 1_000_003, 77_777_777])
    arguments = ((POOL, _pool(picture)), ("u64", amount))
    return Drawn("liquidity::add_fees", (picture.account("owner"),), arguments)


def claim_fees(picture: Picture) -> Drawn:
    return Drawn("liquidity::claim_fees", (_provider(picture),), ((POOL, _pool(picture)),))


def reserve_entry(picture: Picture) -> Drawn:
    pool = _own_pool(picture)
    free = picture.number("liquidity::available", (POOL, pool))
    amount = picture.chance.choice([1, free // 5, free // 2, free, free + 1])
    name = picture.chance.choice([b"a", b"b", b"c" * 64, b"d" * 65, b""])
    arguments = ((POOL, pool), (BYTES, name), ("u64", amount))
    return Drawn(
        "liquidity::reserve_entry",
        (picture.account("manager"),),
        arguments,
        remember=lambda: picture.reservations.append((pool, name)),
    )


def release_entry(picture: Picture) -> Drawn:
    pool, name = _own_pool(picture), b"a"
    if picture.reservations:
        pool, name = picture.chance.choice(picture.reservations)
    return Drawn(
        "liquidity::release_entry", (picture.account("manager"),), ((POOL, pool), (BYTES, name))
    )


def pause_pool(picture: Picture) -> Drawn:
    return Drawn("liquidity::pause_pool", (picture.account("officer"),), ((POOL, _pool(picture)),))


def unpause_pool(picture: Picture) -> Drawn:
    pool = _pool(picture)
    paused = [
        pool
        for pool in picture.all_pools()
        if picture.ask("liquidity::is_pool_paused", (POOL, pool))
    ]
    if paused and picture.happens(0.9):
        pool = picture.chance.choice(paused)
    told = picture.ask("liquidity::governance_of", (POOL, pool))
    governance = _installation(picture).governance
    if told is not None:
        governance = parse_address(told["inner"])
    return Drawn("liquidity::unpause_pool", (_owner(picture, governance),), ((POOL, pool),))


def create_corridor(picture: Picture) -> Drawn:
    members = [picture.account(name) for name in ("member_a", "member_b", "member_c")]
    picture.chance.shuffle(members)
    keys = _keys(picture)
    seed = picture.chance.choice([b"c3", b"c4", b"c5"])
    installation = _installation(picture)
    if picture.happens(0.08):
        installation = installation._replace(registry=picture.installations[1].registry)
    return corridor_call(
        picture,
        installation,
        picture.chance.choice(picture.assets),
        seed,
        members[: picture.chance.choice([2, 2, 3, 1])],
        keys,
        max(1, len(keys) // 2),
    )


def corridor_call(
    picture: Picture,
    installation: Installation,
    asset: bytes,
    seed: bytes,
    members: list[bytes],
    keys: list[bytes],
    threshold: int,
) -> Drawn:
    """A corridor by the manager."""
    return Drawn(
        "settlement::create_corridor",
        (picture.account("manager"),),
        (
            (GOVERNANCE, installation.governance),
            (REGISTRY, installation.registry),
            (ASSET, asset),
            (BYTES, seed),
            ("vector<address>", tuple(members)),
            ("vector<vector<u8>>", tuple(keys)),
            ("u64", threshold),
        ),
    )


def set_approvers(picture: Picture) -> Drawn:
    corridor = _corridor(picture)
    keys = tuple(_keys(picture))
    threshold = picture.chance.randrange(len(keys) + 2)
    return Drawn(
        "settlement::set_approvers",
        (_owner(picture, corridor.installation.governance),),
        (
            (CORRIDOR, corridor.address),
            ("vector<vector<u8>>", keys),
            ("u64", threshold),
        ),
    )


def settle(picture: Picture) -> Drawn:
    corridor = _corridor(picture)
    debited, credited = _nets(picture, corridor)
    leaves = tuple(
        merkle.leaf_hash(picture.chance.randbytes(8)) for _ in range(_leaf_count(picture))
    )
    ahead = picture.chance.choice([60, 600, 3_600, 3_600, 3_600, 86_400, 86_401, 0])
    batch_id = picture.chance.randbytes(16)
    if picture.batches and picture.happens(0.08):
        batch_id = picture.chance.choice(picture.batches).batch_id
    terms = Terms(
        chain_id=CHAIN_ID,
        corridor=corridor.address,
        batch_id=batch_id,
        merkle_root=merkle.tree_hash(leaves),
        payment_count=0 if picture.happens(0.02) else len(leaves),
        debits=tuple(debited),
        credits=tuple(credited),
        expires_at=picture.now + ahead,
    )
    indexes, signatures = _approvals(picture, corridor, terms)
    batch = Batch(corridor, batch_id, leaves, picture.now)
    return Drawn(
        "settlement::settle",
        (picture.account("submitter"),),
        (
            (CORRIDOR, corridor.address),
            (BYTES, batch_id),
            (BYTES, terms.merkle_root),
            ("u64", terms.payment_count),
            ("vector<u64>", terms.debits),
            ("vector<u64>", terms.credits),
            ("u64", terms.expires_at),
            ("vector<u64>", indexes),
            ("vector<vector<u8>>", signatures),
        ),
        remember=lambda: picture.batches.append(batch),
    )


def open_dispute(picture: Picture) -> Drawn:
    if not picture.batches:
        return settle(picture)
    return _opening(picture, picture.chance.choice(picture.batches[-8:]))


def open_at_the_last_second(picture: Picture) -> Drawn:
    """Time goes on until the payment may just be disputed, or may just no longer be."""
    if not picture.batches:
        return settle(picture)
    batch = picture.chance.choice(picture.batches[-3:])
    _wait(picture, batch.corridor, batch.settled_at, bound=3)
    return _opening(picture, batch)


def resolve_at_the_last_second(picture: Picture) -> Drawn:
    """Time goes on until the arbiter must just still wait, or may just rule."""
    claim = _claim(picture, wanted=1)
    if claim is None:
        return open_dispute(picture)
    told = picture.ask(
        "settlement::dispute", (CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id)
    )
    if told:
        _wait(picture, claim.corridor, int(told[5]), bound=4)
    return Drawn(
        "settlement::resolve_dispute",
        (picture.account("arbiter"),),
        ((CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id), ("u64", 0)),
    )


def _wait(picture: Picture, corridor: Corridor, since: int, *, bound: int) -> None:
    governance = (GOVERNANCE, corridor.installation.governance)
    seconds = picture.number("governance::bound", governance, ("u8", bound))
    picture.now = max(picture.now, since + seconds + picture.chance.choice([0, 0, 1]))


def _opening(picture: Picture, batch: Batch) -> Drawn:
    corridor = batch.corridor
    index = picture.chance.randrange(len(batch.leaves))
    leaf = batch.leaves[index]
    member, against = picture.chance.sample(range(len(corridor.members)), 2)
    told = against if picture.happens(0.96) else picture.chance.choice([9, member])
    free = picture.number("liquidity::available", (POOL, corridor.pools[against]))
    amount = picture.chance.choice([1, free // 50, free // 9, free, free + 1, 0])
    claim = Claim(corridor, _dispute_id(batch, leaf, member), member, against)
    return Drawn(
        "settlement::open_dispute",
        (corridor.members[member],),
        (
            (CORRIDOR, corridor.address),
            (BYTES, batch.batch_id),
            (BYTES, leaf),
            ("u64", index),
            ("vector<vector<u8>>", batch.proof(index)),
            ("u64", member),
            ("u64", told),
            ("u64", amount),
        ),
        remember=lambda: picture.claims.append(claim),
    )


def answer_dispute(picture: Picture) -> Drawn:
    claim = _claim(picture, wanted=1)
    if claim is None:
        return open_dispute(picture)
    return Drawn(
        "settlement::answer_dispute",
        (claim.corridor.members[claim.against],),
        (
            (CORRIDOR, claim.corridor.address),
            (BYTES, claim.dispute_id),
            ("bool", picture.happens(0.4)),
            (BYTES, _hash(picture)),
        ),
    )


def resolve_dispute(picture: Picture) -> Drawn:
    claim = _claim(picture, wanted=picture.chance.choice([1, 2, 2]))
    if claim is None:
        return answer_dispute(picture)
    told = picture.ask(
        "settlement::dispute", (CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id)
    )
    amount = int(told[3]) if told else 1
    refund = picture.chance.choice([0, amount // 2, amount, amount + 1])
    return Drawn(
        "settlement::resolve_dispute",
        (picture.account("arbiter"),),
        ((CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id), ("u64", refund)),
    )


def refund(picture: Picture) -> Drawn:
    claim = _claim(picture, wanted=3)
    if claim is None:
        return resolve_dispute(picture)
    return Drawn(
        "settlement::refund",
        (picture.somebody(),),
        ((CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id)),
    )


def transfer(picture: Picture) -> Drawn:
    asset = picture.chance.choice(picture.assets)
    amount = picture.chance.choice([0, 1, 10**6, 10**19])
    return Drawn(
        "primary_fungible_store::transfer",
        (picture.account("owner"),),
        ((ASSET, asset), ("address", picture.somebody()), ("u64", amount)),
        types=(METADATA,),
    )


def create_asset(picture: Picture) -> Drawn:
    symbol = picture.chance.choice([b"USDC", b"XYZ", b"\xff\xfe", b"S" * 33])
    decimals = picture.chance.choice([6, 6, 33])
    return Drawn(
        "test_asset::create",
        (picture.somebody(),),
        ((BYTES, symbol), ("u8", decimals)),
    )


def mint(picture: Picture) -> Drawn:
    return Drawn(
        "test_asset::mint",
        (picture.account("owner"),),
        (
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", _provider(picture)),
            ("u64", picture.chance.choice([0, 1, 10**9, 10**12, 10**18])),
        ),
    )


def freeze_owner(picture: Picture) -> Drawn:
    return Drawn(
        "test_asset::freeze_owner",
        (picture.account("owner"),),
        (
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", _provider(picture)),
            ("bool", picture.happens(0.25)),
        ),
    )


def freeze_store(picture: Picture) -> Drawn:
    view = picture.chance.choice(["liquidity::funds_of", "liquidity::fee_store_of"])
    store = picture.address(view, (POOL, _pool(picture)))
    return Drawn(
        "test_asset::freeze_store",
        (picture.account("owner"),),
        ((STORE, store), ("bool", picture.happens(0.2))),
    )


def _installation(picture: Picture) -> Installation:
    """The first one mostly: what meets must belong together."""
    return picture.installations[0 if picture.happens(0.85) else 1]


def _owner(picture: Picture, governance: bytes) -> bytes:
    return picture.address("governance::owner", (GOVERNANCE, governance))


def _governed(picture: Picture, name: str, governance: bytes, *arguments: tuple[str, Any]) -> Drawn:
    signer = _owner(picture, governance)
    return Drawn(f"governance::{name}", (signer,), ((GOVERNANCE, governance), *arguments))


def _official(picture: Picture, name: str, *arguments: tuple[str, Any]) -> Drawn:
    registry = _installation(picture).registry
    signer = picture.account("officer")
    return Drawn(f"compliance::{name}", (signer,), ((REGISTRY, registry), *arguments))


def _listed(picture: Picture, name: str, *arguments: tuple[str, Any]) -> Drawn:
    drawn = _official(picture, name)
    version = picture.number("compliance::list_version", *drawn.arguments)
    version += picture.chance.choice([0, 0, 1, 1, 1, -1])
    listed = (*drawn.arguments, ("u64", max(version, 0)), *arguments)
    return Drawn(drawn.name, drawn.signers, listed)


def _hash(picture: Picture) -> bytes:
    return sha3(bytes([picture.chance.randrange(6)]))


def _pool(picture: Picture) -> bytes:
    return picture.chance.choice(picture.all_pools())


def _own_pool(picture: Picture) -> bytes:
    return picture.chance.choice(picture.pools)


def _operated(picture: Picture, name: str) -> Drawn:
    pool = _pool(picture)
    signer = picture.address("liquidity::operator", (POOL, pool))
    who = picture.account("provider") if picture.happens(0.6) else _provider(picture)
    return Drawn(f"liquidity::{name}", (signer,), ((POOL, pool), ("address", who)))


def _provider(picture: Picture) -> bytes:
    names = ["provider", "provider", "member_a", "member_b", "member_c", "stranger"]
    return picture.account(picture.chance.choice(names))


def _balance(picture: Picture, who: bytes, pool: bytes) -> int:
    told = picture.ask("liquidity::asset", (POOL, pool))
    if told is None:
        return 0
    holder = (("address", who), (ASSET, parse_address(told["inner"])))
    return picture.number("primary_fungible_store::balance", *holder)


def _keys(picture: Picture) -> list[bytes]:
    """Keys that could approve, in any order; now and then such as never could."""
    keys = picture.chance.sample(picture.public_keys(), picture.chance.randrange(1, 5))
    if picture.happens(0.15):
        return picture.chance.choice([[], [keys[0][:-1]], [sha3(bytes([n])) for n in range(33)]])
    return keys


def _corridor(picture: Picture) -> Corridor:
    return picture.chance.choice(picture.corridors)


def _nets(picture: Picture, corridor: Corridor) -> tuple[list[int], list[int]]:
    """Who owes what, as far as pools can pay it: one debtor, and the others are paid."""
    count = len(corridor.members)
    debited, credited = [0] * count, [0] * count
    if picture.happens(0.1):
        return debited, credited
    debtor, creditor = picture.chance.sample(range(count), 2)
    free = picture.number("liquidity::available", (POOL, corridor.pools[debtor]))
    amount = picture.chance.choice([free // 100, free // 10, free // 3, free, free + 1, 1])
    debited[debtor] = amount
    for member in range(count):
        if member not in (debtor, creditor):
            credited[member] = amount // 3
    credited[creditor] = amount - sum(credited)
    return debited, credited


def _leaf_count(picture: Picture) -> int:
    return picture.chance.choice([1, 2, 3, 5, 8, 13])


def _approvals(
    picture: Picture, corridor: Corridor, terms: Terms
) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    told = picture.ask("settlement::approvers", (CORRIDOR, corridor.address)) or []
    signing = {f"0x{bytes(key.verify_key).hex()}": key for key in picture.keys}
    known: list[SigningKey] = [signing[key] for key in told if key in signing]
    needed = picture.number("settlement::threshold", (CORRIDOR, corridor.address))
    if picture.happens(0.06):
        needed -= 1
    if picture.happens(0.02):
        known = [*known, *picture.keys]
        needed = len(known)
    chosen = sorted(picture.chance.sample(range(len(known)), max(0, min(needed, len(known)))))
    message = terms.hash() if picture.happens(0.95) else sha3(terms.hash())
    return tuple(chosen), tuple(known[index].sign(message).signature for index in chosen)


def _claim(picture: Picture, *, wanted: int) -> Claim | None:
    """A dispute of that status, if there is one; now and then one of any status."""
    if not picture.claims:
        return None
    if picture.happens(0.1):
        return picture.chance.choice(picture.claims)
    fitting = [claim for claim in picture.claims[-12:] if _status(picture, claim) == wanted]
    return picture.chance.choice(fitting) if fitting else None


def _dispute_id(batch: Batch, leaf: bytes, member: int) -> bytes:
    return sha3(batch.corridor.address, batch.batch_id, leaf, member.to_bytes(8, "little"))


def _status(picture: Picture, claim: Claim) -> int:
    told = picture.ask(
        "settlement::dispute", (CORRIDOR, claim.corridor.address), (BYTES, claim.dispute_id)
    )
    return int(told[0]) if told else 0


PLOTS: dict[Plot, int] = {
    create_governance: 2,
    grant: 10,
    revoke: 3,
    offer_ownership: 3,
    withdraw_offer: 2,
    accept_ownership: 3,
    pause: 2,
    unpause: 6,
    set_bound: 4,
    create_registry: 2,
    attest: 5,
    revoke_attestation: 3,
    bar: 3,
    unbar: 7,
    bar_hundreds: 1,
    report: 3,
    create_pool: 3,
    admit: 9,
    dismiss: 3,
    provide: 26,
    withdraw: 10,
    emergency_exit: 3,
    replenish: 7,
    add_fees: 9,
    claim_fees: 7,
    reserve_entry: 6,
    release_entry: 5,
    pause_pool: 2,
    unpause_pool: 5,
    create_corridor: 3,
    set_approvers: 3,
    settle: 34,
    open_dispute: 16,
    open_at_the_last_second: 4,
    resolve_at_the_last_second: 4,
    answer_dispute: 10,
    resolve_dispute: 10,
    refund: 9,
    transfer: 4,
    create_asset: 2,
    mint: 6,
    freeze_owner: 4,
    freeze_store: 5,
}
"""How often each is drawn, of all of them together."""
