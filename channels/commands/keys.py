"""`capp keys`: make keys for development, and show whose they are. A private key is never shown.

Production keys are made inside a vault or an HSM and never leave it; what is made here lies in
files for their owner alone.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from channels.settlement_file import keys_of, read_document
from engine.errors import CappError, StaffMistake
from providers.aptos.sdk import address_of
from providers.signers import build_signer, create_key_file, key_names

Say = Callable[[str], None]

FILE_VARIABLE = "CAPP_SETTLEMENT_FILE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    tasks = parser.add_subparsers(dest="task", required=True)
    create = tasks.add_parser("create", help="make keys in files, for development")
    create.add_argument("names", nargs="+", metavar="NAME")
    show = tasks.add_parser("show", help="public keys and the accounts that follow from them")
    show.add_argument("names", nargs="*", metavar="NAME", help="otherwise all that are in files")
    for task in (create, show):
        task.add_argument(
            "--folder", type=Path, help=f"where they are; otherwise as in {FILE_VARIABLE}"
        )


def run_keys(variables: Mapping[str, str], options: argparse.Namespace, say: Say) -> bool:
    """Carry out one task; whether all of it could be. Raises StaffMistake, Rejected, OSError.

    Creating never writes over a key that is there.
    """
    keys = _keys(variables, options)
    try:
        if options.task == "create":
            return _create(keys, options.names, say)
        return asyncio.run(_show(keys, options.names, say))
    except ValueError as error:  # what they are called, or where they are, makes no sense
        raise StaffMistake(str(error)) from error


def _keys(variables: Mapping[str, str], options: argparse.Namespace) -> Mapping[str, object]:
    if options.folder is not None:
        return {"kind": "file", "folder": str(options.folder)}
    file = variables.get(FILE_VARIABLE, "").strip()
    if not file:
        raise StaffMistake(f"where are the keys? Give --folder, or set {FILE_VARIABLE}")
    return keys_of(read_document(Path(file)))


def _folder(keys: Mapping[str, object]) -> Path:
    if keys.get("kind") != "file":
        raise StaffMistake("these keys are not in files: ask whoever keeps them")
    return Path(str(keys.get("folder", "")))


def _create(keys: Mapping[str, object], names: list[str], say: Say) -> bool:
    folder, well = _folder(keys), True
    for name in names:
        try:
            public_key = create_key_file(folder, name)
        except FileExistsError:
            say(f"{name}: is there already")
            well = False
            continue
        say(_line(name, public_key))
    return well


async def _show(keys: Mapping[str, object], names: list[str], say: Say) -> bool:
    wanted = names or key_names(_folder(keys))
    signer = build_signer(keys)
    well = True
    try:
        for name in wanted:
            try:
                say(_line(name, await signer.public_key(name)))
            except CappError as error:
                say(f"{name}: {error}")
                well = False
    finally:
        await signer.aclose()
    return well


def _line(name: str, public_key: bytes) -> str:
    return f"{name:<24} key 0x{public_key.hex()}  account 0x{address_of(public_key).hex()}"
