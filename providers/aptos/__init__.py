"""Aptos, on which operators' net positions are squared; what is confirmed is in the README."""

from providers.aptos.accounts import Account, Roles
from providers.aptos.adapter import Aptos, AptosSettings
from providers.aptos.answers import Aborted
from providers.aptos.building import (
    BadSettlementFile,
    Reader,
    build_settlement_rail,
    read_settings,
)
from providers.aptos.calls import Contracts, Corridor
from providers.aptos.fees import Budget

__all__ = [
    "Aborted",
    "Account",
    "Aptos",
    "AptosSettings",
    "BadSettlementFile",
    "Budget",
    "Contracts",
    "Corridor",
    "Reader",
    "Roles",
    "build_settlement_rail",
    "read_settings",
]
