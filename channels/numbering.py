"""The numbering plan as it is shipped: whose a number is, beside the operators that we can call."""

from pathlib import Path

from engine.msisdn import Prefixes
from engine.payments.routing import Directory
from engine.plain_yaml import read_yaml
from engine.ports import OperatorPort

NUMBERING = Path(__file__).parent.parent / "engine" / "prefixes.yaml"


def read_directory(operators: dict[str, OperatorPort]) -> Directory:
    """The operators we can call and the numbering plan. Raises ValueError on a broken plan."""
    numbering = read_yaml(NUMBERING.read_text())
    return Directory(
        {name: port.facts for name, port in operators.items()},
        Prefixes(numbering["ranges"]),
        numbering["networks"],
    )


def read_networks() -> dict[str, str]:
    """Network codes by our names of operators, as the numbering plan lists them."""
    networks: dict[str, str] = read_yaml(NUMBERING.read_text())["networks"]
    return networks
