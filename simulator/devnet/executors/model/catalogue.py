"""All contracts of the model, and which kind of thing stands for which resource."""

from __future__ import annotations

from typing import Any

from simulator.devnet.executors.model import chain
from simulator.devnet.executors.model.approvals import APPROVALS
from simulator.devnet.executors.model.assets import ASSETS, Metadata, Store
from simulator.devnet.executors.model.compliance import COMPLIANCE, Registry
from simulator.devnet.executors.model.contract import Contract
from simulator.devnet.executors.model.disputes import DISPUTES
from simulator.devnet.executors.model.governance import GOVERNANCE, Governance
from simulator.devnet.executors.model.liquidity import LIQUIDITY, Pool
from simulator.devnet.executors.model.objects import OBJECTS, ObjectCore
from simulator.devnet.executors.model.primary import PRIMARY
from simulator.devnet.executors.model.settlement import SETTLEMENT, Corridor
from simulator.devnet.executors.model.test_asset import TEST_ASSET
from simulator.devnet.executors.resolving import functions_of

CONTRACTS: dict[tuple[bytes, str], Contract] = {
    (contract.address, contract.name): contract
    for contract in (
        chain.CHAIN_ID,
        chain.TIMESTAMP,
        OBJECTS,
        ASSETS,
        PRIMARY,
        GOVERNANCE,
        COMPLIANCE,
        LIQUIDITY,
        SETTLEMENT,
        APPROVALS,
        DISPUTES,
        TEST_ASSET,
    )
}
FUNCTIONS = {place: functions_of(contract.abi()) for place, contract in CONTRACTS.items()}
RESOURCES: dict[str, type[Any]] = {
    "0x1::object::ObjectCore": ObjectCore,
    "0x1::fungible_asset::Metadata": Metadata,
    "0x1::fungible_asset::FungibleStore": Store,
    "0xca01::governance::Governance": Governance,
    "0xca02::compliance::Registry": Registry,
    "0xca03::liquidity::Pool": Pool,
    "0xca04::settlement::Corridor": Corridor,
}
