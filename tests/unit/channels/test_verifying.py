"""What `capp verify` says where no chain has to be asked."""

from pathlib import Path

import pytest

from channels.cli import _parser
from channels.commands.verifying import RECEIPT_BYTES_MAX, Verdict, run_verify
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.receipts import Receipt, SaltedLeaf, write_receipt

OTHER = "0x" + "ab" * 32
LEAF = Leaf("0192ab" + "0" * 26, 5, "mpesa_ke", "mtn_ug", "KES", "UGX", 100_000, 1_790_000_000_000)
CHAIN: dict[str, str | int] = {"chain_id": 4, "package": OTHER, "corridor": OTHER}


def written(folder: Path, chain: dict[str, str | int]) -> Path:
    receipt = Receipt(chain, "a:b", "00" * 16, SaltedLeaf(LEAF, "00" * 32), 0, 1, ())
    file = folder / "receipt.json"
    file.write_bytes(write_receipt(receipt))
    return file


def capp(*words: str, **variables: str) -> tuple[Verdict, list[str]]:
    said: list[str] = []
    options = _parser(["verify"]).parse_args(["verify", *words])
    return run_verify(variables, options, said.append), said


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b"x" * (RECEIPT_BYTES_MAX + 1)])
def test_what_is_no_receipt_proves_nothing(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(text)
    verdict, (said,) = capp(str(file), "--node", "http://127.0.0.1:1/v1")
    assert verdict is Verdict.UNDECIDED
    assert said.startswith(f"undecided: {file} is no receipt: ")


def test_a_file_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "none"
    verdict, said = capp(str(file))
    assert verdict is Verdict.UNDECIDED
    assert said == [f"undecided: {file} cannot be read: No such file or directory"]


def test_without_a_node_nobody_can_be_asked(tmp_path: Path) -> None:
    verdict, said = capp(str(written(tmp_path, CHAIN)))
    assert verdict is Verdict.UNDECIDED
    assert said == ["undecided: which node? Give --node, or set CAPP_SETTLEMENT_FILE"]


@pytest.mark.parametrize(
    "chain",
    [
        {},
        {"chain_id": 0, "package": OTHER, "corridor": OTHER},
        {"chain_id": "4", "package": OTHER, "corridor": OTHER},
        {"chain_id": 4, "package": "mainnet", "corridor": OTHER},
        {"chain_id": 4, "package": OTHER, "corridor": "0x"},
        {"chain_id": 4, "package": OTHER, "corridor": OTHER, "node": "http://127.0.0.1:1/v1"},
    ],
)
def test_a_receipt_that_does_not_say_which_chain_proves_nothing(
    tmp_path: Path, chain: dict[str, str | int]
) -> None:
    verdict, said = capp(str(written(tmp_path, chain)), "--node", "http://127.0.0.1:1/v1")
    assert verdict is Verdict.UNDECIDED
    assert said[0].startswith("undecided: it does not say which chain")


@pytest.mark.parametrize("word", ["--package", "--corridor"])
def test_a_stranger_is_refused_before_anybody_is_asked(tmp_path: Path, word: str) -> None:
    verdict, said = capp(
        str(written(tmp_path, CHAIN)), "--node", "http://127.0.0.1:1/v1", word, "0xca04"
    )
    assert verdict is Verdict.REFUSED
    assert said[0].startswith(f"refused: {OTHER} is n")


def test_the_exit_codes_are_told_apart() -> None:
    assert [int(verdict) for verdict in Verdict] == [0, 1, 2]
