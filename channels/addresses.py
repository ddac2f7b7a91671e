"""The addresses operators call us back on: unguessable, verified by a MAC.

`/api/v1/webhooks/<company>/<kind>/<operator code>.<token>`. A token says which attempt it belongs
to, or ANY_ATTEMPT. It spells none of the words that M-PESA refuses in an address, and it is short,
because Orange takes 120 characters: `decisions/0004-addresses-for-operators.md`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from channels.settings import Settings
from engine.clock import AttemptId
from engine.ports import FIXED_KIND, AddressPort, OperatorFacts, OperatorPort, callback_at

PREFIX = "/api/v1/webhooks"
ANY_ATTEMPT = AttemptId("0" * 32)
"""No attempt has this id. Its address is for an operator that calls back on one for them all."""

MAC_BYTES = 12
_MAC_BITS = 8 * MAC_BYTES
TOKEN_LENGTH = 46  # 23 pairs of ten bits for 128 of the attempt's id and 96 of the MAC
# Without c, e, i and q no word that reference mpesa.md (section 11) forbids can be spelled.
_ALPHABET = "0123456789abdfghjklmnoprstuvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_SHIFTS = tuple(range((TOKEN_LENGTH // 2 - 1) * 10, -1, -10))
_IS_TOKEN = re.compile(f"[{_ALPHABET}]{{{TOKEN_LENGTH}}}").fullmatch
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # those of base 32


class Addressed(NamedTuple):
    """What the last word of an address that we made stands for."""

    operator_code: int
    attempt_id: AttemptId


class CallbackAddresses:
    """Makes and verifies callback addresses. The first key signs, every key verifies."""

    def __init__(
        self, public_url: str, keys: Sequence[bytes], companies: Mapping[int, str] | None = None
    ) -> None:
        """`companies`: what each operator is called in the addresses it is given, by its code."""
        self._prefix = public_url + PREFIX
        self._keys = tuple(keys)
        self._companies = dict(companies or {})

    def address(self, operator_code: int, attempt_id: AttemptId) -> str:
        """Without a kind, see `callback_at`. The same as long as the signing key stays."""
        company = self._companies.get(operator_code, "operator")
        token = _write(attempt_id, _mac(self._keys[0], operator_code, attempt_id))
        return f"{self._prefix}/{company}/{operator_code}.{token}"

    def to_register(self, operator_code: int, kind: str = FIXED_KIND) -> str:
        """The address to enter by hand with an operator, for one kind of callback about anything.

        It must be registered anew when the signing key changes and the old one is gone.
        """
        return callback_at(self.address(operator_code, ANY_ATTEMPT), kind)

    def read(self, word: str) -> Addressed | None:
        """What the last word of an address says; None for every one that we never made."""
        code, _, token = word.partition(".")
        if not (code.isascii() and code.isdigit() and len(code) < 6 and str(int(code)) == code):
            return None
        attempt_id = self.verify(int(code), token)
        return None if attempt_id is None else Addressed(int(code), attempt_id)

    def verify(self, operator_code: int, token: str) -> AttemptId | None:
        """The attempt, or None for every token that we never made for this operator."""
        number = _read(token)
        if number is None:
            return None
        attempt_id = AttemptId(f"{number >> _MAC_BITS:032x}")
        mac = (number & (1 << _MAC_BITS) - 1).to_bytes(MAC_BYTES, "big")
        for key in self._keys:
            if hmac.compare_digest(_mac(key, operator_code, attempt_id), mac):
                return attempt_id
        return None


def companies_of(operators: Iterable[OperatorFacts]) -> dict[int, str]:
    """What each operator is called in the addresses it is given."""
    return {facts.code: facts.webhooks[0] for facts in operators}


def _write(attempt_id: str, mac: bytes) -> str:
    number = int(attempt_id, 16) << _MAC_BITS | int.from_bytes(mac, "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def _read(token: str) -> int | None:
    """One number for one token and the other way round: what would not fit is no token."""
    if not _IS_TOKEN(token):
        return None
    number = int(token.translate(_DIGITS), 32)
    return None if number >> 128 + _MAC_BITS else number


def _mac(key: bytes, operator_code: int, attempt_id: str) -> bytes:
    message = f"{operator_code}:{attempt_id}".encode()
    return hashlib.blake2b(message, key=key, digest_size=MAC_BYTES).digest()


def address_faults(settings: Settings, operators: Iterable[OperatorPort]) -> list[str]:
    """What operators would refuse about the addresses they are given, a sentence each.

    It lies in the part that is set: what we add to it spells nothing and has one length.
    """
    ports = list(operators)
    addresses = CallbackAddresses(
        settings.public_url, settings.callback_keys, companies_of(port.facts for port in ports)
    )
    faults = {
        port.facts.name: port.address_fault(addresses.address(port.facts.code, ANY_ATTEMPT))
        for port in ports
        if isinstance(port, AddressPort)
    }
    return [f"{name}: {fault}" for name, fault in sorted(faults.items()) if fault is not None]
