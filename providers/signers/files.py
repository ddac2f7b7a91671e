"""Keys in files, for development: one a key, readable by nobody else. It never shows one.

A file `<name>.key` holds one line, `ed25519-priv-0x` and 64 hex digits (Aptos AIP-80), mode 0600,
in a folder 0700. A file that others could read is no key: it is refused until somebody has looked.
"""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.errors import Rejected
from engine.ports import Reason
from providers.signers.names import is_key_name

NAME: Final = "files"
SUFFIX: Final = ".key"
_TEXT = re.compile(r"ed25519-priv-0x([0-9a-fA-F]{64})\n?")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BYTES_MAX: Final = 256


class FileSigner:
    """See `engine.ports.SignerPort`. A key is read when it is first needed and kept in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, Ed25519PrivateKey] = {}

    def __repr__(self) -> str:
        return "FileSigner()"

    async def public_key(self, name: str) -> bytes:
        """Raises Rejected when there is no such key, or others could read it."""
        return self._key(name).public_key().public_bytes_raw()

    async def sign(self, name: str, message: bytes) -> bytes:
        """The same bytes give the same signature (RFC 8032). Raises Rejected as `public_key`."""
        return self._key(name).sign(message)

    async def aclose(self) -> None:
        self._keys.clear()

    def _key(self, name: str) -> Ed25519PrivateKey:
        if name not in self._keys:
            self._keys[name] = _read(self._folder, name)
        return self._keys[name]


def create_key_file(folder: Path, name: str) -> bytes:
    """A new key in a file of its own; its public half, 32 bytes. The folder is made if need be.

    Raises FileExistsError rather than replace a key, Rejected for a folder that others may enter,
    and ValueError for a name that is none.
    """
    if not is_key_name(name):
        raise ValueError("a key's name is small letters, digits, _ and -")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    _check_folder(folder)
    key = Ed25519PrivateKey.generate()
    _write_new(folder / f"{name}{SUFFIX}", f"ed25519-priv-0x{key.private_bytes_raw().hex()}\n")
    return key.public_key().public_bytes_raw()


def key_names(folder: Path) -> list[str]:
    """The names of the keys in a folder, in order; whether each is sound, `FileSigner` tells."""
    names = (path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    return sorted(name for name in names if is_key_name(name))


def _write_new(path: Path, text: str) -> None:
    # Exclusive and closed to others from its first moment: there is no time to read it in.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    is_whole = False
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        is_whole = True
    finally:
        if not is_whole:  # half a key would only be found out when it is needed
            path.unlink()


def _read(folder: Path, name: str) -> Ed25519PrivateKey:
    if not is_key_name(name):
        raise _rejected("a name that no key can have", "name")
    _check_folder(folder)
    try:
        descriptor = os.open(folder / f"{name}{SUFFIX}", os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _rejected(f"no key {name} that can be read", "absent") from error
    with os.fdopen(descriptor, "rb") as file:
        # Of the file that is open, not of whatever has its name by now.
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or _is_open_to_others(found):
            raise _rejected(f"key {name} is not a file of ours alone (mode 0600)", "permissions")
        text = file.read(_BYTES_MAX)
    return _parse(name, text)


def _parse(name: str, text: bytes) -> Ed25519PrivateKey:
    found = _TEXT.fullmatch(text.decode("latin-1"))
    if found is None:
        raise _rejected(f"key {name} is not written as AIP-80 has it", "format")
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(found[1]))


def _check_folder(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise _rejected("no folder of keys", "absent") from error
    if not stat.S_ISDIR(found.st_mode) or _is_open_to_others(found):
        raise _rejected("the folder of keys is not ours alone (mode 0700)", "permissions")


def _is_open_to_others(found: os.stat_result) -> bool:
    return bool(found.st_mode & _OTHERS) or found.st_uid != os.geteuid()


def _rejected(detail: str, code: str) -> Rejected:
    return Rejected(NAME, detail, code=code, reason=Reason.CONFIGURATION)
