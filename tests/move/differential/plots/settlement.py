"""Plots of corridors and their batches."""

from __future__ import annotations

from nacl.signing import SigningKey

from simulator.devnet.addresses import sha3
from simulator.devnet.executors.model import merkle
from simulator.devnet.executors.model.terms import Terms
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import (
    ASSET,
    BYTES,
    CORRIDOR,
    GOVERNANCE,
    POOL,
    REGISTRY,
    Batch,
    Corridor,
    Installation,
    Picture,
)
from tests.move.differential.plots.choices import owner_of, some_installation

CHAIN_ID = 4


def create_corridor(picture: Picture) -> Drawn:
    members = [picture.account(name) for name in ("member_a", "member_b", "member_c")]
    picture.chance.shuffle(members)
    keys = _keys(picture)
    seed = picture.chance.choice([b"c3", b"c4", b"c5"])
    installation = some_installation(picture)
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
    corridor = some_corridor(picture)
    keys = tuple(_keys(picture))
    threshold = picture.chance.randrange(len(keys) + 2)
    return Drawn(
        "settlement::set_approvers",
        (owner_of(picture, corridor.installation.governance),),
        (
            (CORRIDOR, corridor.address),
            ("vector<vector<u8>>", keys),
            ("u64", threshold),
        ),
    )


def settle(picture: Picture) -> Drawn:
    corridor = some_corridor(picture)
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


def _keys(picture: Picture) -> list[bytes]:
    """Keys that could approve, in any order; now and then such as never could."""
    keys = picture.chance.sample(picture.public_keys(), picture.chance.randrange(1, 5))
    if picture.happens(0.15):
        return picture.chance.choice([[], [keys[0][:-1]], [sha3(bytes([n])) for n in range(33)]])
    return keys


def some_corridor(picture: Picture) -> Corridor:
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
