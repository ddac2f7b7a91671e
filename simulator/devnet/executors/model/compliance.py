"""`capp_compliance::compliance`: attestations, bars and report roots, by hashes alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.addresses import ZERO, object_address, sha3
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model import objects
from simulator.devnet.executors.model.contract import SIGNER, Category, Contract, object_of
from simulator.devnet.executors.model.governance import Role
from simulator.devnet.executors.model.world import Frame

COMPLIANCE = Contract(
    0xCA02,
    "compliance",
    events={
        "Created": {
            "registry": "address",
            "governance": "address",
            "creator": "address",
            "seed": "vector<u8>",
        },
        "Attested": {
            "registry": "address",
            "subject": "vector<u8>",
            "hash": "vector<u8>",
            "issuer": "address",
            "level_before": "u8",
            "level": "u8",
            "expires_at_before": "u64",
            "expires_at": "u64",
        },
        "AttestationRevoked": {
            "registry": "address",
            "subject": "vector<u8>",
            "hash": "vector<u8>",
            "issuer": "address",
            "level": "u8",
            "expires_at": "u64",
        },
        "ListVersionSet": {"registry": "address", "before": "u64", "after": "u64"},
        "Barred": {
            "registry": "address",
            "subject": "vector<u8>",
            "reason_before": "u8",
            "reason": "u8",
            "list_version": "u64",
        },
        "Unbarred": {
            "registry": "address",
            "subject": "vector<u8>",
            "reason_before": "u8",
            "list_version": "u64",
        },
        "Reported": {
            "registry": "address",
            "period": "u64",
            "root": "vector<u8>",
            "count": "u64",
        },
    },
)
OBJECT = object_of("0xca02::compliance::Registry")
HASH_BYTES = 32
SUBJECTS_MAX = 500
ATTESTATION_SECONDS_MAX = 157_680_000


class Reason(IntEnum):
    """Why compliance says no."""

    BARRED = 1
    HASH_LENGTH = 2
    NO_ISSUER = 3
    NO_LEVEL = 4
    EXPIRY = 5
    LIST_VERSION = 6
    REASON_COUNT = 7
    NO_REASON = 8
    TOO_MANY = 9
    REPORT_EXISTS = 10


class Registry(NamedTuple):
    """One installation's book. What is in it are items of their own."""

    governance: bytes
    list_version: int


class Attestation(NamedTuple):
    """Kept under (registry, subject)."""

    hash: bytes
    issuer: bytes
    level: int
    expires_at: int


class Bar(NamedTuple):
    """Kept under (registry, subject)."""

    reason: int
    list_version: int


class Report(NamedTuple):
    """Kept under (registry, period)."""

    root: bytes
    line_count: int


_FREE = Bar(reason=0, list_version=0)
_NOT_ATTESTED = Attestation(hash=b"", issuer=ZERO, level=0, expires_at=0)


@COMPLIANCE.view("address", "vector<u8>", returns=("address",))
def address_of(_: Frame, creator: bytes, seed: bytes) -> bytes:
    return object_address(creator, seed)


@COMPLIANCE.view(OBJECT, returns=(governed.OBJECT,))
def governance_of(frame: Frame, registry: bytes) -> bytes:
    return frame.get(Registry, registry).governance


@COMPLIANCE.view("address", returns=("vector<u8>",))
def subject_of(frame: Frame, who: bytes) -> bytes:
    frame.spend("hash")
    return sha3(who)


@COMPLIANCE.view(OBJECT, "vector<u8>", returns=("bool", "vector<u8>", "address", "u8", "u64"))
def attestation(
    frame: Frame, registry: bytes, subject: bytes
) -> tuple[bool, bytes, bytes, int, int]:
    found = _attestation(frame, registry, subject)
    return found.level > 0, *found


@COMPLIANCE.view(OBJECT, "vector<u8>", "u8", returns=("bool",))
def is_attested(frame: Frame, registry: bytes, subject: bytes, level: int) -> bool:
    found = _attestation(frame, registry, subject)
    return 0 < found.level >= level and frame.now_seconds < found.expires_at


@COMPLIANCE.view(OBJECT, "vector<u8>", returns=("bool",))
def is_barred(frame: Frame, registry: bytes, subject: bytes) -> bool:
    return reason_of(frame, registry, subject) > 0


@COMPLIANCE.view(OBJECT, "vector<u8>", returns=("u8",))
def reason_of(frame: Frame, registry: bytes, subject: bytes) -> int:
    return bar_of(frame, registry, subject).reason


@COMPLIANCE.view(OBJECT, "vector<u8>", returns=("u8", "u64"))
def bar_of(frame: Frame, registry: bytes, subject: bytes) -> Bar:
    frame.get(Registry, registry)
    return frame.find(Bar, registry, subject) or _FREE


@COMPLIANCE.view(OBJECT, returns=("u64",))
def list_version(frame: Frame, registry: bytes) -> int:
    return frame.get(Registry, registry).list_version


@COMPLIANCE.view(OBJECT, "u64", returns=("bool", "vector<u8>", "u64"))
def report_of(frame: Frame, registry: bytes, period: int) -> tuple[bool, bytes, int]:
    frame.get(Registry, registry)
    found = frame.find(Report, registry, period)
    return (False, b"", 0) if found is None else (True, found.root, found.line_count)


@COMPLIANCE.entry(SIGNER, governed.OBJECT, "vector<u8>")
def create(frame: Frame, creator: bytes, governance: bytes, seed: bytes) -> None:
    address = objects.create_named(frame, creator, seed, ungated=False)
    frame.put(Registry(governance=governance, list_version=0), address)
    COMPLIANCE.emit(
        frame, "Created", registry=address, governance=governance, creator=creator, seed=seed
    )


@COMPLIANCE.entry(SIGNER, OBJECT, "vector<u8>", "vector<u8>", "address", "u8", "u64")
def attest(
    frame: Frame,
    officer: bytes,
    registry: bytes,
    subject: bytes,
    attestation_hash: bytes,
    issuer: bytes,
    level: int,
    expires_at: int,
) -> None:
    governed.assert_not_paused(frame, frame.get(Registry, registry).governance)
    _assert_officer(frame, officer, registry)
    _assert_hash(subject)
    _assert_hash(attestation_hash)
    COMPLIANCE.demand(issuer != ZERO, Category.INVALID_ARGUMENT, Reason.NO_ISSUER)
    COMPLIANCE.demand(level > 0, Category.INVALID_ARGUMENT, Reason.NO_LEVEL)
    in_time = frame.now_seconds < expires_at <= frame.now_seconds + ATTESTATION_SECONDS_MAX
    COMPLIANCE.demand(in_time, Category.OUT_OF_RANGE, Reason.EXPIRY)
    before = _attestation(frame, registry, subject)
    after = Attestation(attestation_hash, issuer, level, expires_at)
    if before == after:
        return
    frame.put(after, registry, subject)
    COMPLIANCE.emit(
        frame,
        "Attested",
        registry=registry,
        subject=subject,
        hash=attestation_hash,
        issuer=issuer,
        level_before=before.level,
        level=level,
        expires_at_before=before.expires_at,
        expires_at=expires_at,
    )


@COMPLIANCE.entry(SIGNER, OBJECT, "vector<u8>")
def revoke_attestation(frame: Frame, officer: bytes, registry: bytes, subject: bytes) -> None:
    _assert_officer(frame, officer, registry)
    _assert_hash(subject)
    found = frame.find(Attestation, registry, subject)
    if found is None:
        return
    frame.drop(Attestation, registry, subject)
    COMPLIANCE.emit(
        frame, "AttestationRevoked", registry=registry, subject=subject, **found._asdict()
    )


@COMPLIANCE.entry(SIGNER, OBJECT, "u64", "vector<vector<u8>>", "vector<u8>")
def bar(
    frame: Frame,
    officer: bytes,
    registry: bytes,
    version: int,
    subjects: Sequence[bytes],
    reasons: bytes,
) -> None:
    _assert_officer(frame, officer, registry)
    _assert_not_too_many(subjects)
    COMPLIANCE.demand(len(subjects) == len(reasons), Category.INVALID_ARGUMENT, Reason.REASON_COUNT)
    _move_list(frame, registry, version)
    for subject, reason in zip(subjects, reasons, strict=True):
        _bar_one(frame, registry, version, subject, reason)


@COMPLIANCE.entry(SIGNER, OBJECT, "u64", "vector<vector<u8>>")
def unbar(
    frame: Frame, officer: bytes, registry: bytes, version: int, subjects: Sequence[bytes]
) -> None:
    governed.assert_not_paused(frame, frame.get(Registry, registry).governance)
    _assert_officer(frame, officer, registry)
    _assert_not_too_many(subjects)
    _move_list(frame, registry, version)
    for subject in subjects:
        _unbar_one(frame, registry, version, subject)


@COMPLIANCE.entry(SIGNER, OBJECT, "u64", "vector<u8>", "u64")
def report(
    frame: Frame, officer: bytes, registry: bytes, period: int, root: bytes, count: int
) -> None:
    _assert_officer(frame, officer, registry)
    _assert_hash(root)
    COMPLIANCE.demand(
        frame.find(Report, registry, period) is None,
        Category.ALREADY_EXISTS,
        Reason.REPORT_EXISTS,
    )
    frame.put(Report(root, count), registry, period)
    COMPLIANCE.emit(frame, "Reported", registry=registry, period=period, root=root, count=count)


def assert_clear(frame: Frame, registry: bytes, who: bytes) -> None:
    """Abort when the account's subject is barred."""
    barred = is_barred(frame, registry, subject_of(frame, who))
    COMPLIANCE.demand(not barred, Category.PERMISSION_DENIED, Reason.BARRED)


def _attestation(frame: Frame, registry: bytes, subject: bytes) -> Attestation:
    frame.get(Registry, registry)
    found = frame.find(Attestation, registry, subject)
    return _NOT_ATTESTED if found is None else found


def _assert_officer(frame: Frame, officer: bytes, registry: bytes) -> None:
    governance = frame.get(Registry, registry).governance
    governed.assert_role(frame, governance, officer, Role.COMPLIANCE_OFFICER)


def _assert_hash(hash: bytes) -> None:
    COMPLIANCE.demand(len(hash) == HASH_BYTES, Category.INVALID_ARGUMENT, Reason.HASH_LENGTH)


def _assert_not_too_many(subjects: Sequence[bytes]) -> None:
    COMPLIANCE.demand(len(subjects) <= SUBJECTS_MAX, Category.INVALID_ARGUMENT, Reason.TOO_MANY)


def _move_list(frame: Frame, registry: bytes, after: int) -> None:
    now = frame.get(Registry, registry)
    COMPLIANCE.demand(0 < after >= now.list_version, Category.INVALID_ARGUMENT, Reason.LIST_VERSION)
    if after == now.list_version:
        return
    frame.put(now._replace(list_version=after), registry)
    COMPLIANCE.emit(
        frame, "ListVersionSet", registry=registry, before=now.list_version, after=after
    )


def _bar_one(frame: Frame, registry: bytes, version: int, subject: bytes, reason: int) -> None:
    _assert_hash(subject)
    COMPLIANCE.demand(reason > 0, Category.INVALID_ARGUMENT, Reason.NO_REASON)
    before = reason_of(frame, registry, subject)
    if reason == before:
        return
    frame.put(Bar(reason, version), registry, subject)
    COMPLIANCE.emit(
        frame,
        "Barred",
        registry=registry,
        subject=subject,
        reason_before=before,
        reason=reason,
        list_version=version,
    )


def _unbar_one(frame: Frame, registry: bytes, version: int, subject: bytes) -> None:
    _assert_hash(subject)
    found = frame.find(Bar, registry, subject)
    if found is None:
        return
    frame.drop(Bar, registry, subject)
    COMPLIANCE.emit(
        frame,
        "Unbarred",
        registry=registry,
        subject=subject,
        reason_before=found.reason,
        list_version=version,
    )
