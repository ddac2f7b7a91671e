"""What settlement asks of the outside, built from the settlement file: the rail, and our keys.

It reads no database, so that `capp doctor` can look where there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.settings import BadSettings, SettlementSettings
from channels.settlement_file import (
    chain_of,
    keys_of,
    members_of,
    read_document,
    read_salt,
)
from engine.payments.settlement.rules import Rules, read_rules
from engine.ports import SignerPort
from providers.aptos import Aptos, build_settlement_rail, read_settings
from providers.http import Trace, no_trace
from providers.signers import build_signer


@dataclass(frozen=True)
class SettlementOutside:
    """The rail with its keys, and what it was built from."""

    rules: Rules
    rail: Aptos
    signer: SignerPort
    salt_key: bytes
    key_names: tuple[str, ...]  # every one that the file names, each once

    async def aclose(self) -> None:
        """Close what was opened; safe to repeat."""
        await self.rail.aclose()
        await self.signer.aclose()


def build_outside(
    settings: SettlementSettings, operators: Mapping[str, str], trace: Trace = no_trace
) -> SettlementOutside:
    """`operators` by name with their currencies. Nobody is asked anything yet.

    Raises BadSettings, which names every fault of the file at once.
    """
    document = read_document(Path(settings.file))
    salt_key = read_salt(Path(settings.salt_file))
    faults: list[str] = []
    rules = _told(faults, lambda: read_rules(document, operators))
    members = members_of(document)
    chain = _told(faults, lambda: read_settings(chain_of(document), members))
    signer = _told(faults, lambda: build_signer(keys_of(document), trace))
    if faults or rules is None or chain is None or signer is None:
        raise BadSettings("CAPP_SETTLEMENT_FILE: " + "; ".join(faults))
    rail = build_settlement_rail(chain_of(document), members, signer, trace)
    approvers = [name for c in rules.corridors for name in c.approvers if name is not None]
    names = [account.key for account in chain.roles.all]
    return SettlementOutside(
        rules, rail, signer, salt_key, tuple(dict.fromkeys([*names, *approvers]))
    )


def _told(faults: list[str], read: Any) -> Any:
    """What was read, or None with its faults told."""
    try:
        return read()
    except BadSettings as error:
        faults.append(str(error).removeprefix("CAPP_SETTLEMENT_FILE: "))
    except ValueError as error:  # the manner of every reader of a part
        faults += str(error).splitlines()
    return None
