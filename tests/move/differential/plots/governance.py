"""Plots of the governance contract."""

from __future__ import annotations

from typing import Any

from simulator.devnet.addresses import parse_address
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import BYTES, GOVERNANCE, ROLES, Picture
from tests.move.differential.plots.choices import owner_of, some_installation


def create_governance(picture: Picture) -> Drawn:
    seed = picture.chance.choice([b"one", b"two", b"three", b""])
    return Drawn("governance::create", (picture.somebody(),), ((BYTES, seed),))


def grant(picture: Picture) -> Drawn:
    governance = some_installation(picture).governance
    role, name = picture.chance.choice(ROLES)
    who = picture.account(name)
    if picture.happens(0.3):
        role, who = picture.chance.randrange(8), picture.somebody()
    return _governed(picture, "grant", governance, ("address", who), ("u8", role))


def revoke(picture: Picture) -> Drawn:
    governance = some_installation(picture).governance
    role, name = picture.chance.choice(ROLES)
    who = picture.account(name) if picture.happens(0.3) else picture.somebody()
    return _governed(picture, "revoke", governance, ("address", who), ("u8", role))


def offer_ownership(picture: Picture) -> Drawn:
    to = picture.account(picture.chance.choice(["owner", "other"]))
    return _governed(
        picture, "offer_ownership", some_installation(picture).governance, ("address", to)
    )


def withdraw_offer(picture: Picture) -> Drawn:
    return _governed(picture, "withdraw_offer", some_installation(picture).governance)


def accept_ownership(picture: Picture) -> Drawn:
    governance = some_installation(picture).governance
    told = picture.ask("governance::pending_owner", (GOVERNANCE, governance))
    offered = [parse_address(address) for address in (told or {"vec": []})["vec"]]
    signer = offered[0] if offered and picture.happens(0.9) else picture.somebody()
    return Drawn("governance::accept_ownership", (signer,), ((GOVERNANCE, governance),))


def pause(picture: Picture) -> Drawn:
    governance = some_installation(picture).governance
    signer = picture.account("officer")
    return Drawn("governance::pause", (signer,), ((GOVERNANCE, governance),))


def unpause(picture: Picture) -> Drawn:
    return _governed(picture, "unpause", some_installation(picture).governance)


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
    governance = some_installation(picture).governance
    return _governed(picture, "set_bound", governance, ("u8", which), ("u64", value))


def _governed(picture: Picture, name: str, governance: bytes, *arguments: tuple[str, Any]) -> Drawn:
    signer = owner_of(picture, governance)
    return Drawn(f"governance::{name}", (signer,), ((GOVERNANCE, governance), *arguments))
