"""The settlement file and the file of its salts, read: who reads which part of them.

Windows and corridors are the engine's, the chain is its adapter's, keys are the signer's. Nothing
of a file is ever repeated in a fault but the names of its fields.
"""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from channels.settings import BadSettings, Settings
from engine.plain_yaml import read_yaml

SALT_BYTES = 32
_LOOSE = stat.S_IRWXG | stat.S_IRWXO


def read_document(path: Path) -> Mapping[str, Any]:
    """The whole file. Raises BadSettings for one that is none, OSError where none is."""
    try:
        document = read_yaml(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadSettings("CAPP_SETTLEMENT_FILE: is no YAML") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise BadSettings("CAPP_SETTLEMENT_FILE: wants fields with names")
    return document


def keys_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who keeps our keys. Raises BadSettings."""
    return _part(document, "keys")


def chain_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The chain's own part. Raises BadSettings."""
    return _part(document, "aptos")


def members_of(document: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The operators of each corridor, in order. What makes no sense is left for its reader."""
    corridors = document.get("corridors")
    return {
        str(each.get("name")): [*each.get("members", ())]
        for each in (corridors if isinstance(corridors, list) else ())
        if isinstance(each, dict) and isinstance(each.get("members"), list)
    }


def pegged_to(settings: Settings) -> set[str]:
    """The currency whose rates settlement is priced by; none where nothing is settled.

    Raises BadSettings, and OSError for a file that is not there.
    """
    if settings.settlement is None:
        return set()
    asset = read_document(Path(settings.settlement.file)).get("asset")
    pegged = asset.get("pegged_to") if isinstance(asset, dict) else None
    return {pegged} if isinstance(pegged, str) else set()


def read_salt(path: Path) -> bytes:
    """What leaves are salted with. Raises BadSettings for one that others may read or is none."""
    name = "CAPP_SETTLEMENT_SALT_FILE"
    if path.stat().st_mode & _LOOSE:
        raise BadSettings(f"{name}: others than its owner may read or write it")
    try:
        salt = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        raise BadSettings(f"{name}: is not hexadecimal") from None
    if len(salt) != SALT_BYTES:
        raise BadSettings(f"{name}: wants {SALT_BYTES} bytes")
    return salt


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    if not isinstance(part, dict):
        raise BadSettings(f"CAPP_SETTLEMENT_FILE: {name} is missing")
    return part
