"""Airtel's public key at work: the sealed PIN and the signature of a request. Pure.

Facts: reference `airtel-money.md`, section 9. It refuses to know where the key came from.
"""

import base64
import binascii
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_AES_KEY_BYTES = 32
_BLOCK_BYTES = 16


class Padding(StrEnum):
    """How a PIN is padded; the wrong one comes back as ROUTER116."""

    PKCS1V15 = "pkcs1v15"
    OAEP_SHA256 = "oaep-sha256"
    OAEP_SHA1 = "oaep-sha1"


@lru_cache(maxsize=64)
def read_public_key(text: str) -> RSAPublicKey:
    """A base64 SubjectPublicKeyInfo, with or without PEM lines. Raises ValueError."""
    body = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        key = serialization.load_der_public_key(base64.b64decode(body, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("Airtel Money: no public key in base64") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("Airtel Money: no RSA key")
    return key


def seal_pin(pin: str, key: RSAPublicKey, padding: Padding) -> str:
    """The PIN for Airtel's eyes; differs at every call."""
    return _seal(pin.encode(), key, padding)


def sign(body: bytes, key: RSAPublicKey, random: Callable[[int], bytes]) -> tuple[str, str]:
    """`x-signature` and `x-key` of exactly these bytes. `random` gives so many random bytes."""
    secret, start = random(_AES_KEY_BYTES), random(_BLOCK_BYTES)
    told = f"{base64.b64encode(secret).decode()}:{base64.b64encode(start).decode()}"
    return encrypted(body, secret, start), _seal(told.encode(), key, Padding.PKCS1V15)


def encrypted(body: bytes, secret: bytes, start: bytes) -> str:
    """AES-256 in CBC mode over the padded body, in base64."""
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    padded = padder.update(body) + padder.finalize()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def _seal(plain: bytes, key: RSAPublicKey, padding: Padding) -> str:
    if padding is Padding.PKCS1V15:
        return base64.b64encode(key.encrypt(plain, PKCS1v15())).decode()
    digest = hashes.SHA256() if padding is Padding.OAEP_SHA256 else hashes.SHA1()  # noqa: S303 - theirs
    oaep = OAEP(mgf=MGF1(type(digest)()), algorithm=digest, label=None)
    return base64.b64encode(key.encrypt(plain, oaep)).decode()
