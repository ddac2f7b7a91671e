"""Whose word it takes to settle a batch, and that every word is given on one's own reckoning.

Before a key of ours signs, the batch is worked out again from its obligations and from the history
of rates. Operators that sign elsewhere bring their signature; the rail judges it.
"""

import asyncio
import logging
from collections.abc import Sequence

from engine.clock import Clock
from engine.errors import OurFault, ProviderError, StaffMistake
from engine.payments.settlement.batch import Batch, faults_of, work_out
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.obligation_store import ObligationStore
from engine.payments.settlement.rules import Rules
from engine.payments.settlement.state import BatchState
from engine.ports import Approval, Settlement, SettlementPort, SignerPort

log = logging.getLogger(__name__)

SIGNATURE_LENGTH = 64


class Approving:
    """Gathers the approvals of batches. Every method may be repeated."""

    def __init__(
        self,
        batches: BatchStore,
        obligations: ObligationStore,
        rail: SettlementPort,
        signer: SignerPort,
        rules: Rules,
        *,
        salt_key: bytes,
        clock: Clock,
    ) -> None:
        self._batches = batches
        self._obligations = obligations
        self._rail = rail
        self._signer = signer
        self._rules = rules
        self._salt_key = salt_key
        self._clock = clock

    async def faults(self, batch: Batch) -> list[str]:
        """How it differs from what its obligations come to; empty when it may be approved."""
        corridor = self._rules.corridor(batch.corridor)
        if corridor is None:
            return [f"no corridor {batch.corridor} in the settlement file"]
        owed = await self._obligations.of_batch(batch.id)
        accepted = await self._batches.accepted_mids(batch.basis.mids, self._rules.asset.pegged_to)
        if not owed:
            return ["it has no payments"]
        if {name for o in owed for name in (o.source, o.destination)} != set(corridor.members):
            return [f"its payments are of other operators than {batch.corridor} has"]
        try:
            content = await asyncio.to_thread(
                work_out, [(o.account, o.leaf) for o in owed], accepted.values(),
                members=corridor.members, asset=self._rules.asset.code, salt_key=self._salt_key,
            )  # fmt: skip
        except KeyError as error:
            return [f"no accepted rate of {error.args[0]}"]
        return faults_of(batch, content, accepted)

    async def approve(self, batch: Batch, rail_seconds: int) -> Settlement | None:
        """Sign with every key of ours that has not; the approved terms once there are enough.

        Approvals that are past are asked for anew: the rail carries out a batch once, whichever
        terms it is shown. `rail_seconds` is the rail's clock. Raises what the signer raises, while
        those that did sign are too few, and OurFault when the batch is not what its obligations
        come to.
        """
        corridor = self._rules.corridor(batch.corridor)
        if corridor is None:
            raise OurFault(f"no corridor {batch.corridor} in the settlement file")
        if not self._stands(batch, rail_seconds):
            renewed = await self._propose(batch, rail_seconds + self._rules.approvals_seconds)
            if renewed is None:
                return None
            batch = renewed
        signed = {kept.approval.index for kept in await self._batches.approvals(batch)}
        missing = [
            (index, key)
            for index, key in enumerate(corridor.approvers)
            if key is not None and index not in signed
        ]
        approved = await self.approved(batch)
        if missing or approved is not None:
            # Ours do not sign, and nothing is sent, but on our own reckoning.
            if faults := await self.faults(batch):
                raise OurFault("; ".join(faults))
            await self._check_asset(batch)
            lost = await self._sign(batch, missing)
            approved = await self.approved(batch)
            if approved is None and lost is not None:
                raise lost
        return approved

    async def approved(self, batch: Batch) -> Settlement | None:
        """The terms with as many approvals as are needed, ours first; None while too few."""
        corridor = self._rules.corridor(batch.corridor)
        if corridor is None or batch.expires_at is None:
            return None
        kept = await self._batches.approvals(batch)
        # What somebody brought by hand may be no good; our own keys' approvals are.
        chosen = sorted(kept, key=lambda k: k.by_hand != "")[: corridor.threshold]
        if len(chosen) < corridor.threshold:
            return None
        approvals = sorted((k.approval for k in chosen), key=lambda a: a.index)
        return Settlement(batch.terms(batch.expires_at), tuple(approvals))

    async def add_by_hand(self, batch_id: str, index: int, signature: bytes, *, by: str) -> Batch:
        """Keep the approval of an operator that signs elsewhere; `by` says who brought it.

        The first one of a place stays, so it is kept only if the rail knows the key that made it.
        Raises StaffMistake when the batch is not waiting for it or it is not that approver's word
        for what this batch comes to, and what the rail raises.
        """
        batch = await self._batches.get(batch_id)
        if batch is None:
            raise StaffMistake(f"no batch {batch_id}")
        if batch.state is not BatchState.CLOSED or batch.terms_hash is None:
            raise StaffMistake(f"batch {batch_id} waits for no approval: {batch.state.name}")
        corridor = self._rules.corridor(batch.corridor)
        approvers = corridor.approvers if corridor is not None else ()
        if not 0 <= index < len(approvers):
            raise StaffMistake(f"{batch.corridor} has no approver {index}")
        if approvers[index] is not None:
            raise StaffMistake(f"approver {index} is a key of ours: it signs by itself")
        if len(signature) != SIGNATURE_LENGTH:
            raise StaffMistake(f"a signature has {SIGNATURE_LENGTH} bytes")
        assert batch.expires_at is not None, "terms are whole"
        if not await self._rail.is_approved_by(
            batch.terms(batch.expires_at), Approval(index, signature)
        ):
            raise StaffMistake(f"that is not the word of approver {index} for batch {batch_id}")
        await self._batches.approve(
            batch, Approval(index, signature), by_hand=by, now_ms=self._now_ms()
        )
        return batch

    async def _check_asset(self, batch: Batch) -> None:
        """One decimal more or less is ten times the money, or a tenth of it."""
        there, asset = await self._rail.asset_decimals(batch.corridor), self._rules.asset
        if there != asset.decimals:
            raise OurFault(
                f"the rail's asset has {there} decimals, our {asset.code} {asset.decimals}"
            )

    def _stands(self, batch: Batch, rail_seconds: int) -> bool:
        """Whether the terms that were proposed are still those that the rail would be shown."""
        if batch.expires_at is None or batch.expires_at <= rail_seconds:
            return False
        return self._rail.terms_hash(batch.terms(batch.expires_at)) == batch.terms_hash

    async def _propose(self, batch: Batch, expires_at: int) -> Batch | None:
        """None when somebody else has proposed other terms meanwhile."""
        terms_hash = self._rail.terms_hash(batch.terms(expires_at))
        if not await self._batches.propose_terms(
            batch, expires_at=expires_at, terms_hash=terms_hash
        ):
            return None
        return await self._batches.get(batch.id)

    async def _sign(self, batch: Batch, missing: Sequence[tuple[int, str]]) -> ProviderError | None:
        """With every key that answers; why the first did not that does not."""
        assert batch.expires_at is not None
        lost: ProviderError | None = None
        # Never the hash that is stored: it is worked out again from what is signed for.
        told = self._rail.terms_hash(batch.terms(batch.expires_at))
        for index, key in missing:
            try:
                approval = Approval(index, await self._signer.sign(key, told))
            except ProviderError as error:
                log.warning("approver %s does not sign batch %s: %s", key, batch.id, error)
                lost = lost or error
                continue
            await self._batches.approve(batch, approval, now_ms=self._now_ms())
        return lost

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)
