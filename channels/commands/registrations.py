"""`capp addresses`: what must be entered by hand with an operator before it can call us back.

Most are told an address with each order; some call back on one for all of them, agreed beforehand.
Asks nobody and changes nothing.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from channels.addresses import CallbackAddresses, companies_of
from channels.settings import Settings
from engine.clock import Clock
from engine.ports import FixedAddressPort, OperatorPort
from providers.registry import build_operators


class Registration(NamedTuple):
    """One operator and the address it must be given. Whoever knows the address can write to it."""

    operator: str
    address: str


async def show_addresses(
    settings: Settings, _: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """One line for each: the operator first, the address last. Always well.

    Raises MissingSettings or ValueError where the operators' settings are of no use.
    """
    built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    try:
        for one in registrations(settings, built):
            say(f"{one.operator:<12} callback address  {one.address}")
    finally:
        for port in built.values():
            await port.aclose()
    return True


def registrations(settings: Settings, operators: Mapping[str, OperatorPort]) -> list[Registration]:
    """Of the operators that are served, by name; the same as long as the signing key stays."""
    addresses = CallbackAddresses(
        settings.public_url,
        settings.callback_keys,
        companies_of(port.facts for port in operators.values()),
    )
    return [
        Registration(name, addresses.to_register(port.facts.code))
        for name, port in _with_one_address(operators)
    ]


def _with_one_address(
    operators: Mapping[str, OperatorPort],
) -> Iterable[tuple[str, OperatorPort]]:
    return (
        (n, port) for n, port in sorted(operators.items()) if isinstance(port, FixedAddressPort)
    )
