"""Airtel's private keys: they open PINs and check signatures. Facts: airtel-money.md, section 9."""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

PinPadding = Literal["pkcs1v15", "oaep-sha256", "oaep-sha1"]


class KeyPair:
    """One RSA key, made when it is first wanted; callers are given its public half."""

    def __init__(self, *, bits: int) -> None:
        self._bits = bits

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=self._bits)

    @property
    def public_text(self) -> str:
        """Base64 of the SubjectPublicKeyInfo, without PEM lines."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def open(self, text: str, pin_padding: PinPadding) -> bytes | None:
        """What was sealed; None when it was sealed otherwise, or for another key."""
        try:
            sealed = base64.b64decode(text, validate=True)
            return self._key.decrypt(sealed, _padding(pin_padding))
        except (ValueError, binascii.Error):
            return None

    def has_signed(self, body: bytes, signature: str, key: str) -> bool:
        """Whether `x-signature` is these very bytes under the AES key in `x-key`."""
        told = self.open(key, "pkcs1v15")
        if told is None:
            return False
        try:
            secret, start = (base64.b64decode(part, validate=True) for part in told.split(b":"))
            return _encrypted(body, secret, start) == signature
        except ValueError:  # PKCS#1 v1.5 opens a stranger's text to random bytes
            return False


def _padding(name: PinPadding) -> padding.AsymmetricPadding:
    if name == "pkcs1v15":
        return padding.PKCS1v15()
    if name == "oaep-sha256":
        return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - theirs


def _encrypted(body: bytes, secret: bytes, start: bytes) -> str:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(start)).encryptor()
    padded = padder.update(body) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
