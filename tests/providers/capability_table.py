"""The table of capabilities in `providers/README.md`: `python -m tests.providers.capability_table`
writes it anew from every adapter in the registry.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization

from engine.clock import Clock
from engine.ports import OperatorPort
from providers.capabilities import table_of
from providers.environment import MissingSettings
from providers.registry import OPERATORS, build_operators
from tests.providers.subjects import certificate_pem, safaricom_key

README = Path(__file__).parent.parent.parent / "providers" / "README.md"
BEGIN, END = "<!-- capabilities -->\n", "<!-- end of capabilities -->\n"


def plausible(name: str) -> str:
    """A value that makes sense for a variable that must be set."""
    key = safaricom_key().public_key()
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    by_ending = {
        "_URL": "http://127.0.0.1:1",
        "_CERTIFICATE": certificate_pem().decode(),
        "_PUBLIC_KEY": pem.decode(),
        "_SHORTCODE": "174379",
        "_MERCHANT_CODE": "123456",
        "_MSISDN": "771234567",
    }
    return next((value for ending, value in by_ending.items() if name.endswith(ending)), "1234")


def all_ports() -> list[OperatorPort]:
    """One adapter for every name in the registry, with nothing set that need not be."""
    try:
        return list(build_operators({}, clock=Clock(), names=OPERATORS).values())
    except MissingSettings as error:
        variables = {name: plausible(name) for name in error.names}
    return list(build_operators(variables, clock=Clock(), names=OPERATORS).values())


def written() -> str:
    """The part of the README between the marks. Raises ValueError when a mark lacks."""
    text = README.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[start:end]


def write() -> None:
    text = README.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + table_of(all_ports()) + text[end:])


if __name__ == "__main__":
    write()
