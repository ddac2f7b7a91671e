"""A devnet made ready as the demo's is, and our rail over it: real HTTP, real signatures."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from channels.settings import SettlementSettings
from channels.settlement_outside import SettlementOutside, build_outside
from engine.clock import Clock, Ids
from engine.payments.settlement import leaves
from engine.payments.settlement.batch import tree_of
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.receipts import Receipt, SaltedLeaf
from engine.ports import Approval, Found, Settlement, SettlementTerms, Slot
from simulator.devnet.bootstrap import Bootstrap, Wanted, Written
from simulator.devnet.customer import Customer
from simulator.devnet.devnet import Devnet
from simulator.devnet.executors import open_executor
from simulator.devnet.node import NodeSettings
from simulator.serving import serving

CORRIDOR = "mpesa_ke:mtn_ug"
OPERATORS = {"mpesa_ke": "KES", "mtn_ug": "UGX"}
BLOCK_MS = 20


@dataclass
class ChainRoom:
    """One chain with one corridor, and everything that settles on it."""

    url: str
    devnet: Devnet
    written: Written
    outside: SettlementOutside

    @property
    def node(self) -> str:
        return f"{self.url}/v1"

    async def settle(
        self, told: Sequence[Leaf], debits: tuple[int, int], credits: tuple[int, int]
    ) -> tuple[str, Found]:
        """One batch of these payments, approved by all whose keys are here; its id."""
        rail, rules = self.outside.rail, self.outside.rules
        batch_id = Ids(Clock()).hex()
        position = await rail.position()
        terms = SettlementTerms(
            CORRIDOR, bytes.fromhex(batch_id), tree_of(told, self.outside.salt_key).root,
            len(told), debits, credits, position.seconds + 600,
        )  # fmt: skip
        corridor = rules.corridor(CORRIDOR)
        assert corridor is not None
        approvals = []
        for index, name in enumerate(corridor.approvers):
            assert name is not None
            signature = await self.outside.signer.sign(name, rail.terms_hash(terms))
            approvals.append(Approval(index, signature))
        settlement = Settlement(terms, tuple(approvals))
        units = await rail.estimate(settlement)
        assert isinstance(units, int), units
        account = rail.account_for(settlement)
        number = await rail.next_sequence_number(account)
        slot = Slot(account, number, position.seconds + rail.expires_seconds)
        prepared = await rail.prepare(settlement, slot, units_max=units)
        await rail.send(prepared)
        return batch_id, await rail.wait(prepared, seconds=10)

    def receipt(self, batch_id: str, told: Sequence[Leaf], index: int) -> Receipt:
        """As `capp receipt` writes it."""
        key = self.outside.salt_key
        salt = leaves.salt_of(key, told[index])
        proof = tree_of(told, key).proof(index)
        chain = yaml.safe_load(self.written.settlement_file.read_text())["aptos"]
        place = {
            "chain_id": chain["chain_id"],
            "package": chain["addresses"]["settlement"],
            "corridor": chain["corridors"][CORRIDOR],
        }
        return Receipt(
            place, CORRIDOR, batch_id, SaltedLeaf(told[index], salt.hex()), index, len(told),
            tuple(beside.hex() for beside in proof),
        )  # fmt: skip


@asynccontextmanager
async def open_chain(folder: Path, wanted: Wanted | None = None) -> AsyncIterator[ChainRoom]:
    """The chain is kept in `folder`: what is opened on it again is the same."""
    settings = NodeSettings(block_milliseconds=BLOCK_MS)
    devnet = Devnet(open_executor("model"), settings=settings, folder=folder / "chain")
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        written = await prepared(urls["devnet"], folder / "settlement", wanted)
        outside = build_outside(
            SettlementSettings(str(written.settlement_file), str(written.salt_file)), OPERATORS
        )
        try:
            yield ChainRoom(urls["devnet"], devnet, written, outside)
        finally:
            await outside.aclose()


async def prepared(url: str, folder: Path, wanted: Wanted | None = None) -> Written:
    """Run the bootstrap over HTTP."""
    chain = Customer(f"{url}/v1", url)
    try:
        return await Bootstrap(chain, folder, wanted or Wanted([("mtn_ug", "mpesa_ke")])).run()
    finally:
        await chain.aclose()


def leaf(number: int, *, minor: int = 100_000) -> Leaf:
    """A payment from Kenya to Uganda."""
    return Leaf(
        f"0192ab{number:026x}", 5, "mpesa_ke", "mtn_ug", "KES", "UGX", minor,
        1_790_000_000_000 + number,
    )  # fmt: skip
