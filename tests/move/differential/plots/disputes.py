"""Plots of disputes. One that has nothing to go on with opens a dispute, or settles a batch."""

from __future__ import annotations

from simulator.devnet.addresses import sha3
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import (
    BYTES,
    CORRIDOR,
    GOVERNANCE,
    POOL,
    Batch,
    Claim,
    Corridor,
    Picture,
)
from tests.move.differential.plots.choices import some_hash
from tests.move.differential.plots.settlement import settle


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
            (BYTES, some_hash(picture)),
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
