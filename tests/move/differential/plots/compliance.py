"""Plots of the compliance contract."""

from __future__ import annotations

from typing import Any

from simulator.devnet.addresses import sha3
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import BYTES, GOVERNANCE, REGISTRY, Picture
from tests.move.differential.plots.choices import some_hash, some_installation


def create_registry(picture: Picture) -> Drawn:
    seed = picture.chance.choice([b"book", b"register", b"r"])
    governance = some_installation(picture).governance
    arguments = ((GOVERNANCE, governance), (BYTES, seed))
    return Drawn("compliance::create", (picture.somebody(),), arguments)


def attest(picture: Picture) -> Drawn:
    return _official(
        picture,
        "attest",
        (BYTES, picture.chance.choice(picture.subjects)),
        (BYTES, some_hash(picture)),
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
    return _official(picture, "report", period, (BYTES, some_hash(picture)), ("u64", 7))


def _official(picture: Picture, name: str, *arguments: tuple[str, Any]) -> Drawn:
    registry = some_installation(picture).registry
    signer = picture.account("officer")
    return Drawn(f"compliance::{name}", (signer,), ((REGISTRY, registry), *arguments))


def _listed(picture: Picture, name: str, *arguments: tuple[str, Any]) -> Drawn:
    drawn = _official(picture, name)
    version = picture.number("compliance::list_version", *drawn.arguments)
    version += picture.chance.choice([0, 0, 1, 1, 1, -1])
    listed = (*drawn.arguments, ("u64", max(version, 0)), *arguments)
    return Drawn(drawn.name, drawn.signers, listed)
