"""Operators squared on the devnet: both processes, the simulator and the chain, over HTTP only.

The worker and the node are killed while batches are under way; at the end the books are the chain.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
from aptos_sdk.account import Account

from channels.cli import _parser
from channels.commands.verifying import Verdict, run_verify
from engine.payments.settlement.state import BatchState
from simulator import transcript
from simulator.chain import Chain
from simulator.operators.world import World
from simulator.play import LIMITS
from simulator.player import Player
from simulator.settling import Windows
from simulator.stack import Stack
from tests.e2e.city import City, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_transcripts import CALL_SECONDS, FOLDER

pytestmark = pytest.mark.long("a stack with a chain, of which processes are killed")


@pytest.fixture(scope="module")
def settling(e2e_folder: Path, databases: Databases) -> Iterator[Stack]:
    with start_stack(
        e2e_folder / "settling", databases, database="settling", redis_number=5,
        environment=ENVIRONMENT, approval="ask", operators=("mpesa_ke", "mtn_ug"),
        windows=Windows(seconds=2),
    ) as started:  # fmt: skip
        yield started


@pytest.fixture(scope="module")
def code(settling: Stack) -> str:
    """The payment of the transcript, which is settled when that has been played."""
    return asyncio.run(play(settling))


async def play(settling: Stack) -> str:
    """The code of the payment."""
    file = FOLDER / "settled_on_chain.txt"
    script = transcript.parse(file.read_text("utf-8"), name=file.name)
    said: list[str] = []
    async with httpx.AsyncClient(
        timeout=CALL_SECONDS, trust_env=False, verify=False, limits=LIMITS
    ) as client:
        player = Player(client, settling.places, World(), say=said.append)
        played = await player.play(script)
        assert played.failure is None, "\n".join([*said, str(played.failure)])
        payer = next(iter(played.people.values()))
        answer = await client.get(
            f"{settling.places.server}/inspect/payments",
            params={"msisdn": payer},
            headers={"authorization": f"Bearer {settling.places.inspect_token}"},
        )
    return str(answer.json()["payments"][0]["code"])


def test_a_payment_is_settled_and_the_books_equal_the_chain(settling: Stack, code: str) -> None:
    assert len(code) == 10
    shown = settling.command("settlement")
    assert shown.returncode == 0, shown.stderr
    assert "mpesa_ke:mtn_ug: 0 payments wait" in shown.stdout
    balances = [line for line in shown.stdout.splitlines() if "on the chain" in line]
    assert len(balances) == 2
    assert all(line.endswith("agrees") for line in balances)


def test_its_receipt_is_proven_on_the_chain_and_a_forged_one_refused(
    settling: Stack, code: str, tmp_path: Path
) -> None:
    receipt, forged = tmp_path / "receipt.json", tmp_path / "forged.json"
    written = settling.command("receipt", code, "-o", str(receipt))
    assert written.returncode == 0, written.stderr
    # It needs nothing of ours but the file: no database, no settings.
    verdict, said = verified(receipt, settling)
    assert verdict is Verdict.PROVEN, said
    assert code in said
    whole = json.loads(receipt.read_text())
    whole["leaf"]["fields"]["minor"] += 1
    forged.write_text(json.dumps(whole))
    verdict, said = verified(forged, settling)
    assert verdict is Verdict.REFUSED
    assert said.startswith("refused: ")


def verified(receipt: Path, settling: Stack) -> tuple[Verdict, str]:
    said: list[str] = []
    options = _parser(["verify"]).parse_args(
        ["verify", str(receipt), "--node", settling.places.node]
    )
    return run_verify({}, options, said.append), "\n".join(said)


def test_what_was_provided_is_booked_once_however_often_it_is_told(settling: Stack) -> None:
    before = capital(settling)
    file = str(settling.kept / "settlement" / "provided.yaml")
    assert settling.command("settlement", "provided", "--file", file).returncode == 0
    assert capital(settling) == before
    assert len(before) == 2


def capital(settling: Stack) -> dict[str, int]:
    """What operators have provided, by the books."""
    answer = httpx.get(
        f"{settling.places.server}/inspect/books",
        headers={"authorization": f"Bearer {settling.places.inspect_token}"},
        trust_env=False,
        timeout=CALL_SECONDS,
    )
    accounts = answer.json()["accounts"]
    return {a["account"]: a["minor"] for a in accounts if a["account"].startswith("CHAIN_CAPITAL")}


KILLS = (
    ("CLOSED", "worker"),
    ("SUBMITTED", "worker"),
    ("APPROVED", "chain"),
    ("SUBMITTED", "both"),
)
"""How far a batch is, by the database, when which program dies.

What is submitted waits in the node's pool then; a node that dies forgets its pool.
"""


@pytest.fixture(scope="module")
def survived(settling: Stack, code: str, typed: Typed, random: Random) -> str:
    """The code of a payment whose batch was under way at the last of the kills."""
    assert code  # the transcript has been played: it wants the stack for itself
    typed.watch(settling)
    return asyncio.run(live_through_kills(settling, typed, random))


async def live_through_kills(settling: Stack, typed: Typed, random: Random) -> str:
    async with open_city(settling, typed, random) as city:
        await city.set_approval("approve")
        paid = ""
        for state, what in KILLS:
            await make_blocks(city, by_hand=state == "SUBMITTED")
            paid = await pay_both_ways(city)
            await meet(city, state)
            kill(settling, what)
            start_again(settling, what)
            await make_blocks(city, by_hand=False)
        await all_settled(city)
        return paid


async def make_blocks(city: City, *, by_hand: bool) -> None:
    """Whether the node decides nothing for now."""
    url = f"{city.places.node.removesuffix('/v1')}/_sandbox/settings"
    answer = await city.client.put(url, json={"blocks_by_hand": by_hand})
    assert answer.is_success, answer.text


async def pay_both_ways(city: City) -> str:
    """One payment from Kenya and one from Uganda; the code of the first."""
    pairs = [(city.newcomer("KE"), city.newcomer("UG")) for _ in range(2)]
    pairs[1] = pairs[1][::-1]
    amounts = (800, 30_000)
    codes = await asyncio.gather(
        *(city.pay(*pair, amount) for pair, amount in zip(pairs, amounts, strict=True))
    )
    await asyncio.gather(*(city.ends(payer, "PAID") for payer, _ in pairs))
    return codes[0]


async def meet(city: City, state: str) -> None:
    """Wait until some batch is so far; one that has gone past it will do."""
    wanted = BatchState[state]

    async def met() -> bool | None:
        rows = await city.rows("select max(state) from settlement_batch where state not in (5, 7)")
        return True if (rows[0][0] or 0) >= wanted else None

    await city.until(met, f"no batch is {state}", poll_seconds=0.02)


def kill(settling: Stack, what: str) -> None:
    if what in ("worker", "both"):
        settling.kill_worker()
    if what in ("chain", "both"):
        settling.kill_chain()


def start_again(settling: Stack, what: str) -> None:
    if what in ("worker", "both"):
        settling.restart_worker()
    if what in ("chain", "both"):
        settling.restart_chain()


async def all_settled(city: City) -> None:
    """Nothing waits for a window, and no batch is on its way."""

    async def settled() -> bool | None:
        rows = await city.rows(
            "select (select count(*) from settlement_obligation where batch is null)"
            " + (select count(*) from settlement_batch where state not in (5, 7))"
        )
        return True if rows[0][0] == 0 else None

    await city.until(settled, "something is not settled")


async def test_kills_of_worker_and_node_settle_every_payment_in_one_batch(
    settling: Stack, survived: str, typed: Typed, random: Random
) -> None:
    assert survived
    async with open_city(settling, typed, random) as city:
        await all_settled(city)
        rows = await city.rows("select id, state, payment_count from settlement_batch")
        ours = sorted(row["id"].hex for row in rows if row["state"] == BatchState.SETTLED)
        assert sum(row["payment_count"] for row in rows) == 1 + 2 * len(KILLS)
        assert sorted(await settled_on_chain(city)) == ours, "each once, and no other"
        await city.assert_books()
        booked = {a.account: a.minor for a in (await city.inspector.books()).accounts}
        chain = Chain(city.client, settling.places.node)
        for operator, pools in settling.places.pools.items():
            assert booked[f"CHAIN_TREASURY {operator}"] == await chain.holdings(pools)
        for account, minor in booked.items():
            if account.startswith(("CHAIN_IN_FLIGHT", "INTERPOOL")):
                assert minor == 0, account
        drifts = await city.rows("select detail from case_file where kind = 'SETTLEMENT'")
        assert not drifts
    assert settling.command("settlement").returncode == 0


async def settled_on_chain(city: City) -> list[str]:
    """The ids of all batches in the history that the node tells, read past our adapter."""
    found = []
    for key in ("submitter_1", "submitter_2"):
        file = city.stack.kept / "settlement" / "keys" / f"{key}.key"
        who = Account.load_key(file.read_text().strip()).address()
        url = f"{city.places.node}/accounts/{who}/transactions"
        answer = await city.client.get(url, params={"start": 0, "limit": 100})
        for transaction in answer.raise_for_status().json():
            found += [
                event["data"]["batch_id"].removeprefix("0x")
                for event in transaction["events"]
                if event["type"].endswith("::settlement::Settled")
            ]
    return found


def test_the_commands_prove_a_payment_that_lived_through_it_and_refuse_a_forged_one(
    settling: Stack, survived: str, tmp_path: Path
) -> None:
    receipt, forged = tmp_path / "receipt.json", tmp_path / "forged.json"
    assert settling.command("receipt", survived, "-o", str(receipt)).returncode == 0
    node = ("--node", settling.places.node)
    assert settling.command("verify", str(receipt), *node).returncode == 0
    whole = json.loads(receipt.read_text())
    whole["leaf"]["fields"]["minor"] += 1
    forged.write_text(json.dumps(whole))
    refused = settling.command("verify", str(forged), *node)
    assert refused.returncode == Verdict.REFUSED
    assert "refused" in refused.stdout


def test_no_key_and_no_salt_is_in_any_log(settling: Stack, code: str) -> None:
    folder = settling.kept / "settlement"
    secrets = [file.read_text().strip()[-64:] for file in (folder / "keys").iterdir()]
    secrets.append((folder / "salt").read_text().strip())
    logs = "".join(file.read_text() for file in (settling.folder / "logs").iterdir())
    assert code  # everything has been said by now
    assert "settlement" in logs
    assert not [secret for secret in secrets if secret in logs]
