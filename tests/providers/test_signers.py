"""Both keepers of keys against real signatures, and the Vault one against its sandbox's faults."""

import base64
import os
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.ports import Reason, SignerPort
from providers.http import Exchange
from providers.signers import (
    BadKeys,
    FileSigner,
    VaultSettings,
    VaultSigner,
    build_signer,
    create_key_file,
    key_names,
)
from simulator.operators.world import World
from simulator.serving import serving
from simulator.vault import Fault, FaultName, VaultSandbox, vault_app
from tests.providers.company import closed_port
from tests.providers.conftest import HandClock
from tests.providers.subjects import PATIENT

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
        "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
SECRET = VECTORS[1][0]


def write_key(folder: Path, name: str, secret: str, *, mode: int = 0o600) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.key"
    path.write_text(f"ed25519-priv-0x{secret}\n")
    path.chmod(mode)
    return path


@pytest.fixture
async def sandbox(clock: HandClock) -> VaultSandbox:
    return VaultSandbox(World(clock=lambda: datetime.fromtimestamp(clock.epoch(), UTC)))


@pytest.fixture
async def vault_url(sandbox: VaultSandbox) -> AsyncIterator[str]:
    async with serving({"vault": (vault_app(sandbox), 0)}) as urls:
        yield urls["vault"]


@pytest.fixture
async def vault(
    sandbox: VaultSandbox,
    vault_url: str,
    tmp_path: Path,
    clock: HandClock,
    traced: list[Exchange],
) -> AsyncIterator[VaultSigner]:
    token_file = tmp_path / "token"
    token_file.write_text(sandbox.make_token() + "\n")
    signer = VaultSigner(
        VaultSettings(vault_url, token_file, timeouts=PATIENT), clock=clock, trace=traced.append
    )
    yield signer
    await signer.aclose()


@pytest.fixture(params=["file", "vault"])
def keep(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: VaultSandbox, vault: VaultSigner
) -> Callable[[str, str], SignerPort]:
    """Give a secret to keep under a name; the signer that has it now."""

    def in_file(name: str, secret: str) -> SignerPort:
        write_key(tmp_path / "keys", name, secret)
        return FileSigner(tmp_path / "keys")

    def in_vault(name: str, secret: str) -> SignerPort:
        sandbox.make_key(name, bytes.fromhex(secret))
        return vault

    return in_file if request.param == "file" else in_vault


# Both.


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
async def test_signatures_are_those_of_rfc_8032(
    keep: Callable[[str, str], SignerPort],
    secret: str,
    public: str,
    message: str,
    signature: str,
) -> None:
    signer = keep("submitter_1", secret)
    assert (await signer.public_key("submitter_1")).hex() == public
    assert (await signer.sign("submitter_1", bytes.fromhex(message))).hex() == signature
    # A repeat is the same signature: what was stored before a crash can be made again.
    assert (await signer.sign("submitter_1", bytes.fromhex(message))).hex() == signature


@pytest.mark.parametrize("name", ["absent", "../token", "a/b", "", "A", "x" * 65])
async def test_a_key_that_is_not_there_is_our_configuration(
    keep: Callable[[str, str], SignerPort], name: str
) -> None:
    signer = keep("submitter_1", SECRET)
    for ask in (signer.public_key(name), signer.sign(name, b"m")):
        with pytest.raises(Rejected) as refused:
            await ask
        assert refused.value.reason == Reason.CONFIGURATION


async def test_no_repr_and_no_error_shows_a_key(keep: Callable[[str, str], SignerPort]) -> None:
    signer = keep("submitter_1", SECRET)
    await signer.sign("submitter_1", b"m")
    told = [repr(signer), str(signer)]
    with pytest.raises(Rejected) as refused:
        await signer.sign("absent", b"m")
    told += [str(refused.value), repr(refused.value)]
    assert not any(SECRET in text or "hvs." in text for text in told)


# Files.


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o601])
async def test_a_file_that_others_could_use_is_no_key(tmp_path: Path, mode: int) -> None:
    write_key(tmp_path / "keys", "sponsor", SECRET, mode=mode)
    with pytest.raises(Rejected, match="0600") as refused:
        await FileSigner(tmp_path / "keys").sign("sponsor", b"m")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o755])
async def test_a_folder_that_others_may_enter_holds_no_keys(tmp_path: Path, mode: int) -> None:
    write_key(tmp_path / "keys", "sponsor", SECRET)
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(Rejected, match="0700"):
        await FileSigner(tmp_path / "keys").public_key("sponsor")
    with pytest.raises(Rejected, match="0700"):
        create_key_file(tmp_path / "keys", "other")


async def test_a_link_is_no_key(tmp_path: Path) -> None:
    elsewhere = write_key(tmp_path / "elsewhere", "sponsor", SECRET)
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "sponsor.key").symlink_to(elsewhere)
    with pytest.raises(Rejected):
        await FileSigner(tmp_path / "keys").sign("sponsor", b"m")


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"0x{SECRET}",
        f"ed25519-priv-0x{SECRET[:-2]}",
        f"ed25519-priv-0x{SECRET}00",
        f"secp256k1-priv-0x{SECRET}",
        f"ed25519-priv-0x{SECRET}\n\n",
        '{"private_key": "0x00"}',
        "\xff" * 64,
    ],
)
async def test_a_file_with_another_text_is_no_key(tmp_path: Path, text: str) -> None:
    path = write_key(tmp_path / "keys", "sponsor", SECRET)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Rejected) as refused:
        await FileSigner(tmp_path / "keys").sign("sponsor", b"m")
    assert SECRET not in repr(refused.value) + str(refused.value.__cause__)


async def test_a_made_key_is_ours_alone_and_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    mask = os.umask(0)
    try:
        public_key = create_key_file(folder, "sponsor")
    finally:
        os.umask(mask)
    path = folder / "sponsor.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    signer = FileSigner(folder)
    assert await signer.public_key("sponsor") == public_key
    signature = await signer.sign("sponsor", b"message")
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"message")
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_key_file(folder, "sponsor")
    assert path.read_bytes() == before
    create_key_file(folder, "arbiter")
    assert key_names(folder) == ["arbiter", "sponsor"]


@pytest.mark.parametrize("name", ["", "../sponsor", "Sponsor", "a.b"])
def test_a_key_is_not_made_under_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        create_key_file(tmp_path / "keys", name)


# Vault.


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("permission_denied", Rejected),
        ("sealed", Throttled),
        ("standby", Throttled),
        ("error_500", OutcomeUnknown),
        ("error_502", OutcomeUnknown),
        ("html_200", Unreadable),
        ("truncated_json", Unreadable),
        ("wrong_signature", Unreadable),
        ("reset", OutcomeUnknown),
    ],
)
async def test_every_fault_of_vault_is_told_apart_and_the_next_call_works(
    sandbox: VaultSandbox, vault: VaultSigner, fault: FaultName, error: type[ProviderError]
) -> None:
    public_key = sandbox.make_key("sponsor")
    await vault.public_key("sponsor")
    sandbox.faults.append(Fault(fault))
    with pytest.raises(error) as raised:
        await vault.sign("sponsor", b"message")
    assert type(raised.value) is error
    assert "hvs." not in str(raised.value)
    signature = await vault.sign("sponsor", b"message")
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"message")


async def test_a_sealed_vault_signs_nothing_until_it_is_open(
    sandbox: VaultSandbox, vault: VaultSigner, vault_url: str
) -> None:
    sandbox.make_key("sponsor")
    async with httpx.AsyncClient(timeout=60) as client:
        await client.post(f"{vault_url}/_sandbox/seal")
        with pytest.raises(Throttled):
            await vault.sign("sponsor", b"m")
        await client.post(f"{vault_url}/_sandbox/unseal")
    assert len(await vault.sign("sponsor", b"m")) == 64


async def test_a_vault_that_is_not_there_is_unreachable(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "token").write_text("hvs.x")
    settings = VaultSettings(f"http://127.0.0.1:{closed_port()}", tmp_path / "token")
    signer = VaultSigner(settings, clock=clock)
    with pytest.raises(Unreachable):
        await signer.sign("sponsor", b"m")
    await signer.aclose()


async def test_a_rotated_key_keeps_signing_with_the_version_its_address_follows_from(
    sandbox: VaultSandbox, vault: VaultSigner, tmp_path: Path, clock: HandClock, vault_url: str
) -> None:
    first = sandbox.make_key("sponsor")
    second = sandbox.make_key("sponsor")
    assert await vault.public_key("sponsor") == first
    Ed25519PublicKey.from_public_bytes(first).verify(await vault.sign("sponsor", b"m"), b"m")
    newer = VaultSigner(
        VaultSettings(vault_url, tmp_path / "token", versions={"sponsor": 2}), clock=clock
    )
    assert await newer.public_key("sponsor") == second
    Ed25519PublicKey.from_public_bytes(second).verify(await newer.sign("sponsor", b"m"), b"m")
    absent = VaultSigner(
        VaultSettings(vault_url, tmp_path / "token", versions={"sponsor": 3}), clock=clock
    )
    with pytest.raises(Rejected, match="version 3"):
        await absent.sign("sponsor", b"m")
    for signer in (newer, absent):
        await signer.aclose()


async def test_the_token_is_renewed_before_it_ends(
    sandbox: VaultSandbox, vault: VaultSigner, tmp_path: Path, clock: HandClock
) -> None:
    sandbox.make_key("sponsor")
    token = (tmp_path / "token").read_text().strip()
    for _ in range(10):
        await vault.sign("sponsor", b"m")
        clock.seconds += 1200
    # Twelve thousand seconds with a token of one hour: not one call was refused.
    assert 5 <= sandbox.renewals(token) <= 10


async def test_a_token_that_was_replaced_in_its_file_is_used_at_once(
    sandbox: VaultSandbox, vault: VaultSigner, tmp_path: Path, clock: HandClock
) -> None:
    sandbox.make_key("sponsor")
    await vault.sign("sponsor", b"m")
    clock.seconds += 4000
    with pytest.raises(Rejected):
        await vault.sign("sponsor", b"m")
    (tmp_path / "token").write_text(sandbox.make_token())
    assert len(await vault.sign("sponsor", b"m")) == 64


@pytest.mark.parametrize("text", ["", "two words", "\x00"])
async def test_a_token_that_is_none_is_our_configuration(
    vault: VaultSigner, tmp_path: Path, text: str
) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(Rejected) as refused:
        await vault.sign("sponsor", b"m")
    assert refused.value.reason == Reason.CONFIGURATION


async def test_no_trace_of_vault_shows_a_token_a_message_or_a_signature(
    sandbox: VaultSandbox, vault: VaultSigner, tmp_path: Path, traced: list[Exchange]
) -> None:
    sandbox.make_key("sponsor")
    message = b"what nobody may read of it"
    signature = await vault.sign("sponsor", message)
    shown = "".join(map(repr, traced))
    assert {exchange.operation for exchange in traced} == {"renew", "key", "sign"}
    for secret in (message, signature):
        assert base64.b64encode(secret).decode() not in shown
    assert (tmp_path / "token").read_text().strip() not in shown


async def test_the_message_reaches_vault_as_it_is(
    sandbox: VaultSandbox, vault: VaultSigner
) -> None:
    public_key = sandbox.make_key("sponsor")
    for message in (b"", bytes(range(256)), b"\xff" * 5000):
        signature = await vault.sign("sponsor", message)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)


# Building.


def test_the_kind_of_keys_chooses_the_signer(tmp_path: Path) -> None:
    built = build_signer({"kind": "file", "folder": str(tmp_path)})
    assert isinstance(built, FileSigner)
    vault = {"kind": "vault", "url": "https://vault.example:8200", "token_file": "/run/token"}
    assert isinstance(build_signer(vault), VaultSigner)


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ({}, ["keys.kind"]),
        ({"kind": "hsm"}, ["keys.kind"]),
        ({"kind": "file"}, ["keys.folder"]),
        ({"kind": "file", "folder": "", "secret": "x"}, ["keys.secret", "keys.folder"]),
        (
            {"kind": "vault", "url": "vault", "mount": 5, "versions": {"a": 0}, "token": "x"},
            ["keys.token ", "keys.token_file", "keys.url", "keys.mount", "keys.versions"],
        ),
        (
            {"kind": "vault", "url": "http://v:1", "token_file": "t", "mount": "../sys"},
            ["mount"],
        ),
    ],
)
def test_every_fault_of_the_keys_is_named_at_once(
    keys: dict[str, object], faults: list[str]
) -> None:
    with pytest.raises(BadKeys) as bad:
        build_signer(keys)
    assert len(bad.value.faults) == len(faults)
    assert all(any(part in fault for fault in bad.value.faults) for part in faults)
