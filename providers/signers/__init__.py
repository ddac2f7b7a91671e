"""Whoever keeps our private keys: files for development, Vault for production."""

from providers.signers.building import BadKeys, build_signer
from providers.signers.files import FileSigner, create_key_file, key_names
from providers.signers.vault import VaultSettings, VaultSigner

__all__ = [
    "BadKeys",
    "FileSigner",
    "VaultSettings",
    "VaultSigner",
    "build_signer",
    "create_key_file",
    "key_names",
]
