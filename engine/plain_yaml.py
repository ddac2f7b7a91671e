"""What a YAML file of ours holds, as plain values. It knows no file and no field.

libyaml reads in a twentieth of the time that Python takes over it, which at a start was more than
reaching the database; where it is not there Python does it.
"""

from typing import Any, Final

import yaml

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Makes plain values and nothing else, whatever a tag asks for."""


def read_yaml(text: str) -> Any:
    """The values of one document. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506  it is the safe one
