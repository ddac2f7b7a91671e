"""Who may call: OAuth tokens, the STK password, the initiator's encrypted password.

Facts: reference mpesa.md, sections 2, 4 and 10. Knows no payment.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_CHECKED_CREDENTIALS_MAX = 4096


@dataclass(frozen=True)
class Credentials:
    """What a merchant's app was given on the portal."""

    consumer_key: str
    consumer_secret: str
    shortcode: str
    passkey: str
    payout_shortcode: str
    initiator_name: str
    initiator_password: str


class Tokens:
    """Bearer tokens that have been handed out and have not run out."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._expires_at: dict[str, datetime] = {}

    def issue(self, token: str, *, seconds: int) -> None:
        self._expires_at[token] = self._clock() + timedelta(seconds=seconds)

    def is_valid(self, token: str) -> bool:
        expires_at = self._expires_at.get(token)
        return expires_at is not None and self._clock() < expires_at

    def revoke(self, token: str) -> None:
        self._expires_at.pop(token, None)

    def revoke_all(self) -> None:
        self._expires_at.clear()


class InitiatorLock:
    """Decrypts SecurityCredential with a key pair of its own, as the operator does."""

    def __init__(self, key: rsa.RSAPrivateKey, *, name: str, password: str) -> None:
        self._key = key
        self._name = name
        self._password = password.encode()
        # Decryption costs a millisecond and callers reuse one credential for days.
        self._checked: dict[str, bool] = {}

    def certificate_pem(self) -> bytes:
        """The certificate to encrypt with. Expired for years, like the operator's own two."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mpesa.sandbox.invalid")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2014, 11, 1, tzinfo=UTC))
            .not_valid_after(datetime(2016, 11, 1, tzinfo=UTC))
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def opens(self, name: str, credential: str) -> bool:
        """Whether the name and the password inside the credential are the initiator's."""
        known = self._checked.get(credential)
        if known is None:
            if len(self._checked) >= _CHECKED_CREDENTIALS_MAX:
                self._checked.clear()
            known = self._checked[credential] = self._decrypt(credential) == self._password
        return known and name == self._name

    def _decrypt(self, credential: str) -> bytes | None:
        try:
            return self._key.decrypt(
                base64.b64decode(credential, validate=True), padding.PKCS1v15()
            )
        except (binascii.Error, ValueError):
            return None


@cache
def process_key() -> rsa.RSAPrivateKey:
    """One key pair per process: making one is slow, and tests start many sandboxes."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def stk_password(*, shortcode: str, passkey: str, timestamp: str) -> str:
    """base64(shortcode + passkey + timestamp), section 4."""
    return base64.b64encode(f"{shortcode}{passkey}{timestamp}".encode()).decode()
