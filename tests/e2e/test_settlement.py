"""Operators squared on the devnet: both processes, the simulator and the chain, over HTTP only."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from channels.cli import _parser
from channels.verifying import Verdict, run_verify
from simulator import transcript
from simulator.operators.world import World
from simulator.player import Player
from simulator.settling import Windows
from simulator.stack import Stack
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_transcripts import CALL_SECONDS, FOLDER


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
    async with httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as client:
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
    options = _parser().parse_args(["verify", str(receipt), "--node", settling.places.node])
    return run_verify({}, options, said.append), "\n".join(said)


def test_what_was_provided_is_booked_once_however_often_it_is_told(settling: Stack) -> None:
    before = capital(settling)
    file = str(settling.folder / "settlement" / "provided.yaml")
    assert settling.command("settlement", "provided", "--file", file).returncode == 0
    assert capital(settling) == before
    assert len(before) == 2


def capital(settling: Stack) -> dict[str, int]:
    """What operators have provided, by the books."""
    answer = httpx.get(
        f"{settling.places.server}/inspect/books",
        headers={"authorization": f"Bearer {settling.places.inspect_token}"},
        trust_env=False,
    )
    accounts = answer.json()["accounts"]
    return {a["account"]: a["minor"] for a in accounts if a["account"].startswith("CHAIN_CAPITAL")}


def test_no_key_and_no_salt_is_in_any_log(settling: Stack, code: str) -> None:
    folder = settling.folder / "settlement"
    secrets = [file.read_text().strip()[-64:] for file in (folder / "keys").iterdir()]
    secrets.append((folder / "salt").read_text().strip())
    logs = "".join(file.read_text() for file in (settling.folder / "logs").iterdir())
    assert code  # everything has been said by now
    assert "settlement" in logs
    assert not [secret for secret in secrets if secret in logs]
