"""The settlement file is read by whoever it concerns; its salts are a secret of their owner."""

from pathlib import Path

import pytest

from channels.settings import BadSettings
from channels.settlement_file import chain_of, keys_of, members_of, read_document, read_salt

SALT = "5a" * 32


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "file"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_every_reader_gets_its_own_part(tmp_path: Path) -> None:
    document = read_document(
        written(
            tmp_path,
            "keys: {kind: file, folder: /k}\n"
            "aptos: {node: 'http://127.0.0.1/v1'}\n"
            "corridors: [{name: a, members: [mpesa_ke, mtn_ug]}, {name: b}]\n",
        )
    )
    assert keys_of(document) == {"kind": "file", "folder": "/k"}
    assert chain_of(document) == {"node": "http://127.0.0.1/v1"}
    # What is wrong with the second is told by whoever reads corridors.
    assert members_of(document) == {"a": ["mpesa_ke", "mtn_ug"]}


@pytest.mark.parametrize("text", ["keys: [", "- a list", "", "1: numbers"])
def test_what_is_no_settlement_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSettings, match="CAPP_SETTLEMENT_FILE"):
        read_document(written(tmp_path, text))


@pytest.mark.parametrize("text", ["{}", "keys: file\naptos: 5", "keys:\naptos:"])
def test_a_part_that_is_missing_is_named(tmp_path: Path, text: str) -> None:
    document = read_document(written(tmp_path, text))
    with pytest.raises(BadSettings, match="keys is missing"):
        keys_of(document)
    with pytest.raises(BadSettings, match="aptos is missing"):
        chain_of(document)


def test_a_salt_is_read_from_a_file_of_its_owner(tmp_path: Path) -> None:
    assert read_salt(written(tmp_path, SALT + "\n")) == bytes.fromhex(SALT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_salt_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadSettings, match="others than its owner"):
        read_salt(written(tmp_path, SALT, mode))


@pytest.mark.parametrize("text", ["", "5a" * 31, "5a" * 33, "zz" * 32])
def test_a_salt_of_another_length_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_salt(written(tmp_path, text))
    assert "CAPP_SETTLEMENT_SALT_FILE" in str(caught.value)
    assert not text or text not in str(caught.value)
