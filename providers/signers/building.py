"""The `keys:` part of the settlement file -> a signer, by its kind. No key is read here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from engine.clock import Clock
from engine.ports import SignerPort
from providers.http import Trace, no_trace
from providers.signers.files import FileSigner
from providers.signers.names import is_key_name
from providers.signers.vault import VaultSettings, VaultSigner

Build = Callable[[Mapping[str, Any], list[str], Clock, Trace], SignerPort | None]


class BadKeys(ValueError):
    """What is wrong with the `keys:` part: all of it at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def build_signer(
    keys: Mapping[str, Any], trace: Trace = no_trace, *, clock: Clock | None = None
) -> SignerPort:
    """`{kind: file, folder: …}` or `{kind: vault, url: …, token_file: …}`. Raises BadKeys."""
    if not isinstance(keys, Mapping):
        raise BadKeys(["keys must be a mapping"])
    build = SIGNERS.get(str(keys.get("kind")))
    if build is None:
        raise BadKeys([f"keys.kind must be one of {', '.join(SIGNERS)}"])
    faults: list[str] = []
    signer = build(keys, faults, clock or Clock(), trace)
    if faults or signer is None:
        raise BadKeys(faults)
    return signer


def _file(keys: Mapping[str, Any], faults: list[str], _: Clock, __: Trace) -> SignerPort | None:
    _refuse_others(keys, faults, {"kind", "folder"})
    folder = _path(keys, faults, "folder")
    return None if folder is None else FileSigner(folder)


def _vault(
    keys: Mapping[str, Any], faults: list[str], clock: Clock, trace: Trace
) -> SignerPort | None:
    _refuse_others(keys, faults, {"kind", "url", "token_file", "mount", "versions"})
    token_file, url = _path(keys, faults, "token_file"), keys.get("url")
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        faults.append("keys.url must be http(s)://host[:port]")
    mount, versions = keys.get("mount", "transit"), keys.get("versions", {})
    if not isinstance(mount, str):
        faults.append("keys.mount must be a path")
    if not _are_versions(versions):
        faults.append("keys.versions must be numbers above zero by the names of keys")
    if faults or token_file is None:
        return None
    try:
        settings = VaultSettings(str(url).rstrip("/"), token_file, str(mount), dict(versions))
        return VaultSigner(settings, clock=clock, trace=trace)
    except ValueError as error:
        faults.append(f"keys: {error}")
        return None


def _are_versions(versions: Any) -> bool:
    return isinstance(versions, Mapping) and all(
        is_key_name(str(name)) and type(version) is int and version > 0
        for name, version in versions.items()
    )


def _path(keys: Mapping[str, Any], faults: list[str], name: str) -> Path | None:
    text = keys.get(name)
    if not isinstance(text, str) or not text.strip():
        faults.append(f"keys.{name} must be a path")
        return None
    return Path(text)


def _refuse_others(keys: Mapping[str, Any], faults: list[str], known: set[str]) -> None:
    faults.extend(
        f"keys.{name} is nothing that is known here"
        for name in sorted(map(str, keys.keys() - known))
    )


SIGNERS: Final[Mapping[str, Build]] = {"file": _file, "vault": _vault}
"""By the word that `keys.kind` has. One more kind is one more line and one more module."""
