"""A folder of private keys as an installation for development keeps them: one file a key.

Files are AIP-80 text (`ed25519-priv-0x…`) for their owner alone; nothing here prints a key.
"""

from __future__ import annotations

import os
from pathlib import Path

from aptos_sdk.account import Account


class Keyring:
    """The keys of one folder, by name. A key that is asked for and is not there is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # whoever made it before us may have been generous

    def account(self, name: str) -> Account:
        """The account of this key; its address follows from the key. Safe to repeat."""
        file = self.folder / f"{name}.key"
        if not file.exists():
            # The SDK writes a key as AIP-80 text when it is asked for as text.
            write_for_owner(file, f"{Account.generate().private_key}\n")
        return Account.load_key(file.read_text("ascii").strip())


def write_for_owner(file: Path, text: str) -> None:
    """A new file that nobody else can read. Raises FileExistsError."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)


def public_key_of(account: Account) -> bytes:
    """32 bytes."""
    return bytes(account.public_key().to_crypto_bytes())
