"""The seed of one stack, without what concerns others, and what its sandboxes hold for it."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from simulator import amounts

NAMES = ("seed.yaml", "corridors.yaml")
FILES = tuple(Path(__file__).parent / name for name in NAMES)
CORRIDOR = ("payer_operator", "payee_operator")
# libyaml's, where it is there: a twentieth of the time, and everything that starts waits for it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_seed(file: Path, operators: Collection[str], files: Iterable[Path] = FILES) -> None:
    """Write what these operators need: corridors with both ends among them, floats, all rates.

    `files`: where it is taken from; a server of another version reads its own alone.
    """
    seeds = _seeds(files)
    whole = {part: _parts(seeds, part) for part in ("rates", "corridors", "floats")}
    ours = {*operators}
    whole["corridors"] = [c for c in whole["corridors"] if {c[end] for end in CORRIDOR} <= ours]
    whole["floats"] = [paid_in for paid_in in whole["floats"] if paid_in["operator"] in ours]
    file.write_text(yaml.dump(whole, Dumper=_DUMPER, sort_keys=False), "utf-8")


def corridors() -> list[dict[str, Any]]:
    """All that can be paid, whoever runs."""
    return _parts(_seeds(FILES), "corridors")


def _seeds(files: Iterable[Path]) -> list[Mapping[str, Any]]:
    texts = (each.read_text("utf-8") for each in files)
    return [yaml.load(text, Loader=_LOADER) for text in texts]  # noqa: S506  the safe one


def _parts(seeds: list[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    return [dict(line) for seed in seeds for line in seed[name]]


def hold_what_is_booked(books: str, operators: Mapping[str, str], terms: Path) -> None:
    """Let sandboxes, which forget, hold for us what kept books say, as `capp books` wrote them.

    And what the server was told by `terms` that no book of it has. `operators`: name -> address of
    its sandbox. Raises httpx.HTTPError.
    """
    told = yaml.safe_load(terms.read_text("utf-8"))["statements"]["operators"]
    for line in books.splitlines():
        words = line.split()
        if (
            len(words) == 5
            and words[1] == "FLOAT"
            and words[4] == "debit"
            and words[2] in operators
        ):
            unbooked = told.get(words[2], {}).get("unbooked_minor", 0)
            held = {"held_minor": amounts.to_minor(words[3], words[0]) + unbooked}
            url = f"{operators[words[2]]}/_sandbox/merchant"
            httpx.put(url, json=held, trust_env=False).raise_for_status()
