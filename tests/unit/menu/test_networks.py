"""Networks that make no sense are refused, by line; a code nobody listed gets the default."""

from pathlib import Path

import pytest

from engine.menu.networks import BrokenNetworks, Networks

NETWORKS = Networks.load(Path(__file__).parents[3] / "menus" / "networks.yaml")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("default: {name: x, budget_septets: 200}\nnetworks: {}",
         "networks.yaml:1: x: budget_septets out of range"),
        ("default: {name: x, budget_septets: 39}\nnetworks: {}", "x: budget_septets out of"),
        ("networks:\n  a: {name: y, deadline_seconds: 30}\ndefault: {name: x}",
         "networks.yaml:2: y: deadline_seconds out of range"),
        ("default: {name: x, deadline_seconds: 1}\nnetworks: {}", "deadline_seconds out of range"),
        ("default: {name: x, idle_seconds: 0}\nnetworks: {}", "idle_seconds out of range"),
        ("default: {name: x, idle_seconds: 181}\nnetworks: {}", "session_seconds out of range"),
        ("default: {name: x, channel: sms, budget_septets: 613}\nnetworks: {}", "budget_septets"),
        ("networks: {}\ndefault: {name: x,\n  budget: 1}", "networks.yaml:3: Object contains unk"),
        ("networks: {}", "missing required field `default`"),
        ("[", "networks.yaml:2: not YAML"),
        ("", "networks.yaml:1: is empty"),
        ("default: {name: x}\nnetworks:\n  a: {name: y}\n  a: {name: z}",
         "networks.yaml:4: `a` stands twice"),
    ],
)  # fmt: skip
def test_networks_that_make_no_sense_are_refused(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "networks.yaml"
    path.write_text(content)
    with pytest.raises(BrokenNetworks) as caught:
        Networks.load(path)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [
        "budget_septets: 40", "budget_septets: 182", "deadline_seconds: 2", "deadline_seconds: 9",
        "idle_seconds: 1", "idle_seconds: 180", "channel: sms, budget_septets: 612",
    ],
)  # fmt: skip
def test_a_network_at_its_edges_is_served(tmp_path: Path, row: str) -> None:
    path = tmp_path / "networks.yaml"
    path.write_text(f"default: {{name: x, {row}}}\nnetworks: {{}}")
    assert Networks.load(path).of("").name == "x"


def test_a_secret_is_typed_in_a_session_and_never_in_a_message() -> None:
    assert NETWORKS.of("63902").asks_secrets
    assert not NETWORKS.of("sms").asks_secrets


def test_all_faults_of_networks_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "networks.yaml"
    path.write_text(
        "default: {name: x, idle_seconds: 0}\nnetworks:\n  a: {name: y, idle_seconds: 0}"
    )
    with pytest.raises(BrokenNetworks) as caught:
        Networks.load(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_network_nobody_listed_gets_the_default() -> None:
    assert NETWORKS.of("63903").budget_septets == 182
    assert NETWORKS.of("00000").name == "any other"
