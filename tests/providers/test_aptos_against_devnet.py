"""The adapter against our own node over HTTP: real settlements, and the faults of section 7."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
import yaml
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.bcs import Serializer

from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreadable
from engine.ports import (
    Approval,
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    Found,
    Instruction,
    PoolStanding,
    Prepared,
    Provision,
    Reason,
    Refusal,
    Settlement,
    SettlementTerms,
    SignerPort,
    Slot,
    Standing,
)
from providers.aptos import Aptos, Reader, build_settlement_rail
from providers.http import Exchange
from providers.signers import build_signer
from simulator.devnet.bootstrap import Bootstrap, Wanted
from simulator.devnet.contracts import ASSET, GOVERNANCE, LIQUIDITY
from simulator.devnet.customer import Argument, Customer, address, call, u8, u64
from simulator.devnet.devnet import Devnet
from simulator.devnet.executors import open_executor
from simulator.devnet.keyring import Keyring
from simulator.devnet.node import NodeSettings
from simulator.operators.world import World
from simulator.serving import serving
from simulator.vault import VaultSandbox, vault_app

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a chain for each; test_aptos.py reads what nodes say"),
]

PATIENT_SECONDS = 60.0
CORRIDOR, OTHER = "mpesa_ke:mtn_ug", "airtel_ug:mtn_ug"
PAIRS = [("mpesa_ke", "mtn_ug"), ("airtel_ug", "mtn_ug")]
PAYER, PAYEE = 0, 1
PAUSER_ROLE, SUBMITTER_ROLE = 1, 2


@dataclass
class Installation:
    """A chain that was made ready, our rail over it, and the hands of those who run the chain."""

    url: str
    folder: Path
    file: dict[str, Any]
    rail: Aptos
    signer: SignerPort
    customer: Customer
    client: httpx.AsyncClient
    traced: list[Exchange]
    batches: "count[int]" = field(default_factory=lambda: count(1))

    async def arm(self, fault: str, on: str = "any", times: int | None = 1) -> None:
        answer = await self.client.post(
            "/_sandbox/faults", json={"fault": fault, "on": on, "times": times}
        )
        assert answer.status_code == 201, answer.text

    async def disarm(self) -> None:
        await self.client.delete("/_sandbox/faults")

    async def advance(self, seconds: float) -> None:
        """The ledger's clock jumps, and a block says so."""
        await self.client.post("/_sandbox/clock", json={"advance_seconds": seconds})
        await self.client.post("/_sandbox/blocks")

    async def blocks_by_hand(self, *, by_hand: bool) -> None:
        await self.client.put("/_sandbox/settings", json={"blocks_by_hand": by_hand})

    async def as_admin(self, module: str, function: str, *arguments: Argument) -> None:
        await self._as("admin", module, function, *arguments)

    async def pause(self, *, paused: bool) -> None:
        who, function = ("pauser", "pause") if paused else ("admin", "unpause")
        governance = self.place("governance")
        await self._as(who, GOVERNANCE, function, address(governance))

    async def _as(self, who: str, module: str, function: str, *arguments: Argument) -> None:
        account = Keyring(self.folder / "keys").account(who)
        await self.customer.fund([(account.address(), 10**10)])
        await self.customer.carry_out(account, [call(module, function, *arguments)])

    def file_of(self, corridor: str) -> dict[str, Any]:
        """What the settlement file says of one corridor."""
        [found] = [each for each in self.file["corridors"] if each["name"] == corridor]
        return dict(found)

    def place(self, name: str) -> AccountAddress:
        return AccountAddress.from_str_relaxed(self.file["aptos"]["addresses"][name])

    async def terms(self, **changed: Any) -> SettlementTerms:
        """A batch of one payment that nobody has settled yet."""
        number = next(self.batches)
        fields = {
            "corridor": CORRIDOR,
            "batch_id": hashlib.sha256(b"%d" % number).digest()[:16],
            "merkle_root": leaf_hash(number),
            "payment_count": 1,
            "debits": (500, 0),
            "credits": (0, 500),
            "expires_at": (await self.rail.position()).seconds + 3600,
            **changed,
        }
        return SettlementTerms(**fields)

    async def approved(
        self, terms: SettlementTerms, *, by: Sequence[int] = (0, 2), over: bytes | None = None
    ) -> Settlement:
        message = self.rail.terms_hash(terms) if over is None else over
        names = self.file_of(terms.corridor)["approvers"]
        return Settlement(
            terms,
            tuple([Approval(n, await self.signer.sign(names[n], message)) for n in by]),
        )

    async def settlement(self, **changed: Any) -> Settlement:
        return await self.approved(await self.terms(**changed))

    async def slot(self, instruction: Instruction, *, ahead: int = 0, seconds: int = 60) -> Slot:
        account = self.rail.account_for(instruction)
        number = await self.rail.next_sequence_number(account)
        position = await self.rail.position()
        return Slot(account, number + ahead, position.seconds + seconds)

    async def prepared(self, instruction: Instruction, **slot: int) -> Prepared:
        return await self.rail.prepare(
            instruction, await self.slot(instruction, **slot), units_max=200_000
        )

    async def carry_out(self, instruction: Instruction) -> Found:
        prepared = await self.prepared(instruction)
        await self.rail.send(prepared)
        return await self.rail.wait(prepared, seconds=PATIENT_SECONDS)


def leaf_hash(number: int) -> bytes:
    return hashlib.sha3_256(b"\x00leaf %d" % number).digest()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    settings = NodeSettings(block_milliseconds=10, long_poll_seconds=0.2)
    devnet = Devnet(open_executor("model"), settings=settings)
    traced: list[Exchange] = []
    async with serving({"devnet": (devnet.app(), 0)}) as urls:
        url = urls["devnet"]
        customer = Customer(f"{url}/v1", url)
        written = await Bootstrap(customer, folder, Wanted(PAIRS)).run()
        file = yaml.safe_load(written.settlement_file.read_text())
        signer = build_signer(file["keys"])
        corridors = {each["name"]: each["members"] for each in file["corridors"]}
        rail = build_settlement_rail(file["aptos"], corridors, signer, traced.append)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            yield Installation(url, folder, file, rail, signer, customer, client, traced)
        await rail.aclose()
        await customer.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def chain(opened: Installation) -> AsyncIterator[Installation]:
    yield opened
    await opened.disarm()
    await opened.blocks_by_hand(by_hand=False)


# What settlement is.


async def test_a_batch_is_settled_once_and_the_pools_hold_what_it_moved(
    chain: Installation,
) -> None:
    before = await chain.rail.pools(CORRIDOR)
    settlement = await chain.settlement()
    assert await chain.rail.recorded(CORRIDOR, settlement.terms.batch_id) is None
    found = await chain.carry_out(settlement)
    assert (found.standing, found.refusal) == (Standing.DONE, None)
    assert found.version is not None
    assert found.fee is not None
    assert found.fee > 0
    recorded = await chain.rail.recorded(CORRIDOR, settlement.terms.batch_id)
    assert recorded is not None
    assert recorded.terms_hash == chain.rail.terms_hash(settlement.terms)
    assert recorded.merkle_root == settlement.terms.merkle_root
    assert (recorded.debits, recorded.credits) == ((500, 0), (0, 500))
    after = await chain.rail.pools(CORRIDOR)
    assert after == (
        PoolStanding(before[PAYER].total_minor - 500, 0),
        PoolStanding(before[PAYEE].total_minor + 500, 0),
    )


async def test_a_batch_that_was_approved_and_signed_in_vault_is_settled_too(
    chain: Installation, tmp_path: Path
) -> None:
    sandbox = VaultSandbox(World())
    for key in (chain.folder / "keys").glob("*.key"):
        sandbox.make_key(key.stem, bytes.fromhex(key.read_text().strip()[-64:]))
    (tmp_path / "token").write_text(sandbox.make_token())
    async with serving({"vault": (vault_app(sandbox), 0)}) as urls:
        kept = {"kind": "vault", "url": urls["vault"], "token_file": str(tmp_path / "token")}
        signer = build_signer(kept)
        corridors = {each["name"]: each["members"] for each in chain.file["corridors"]}
        rail = build_settlement_rail(chain.file["aptos"], corridors, signer)
        with_vault = replace(chain, rail=rail, signer=signer)
        found = await with_vault.carry_out(await with_vault.settlement())
        await rail.aclose()
        await signer.aclose()
    assert found.standing is Standing.DONE


async def test_the_contract_hashes_terms_as_we_do(chain: Installation) -> None:
    terms = await chain.terms()
    told = await chain.customer.view(
        "0xca04::settlement::terms_hash",
        chain.file["aptos"]["corridors"][CORRIDOR],
        f"0x{terms.batch_id.hex()}",
        f"0x{terms.merkle_root.hex()}",
        str(terms.payment_count),
        [str(debit) for debit in terms.debits],  # type: ignore[arg-type]
        [str(credit) for credit in terms.credits],  # type: ignore[arg-type]
        str(terms.expires_at),
    )
    assert told == [f"0x{chain.rail.terms_hash(terms).hex()}"]


async def test_a_trial_allows_enough_and_what_it_allows_is_the_most_it_costs(
    chain: Installation,
) -> None:
    settlement = await chain.settlement()
    units = await chain.rail.estimate(settlement)
    assert isinstance(units, int)
    slot = await chain.slot(settlement)
    prepared = await chain.rail.prepare(settlement, slot, units_max=units)
    before = await chain.rail.fee_reserve()
    await chain.rail.send(prepared)
    found = await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)
    assert found.standing is Standing.DONE
    assert found.fee is not None
    assert found.fee <= prepared.fee_max
    # The sponsor paid, to the last octa.
    assert before - await chain.rail.fee_reserve() == found.fee


async def test_a_payment_is_proven_by_anybody_and_a_forged_one_is_not(chain: Installation) -> None:
    settlement = await chain.settlement()
    await chain.carry_out(settlement)
    batch_id, leaf = settlement.terms.batch_id, settlement.terms.merkle_root
    aptos = chain.file["aptos"]
    reader = Reader(
        aptos["node"],
        chain_id=4,
        settlement="0xca04",
        corridors={"receipt": aptos["corridors"][CORRIDOR]},
    )
    assert await reader.proves("receipt", batch_id, leaf, 0, [])
    assert not await reader.proves("receipt", batch_id, bytes(32), 0, [])
    assert not await reader.proves("receipt", batch_id, leaf, 1, [])
    assert not await reader.proves("receipt", batch_id, leaf, 0, [leaf])
    assert not await reader.proves("receipt", bytes(16), leaf, 0, [])
    await reader.aclose()


async def test_what_was_provided_is_told_by_its_transaction(chain: Installation) -> None:
    provided = yaml.safe_load((chain.folder / "provided.yaml").read_text())
    for pool in provided:
        if pool["corridor"] != CORRIDOR:
            continue
        transaction = bytes.fromhex(pool["transaction"].removeprefix("0x"))
        [provision] = await chain.rail.provisions(CORRIDOR, transaction)
        member = CORRIDOR.split(":").index(pool["operator"])
        assert provision == Provision(member, pool["minor"])
    assert await chain.rail.provisions(CORRIDOR, bytes(32)) == ()


async def test_a_pool_that_is_replenished_is_told_by_its_transaction_and_a_settlement_is_not(
    chain: Installation,
) -> None:
    """What settlement drew is made good without new shares; the books call both capital."""
    member, corridor = CORRIDOR.split(":")[0], chain.file["aptos"]["corridors"][CORRIDOR]
    account = Keyring(chain.folder / "keys").account(f"member_{member}")
    asset = chain.place("asset")
    await chain.as_admin(ASSET, "mint", address(asset), address(account.address()), u64(700))
    [pool] = await chain.customer.view("0xca04::settlement::pool_of", corridor, "0")
    place = address(AccountAddress.from_str_relaxed(str(pool)))
    [done] = await chain.customer.carry_out(
        account, [call(LIQUIDITY, "replenish", place, u64(700))]
    )
    transaction = bytes.fromhex(str(done["hash"]).removeprefix("0x"))
    assert await chain.rail.provisions(CORRIDOR, transaction) == (Provision(0, 700),)
    settled = await chain.prepared(await chain.settlement())
    await chain.rail.send(settled)
    assert (await chain.rail.wait(settled, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    assert await chain.rail.provisions(CORRIDOR, settled.hash) == ()


async def test_the_chain_knows_whose_approval_a_signature_is(chain: Installation) -> None:
    approved = await chain.settlement()
    first, second = approved.approvals
    terms = approved.terms
    assert await chain.rail.is_approved_by(terms, first)
    assert await chain.rail.is_approved_by(terms, second)
    assert not await chain.rail.is_approved_by(terms, Approval(1, first.signature))
    other = msgspec.structs.replace(terms, payment_count=2)
    assert not await chain.rail.is_approved_by(other, first)


# What the chain refuses.


async def refusal_of(chain: Installation, settlement: Settlement) -> Refusal | None:
    """The same from a trial and from the chain, or the test is over."""
    tried = await chain.rail.estimate(settlement)
    found = await chain.carry_out(settlement)
    assert found.standing is Standing.REFUSED
    assert tried == found.refusal
    return found.refusal


async def test_a_batch_that_is_handed_in_under_another_number_is_done_before(
    chain: Installation,
) -> None:
    settlement = await chain.settlement()
    await chain.carry_out(settlement)
    before = await chain.rail.pools(CORRIDOR)
    assert await refusal_of(chain, settlement) is Refusal.DONE_BEFORE
    assert await chain.rail.pools(CORRIDOR) == before


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"debits": (501, 0)}, Refusal.TERMS),
        ({"debits": (500, 0, 0)}, Refusal.TERMS),
        ({"payment_count": 0}, Refusal.TERMS),
        ({"merkle_root": bytes(31)}, Refusal.TERMS),
        ({"batch_id": bytes(15)}, Refusal.TERMS),
        ({"debits": (500, 500), "credits": (500, 500)}, Refusal.TERMS),
        ({"debits": (10**15 + 1, 0), "credits": (0, 10**15 + 1)}, Refusal.TERMS),
        ({"debits": (10**14, 0), "credits": (0, 10**14)}, Refusal.SHORT),
        ({"expires_at": 1_000_000}, Refusal.APPROVALS),
        ({"expires_at": 2**40}, Refusal.APPROVALS),
    ],
)
async def test_bad_terms_are_refused_for_what_they_are(
    chain: Installation, changed: dict[str, Any], refusal: Refusal
) -> None:
    assert await refusal_of(chain, await chain.settlement(**changed)) is refusal


async def test_bad_approvals_are_refused(chain: Installation) -> None:
    terms = await chain.terms()
    other = chain.rail.terms_hash(await chain.terms())
    for settlement in (
        await chain.approved(terms, by=(0,)),
        await chain.approved(terms, by=(0, 0)),
        await chain.approved(terms, by=(2, 0)),
        await chain.approved(terms, over=other),
        Settlement(terms, (Approval(0, bytes(64)), Approval(7, bytes(64)))),
    ):
        assert await refusal_of(chain, settlement) is Refusal.APPROVALS


async def test_a_paused_installation_settles_nothing_until_it_goes_on(chain: Installation) -> None:
    settlement = await chain.settlement()
    await chain.pause(paused=True)
    assert await refusal_of(chain, settlement) is Refusal.PAUSED
    await chain.pause(paused=False)
    assert (await chain.carry_out(settlement)).standing is Standing.DONE


async def test_a_frozen_pool_cannot_deliver_until_it_is_thawed(chain: Installation) -> None:
    settlement = await chain.settlement()
    corridor = chain.file["aptos"]["corridors"][CORRIDOR]
    [pool] = await chain.customer.view("0xca04::settlement::pool_of", corridor, "0")
    [store] = await chain.customer.view(f"{LIQUIDITY}::funds_of", str(pool))
    place = AccountAddress.from_str_relaxed(str(store))
    await chain.as_admin(ASSET, "freeze_store", address(place), boolean(value=True))
    assert await refusal_of(chain, settlement) is Refusal.FROZEN
    await chain.as_admin(ASSET, "freeze_store", address(place), boolean(value=False))
    assert (await chain.carry_out(settlement)).standing is Standing.DONE


async def test_who_may_not_submit_is_refused(chain: Installation) -> None:
    keyring = Keyring(chain.folder / "keys")
    settlement = await chain.settlement()
    who = address(keyring.account(chain.rail.account_for(settlement)).address())
    role = (address(chain.place("governance")), who, u8(SUBMITTER_ROLE))
    await chain.as_admin(GOVERNANCE, "revoke", *role)
    assert await refusal_of(chain, settlement) is Refusal.OTHER
    await chain.as_admin(GOVERNANCE, "grant", *role)


async def test_a_dispute_goes_its_way_and_pays_back_what_was_ruled(chain: Installation) -> None:
    settlement = await chain.settlement()
    await chain.carry_out(settlement)
    before = await chain.rail.pools(CORRIDOR)
    opening = DisputeOpening(
        CORRIDOR,
        settlement.terms.batch_id,
        settlement.terms.merkle_root,
        0,
        (),
        member=PAYER,
        against=PAYEE,
        amount_minor=300,
    )
    dispute_id = chain.rail.dispute_id(opening)
    told = await chain.customer.view(
        "0xca04::settlement::dispute_id",
        chain.file["aptos"]["corridors"][CORRIDOR],
        f"0x{opening.batch_id.hex()}",
        f"0x{opening.leaf_hash.hex()}",
        str(opening.member),
    )
    assert told == [f"0x{dispute_id.hex()}"]
    assert await chain.rail.dispute(CORRIDOR, dispute_id) is None
    assert (await chain.carry_out(opening)).standing is Standing.DONE
    assert (await chain.carry_out(opening)).refusal is Refusal.DISPUTE
    standing = await chain.rail.dispute(CORRIDOR, dispute_id)
    assert standing is not None
    assert (standing.status, standing.amount_minor) == ("open", 300)
    assert (await chain.rail.pools(CORRIDOR))[PAYEE].held_minor == 300
    ruling = DisputeRuling(CORRIDOR, dispute_id, 200)
    assert (await chain.carry_out(ruling)).refusal is Refusal.DISPUTE  # it may still answer
    answer = DisputeAnswer(CORRIDOR, dispute_id, PAYEE, accepts=False, evidence_hash=bytes(32))
    assert (await chain.carry_out(answer)).standing is Standing.DONE
    assert (await chain.carry_out(ruling)).standing is Standing.DONE
    assert (await chain.carry_out(DisputeRefund(CORRIDOR, dispute_id))).standing is Standing.DONE
    standing = await chain.rail.dispute(CORRIDOR, dispute_id)
    assert standing is not None
    assert (standing.status, standing.refund_minor) == ("closed", 200)
    after = await chain.rail.pools(CORRIDOR)
    assert after[PAYER].total_minor == before[PAYER].total_minor + 200
    assert after[PAYEE] == PoolStanding(before[PAYEE].total_minor - 200, 0)


# Section 7: once, whatever happens on the way.


async def assert_settled_once(chain: Installation, settlement: Settlement, before: int) -> None:
    assert await chain.rail.recorded(CORRIDOR, settlement.terms.batch_id) is not None
    assert (await chain.rail.pools(CORRIDOR))[PAYER].total_minor == before - 500


async def paid_in(chain: Installation) -> int:
    return (await chain.rail.pools(CORRIDOR))[PAYER].total_minor


@pytest.mark.parametrize("fault", ["lose_answer", "error_500_after"])
async def test_a_lost_answer_is_found_by_its_hash_and_the_same_bytes_change_nothing(
    chain: Installation, fault: str
) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    prepared = await chain.prepared(settlement)
    await chain.arm(fault, "submit")
    with pytest.raises(OutcomeUnknown):
        await chain.rail.send(prepared)
    await chain.rail.send(prepared)
    assert (await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    await chain.rail.send(prepared)  # its number is used up, by itself
    await assert_settled_once(chain, settlement, before)


@pytest.mark.parametrize("fault", ["pool_full_507", "error_503", "throttle_429", "html_429"])
async def test_what_was_not_taken_in_is_handed_in_again(chain: Installation, fault: str) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    prepared = await chain.prepared(settlement)
    await chain.arm(fault, "submit")
    with pytest.raises(Throttled):
        await chain.rail.send(prepared)
    assert (await chain.rail.find(prepared)).standing is Standing.UNKNOWN
    await chain.rail.send(prepared)
    assert (await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    await assert_settled_once(chain, settlement, before)


async def test_what_arrives_twice_happens_once(chain: Installation) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    prepared = await chain.prepared(settlement)
    await chain.arm("duplicate", "submit")
    await chain.rail.send(prepared)
    assert (await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    await assert_settled_once(chain, settlement, before)


async def test_what_the_node_forgot_is_gone_only_after_its_expiry_and_then_its_place_is_free(
    chain: Installation,
) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    first = await chain.prepared(settlement)
    await chain.arm("drop_after_accept", "submit")
    await chain.rail.send(first)
    assert (await chain.rail.find(first)).standing is Standing.UNKNOWN
    await chain.advance(59)
    assert (await chain.rail.find(first)).standing is Standing.UNKNOWN
    await chain.advance(5)
    assert (await chain.rail.find(first)).standing is Standing.GONE
    with pytest.raises(Rejected) as refused:
        await chain.rail.send(first)
    assert refused.value.code == "TRANSACTION_EXPIRED"
    again = await chain.prepared(settlement)
    assert again.slot.sequence_number == first.slot.sequence_number
    await chain.rail.send(again)
    assert (await chain.rail.wait(again, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    assert (await chain.rail.find(first)).standing is Standing.GONE
    await assert_settled_once(chain, settlement, before)


async def test_a_jump_of_the_clock_expires_what_waits(chain: Installation) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    await chain.blocks_by_hand(by_hand=True)
    prepared = await chain.prepared(settlement)
    await chain.rail.send(prepared)
    assert (await chain.rail.find(prepared)).standing is Standing.WAITING
    await chain.advance(3_000)
    assert (await chain.rail.find(prepared)).standing is Standing.GONE
    assert await paid_in(chain) == before


async def test_a_stale_node_never_says_gone_and_never_says_not_recorded(
    chain: Installation,
) -> None:
    settlement = await chain.settlement()
    prepared = await chain.prepared(settlement)
    await chain.arm("stale", "find", times=None)
    await chain.arm("stale", "view", times=None)
    await chain.rail.send(prepared)
    await asyncio.sleep(0.05)
    await chain.advance(100)
    await chain.rail.position()  # this one is not stale: from here on the others are behind
    assert (await chain.rail.find(prepared)).standing is Standing.UNKNOWN
    with pytest.raises(OutcomeUnknown):
        await chain.rail.recorded(CORRIDOR, settlement.terms.batch_id)
    await chain.disarm()
    assert (await chain.rail.find(prepared)).standing is Standing.DONE
    assert await chain.rail.recorded(CORRIDOR, settlement.terms.batch_id) is not None


async def test_a_node_of_another_chain_is_not_believed(chain: Installation) -> None:
    prepared = await chain.prepared(await chain.settlement())
    await chain.arm("wrong_chain_id", times=None)
    with pytest.raises(Rejected) as refused:
        await chain.rail.position()
    assert refused.value.reason == Reason.CONFIGURATION
    with pytest.raises(Unreadable):
        await chain.rail.find(prepared)
    with pytest.raises(Unreadable):
        await chain.rail.recorded(CORRIDOR, bytes(16))


async def test_half_an_answer_is_none(chain: Installation) -> None:
    prepared = await chain.prepared(await chain.settlement())
    await chain.rail.send(prepared)
    assert (await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    await chain.arm("truncated_json", "find")
    with pytest.raises(Unreadable):
        await chain.rail.find(prepared)
    assert (await chain.rail.find(prepared)).standing is Standing.DONE


async def test_a_hole_in_the_order_stops_what_is_behind_it_until_it_is_filled(
    chain: Installation,
) -> None:
    before, settlement = await paid_in(chain), await chain.settlement()
    behind = await chain.prepared(settlement, ahead=1)
    await chain.rail.send(behind)
    assert (await chain.rail.wait(behind, seconds=0.3)).standing is Standing.WAITING
    nothing = await chain.rail.prepare_nothing(await chain.slot(settlement))
    await chain.rail.send(nothing)
    assert (await chain.rail.wait(nothing, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    assert (await chain.rail.wait(behind, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    await assert_settled_once(chain, settlement, before)


async def test_a_number_that_other_bytes_took_is_lost_for_these(chain: Installation) -> None:
    settlement = await chain.settlement()
    mine = await chain.prepared(settlement)
    nothing = await chain.rail.prepare_nothing(mine.slot)
    await chain.rail.send(nothing)
    assert (await chain.rail.wait(nothing, seconds=PATIENT_SECONDS)).standing is Standing.DONE
    with pytest.raises(Rejected) as refused:
        await chain.rail.send(mine)
    assert refused.value.code == "SEQUENCE_NUMBER_TOO_OLD"
    assert (await chain.rail.find(mine)).standing is Standing.UNKNOWN
    await chain.advance(61)
    assert (await chain.rail.find(mine)).standing is Standing.GONE


async def test_bytes_that_were_changed_on_the_way_are_refused(chain: Installation) -> None:
    prepared = await chain.prepared(await chain.settlement())
    changed = bytearray(prepared.body)
    changed[150] ^= 1
    forged = Prepared(prepared.slot, prepared.hash, bytes(changed), prepared.fee_max)
    with pytest.raises(Rejected):
        await chain.rail.send(forged)
    assert (await chain.rail.find(prepared)).standing is Standing.UNKNOWN


async def test_the_chain_says_how_many_decimals_its_asset_has(chain: Installation) -> None:
    assert await chain.rail.asset_decimals(CORRIDOR) == 6


# Many at once.


async def test_the_order_of_an_account_tells_each_hash_with_its_end(chain: Installation) -> None:
    account = "submitter_2"
    first = await chain.rail.next_sequence_number(account)
    seconds = (await chain.rail.position()).seconds
    sent = [
        await chain.rail.prepare_nothing(Slot(account, number, seconds + 60))
        for number in range(first, first + 5)
    ]
    await asyncio.gather(*[chain.rail.send(each) for each in reversed(sent)])
    await chain.rail.wait(sent[-1], seconds=PATIENT_SECONDS)
    told = await chain.rail.carried_out(account, first=first)
    assert [hash_ for hash_, _ in told] == [each.hash for each in sent]
    assert [found for _, found in told] == [await chain.rail.find(each) for each in sent]
    assert await chain.rail.carried_out(account, first=first + 3) == told[3:]
    assert await chain.rail.carried_out(account, first=first + 5) == []


async def test_the_order_tells_refusals_apart(chain: Installation) -> None:
    settlement = await chain.settlement()
    account = chain.rail.account_for(settlement)
    first = await chain.rail.next_sequence_number(account)
    ends = [await chain.carry_out(settlement) for _ in range(2)]
    assert [end.refusal for end in ends] == [None, Refusal.DONE_BEFORE]
    told = await chain.rail.carried_out(account, first=first)
    assert [found for _, found in told] == ends


async def test_no_trace_of_all_this_shows_a_key_or_a_signature(chain: Installation) -> None:
    prepared = await chain.prepared(await chain.settlement())
    await chain.rail.send(prepared)
    await chain.rail.wait(prepared, seconds=PATIENT_SECONDS)
    shown = "".join(map(repr, chain.traced))
    assert "submit" in shown
    for key in (chain.folder / "keys").glob("*.key"):
        secret = key.read_text().strip().removeprefix("ed25519-priv-0x")
        assert secret not in shown
    assert prepared.body[-64:].hex() not in shown
    assert "signature" not in shown or prepared.body[-130:-66].hex() not in shown


def boolean(*, value: bool) -> Argument:
    return Argument(value, Serializer.bool)
