"""Secrets are compared in a time that tells nothing: over the code itself, so none is forgotten."""

import ast
import re
from pathlib import Path

import pytest

from channels.web.bodies import is_secret

ROOT = Path(__file__).parents[2]
SECRET = re.compile(
    r"(?:^|_)(?:token|secret|password|passkey|mac|hmac|signature|digest|api_key|pin|bearer|"
    r"authorization)(?:$|_)"
)
LIKELY = re.compile(
    r"(?=.*(?:==|!=)).*(?:token|secret|pass|mac|signature|digest|key|pin|bearer|authorization)"
)
"""Lines worth reading a whole file for: that takes long."""
# What bears such a name and is no secret that somebody outside could try, each with why.
KNOWN = {
    "engine/compliance/lists/store.py: known.digest == digest": "of a public list",
    "engine/customers/pins.py: pin[0] == pin[1]": "whether a new PIN is too simple",
    "engine/customers/pins.py: pin[2] == pin[3]": "likewise",
    "engine/customers/pins.py: pin[:2] == pin[2:]": "likewise",
    "engine/hooks/hooks.py: kept.place.secret == secret": "the id of a secret",
    "engine/ledger/auditor.py: block.hash != chained(block.previous or b'', block.digest)": (
        "of our own books, by our own command"
    ),
    "engine/ledger/auditor.py: now != (block.entries, block.digest)": "likewise",
    "engine/ledger/auditor.py: old == (block.entries, block.digest)": "likewise",
    "engine/payments/statements/store.py: digest == known[-1]": "of a file that staff took in",
    "providers/http.py: self._token == token": "our own token, by our own code",
    "providers/signers/vault.py: token == self._renewed_token": "likewise",
}


def compares(source: str, name: str) -> set[str]:
    """Every == or != one side of which is named as a secret."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if not all(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(map(_is_constant, sides)):
            continue
        if any(SECRET.search(word) for side in sides for word in _words(side)):
            found.add(f"{name}: {ast.unparse(node)}")
    return found


def _is_constant(side: ast.expr) -> bool:
    """Whether it is empty, of some kind, of some length: nothing of it is compared sign by sign."""
    if isinstance(side, ast.Call):
        return isinstance(side.func, ast.Name) and side.func.id == "len"
    return isinstance(side, ast.Constant) and not (
        isinstance(side.value, str | bytes) and side.value
    )


def _words(side: ast.expr) -> set[str]:
    named = {node.id.lower() for node in ast.walk(side) if isinstance(node, ast.Name)}
    return named | {node.attr.lower() for node in ast.walk(side) if isinstance(node, ast.Attribute)}


def test_every_secret_is_compared_so_that_its_time_tells_nothing() -> None:
    found: set[str] = set()
    for room in ("channels", "engine", "providers"):
        for path in (ROOT / room).rglob("*.py"):
            source = path.read_text("utf-8")
            if any(LIKELY.search(line) for line in source.lower().splitlines()):
                found |= compares(source, str(path.relative_to(ROOT)))
    assert found - set(KNOWN) == set()
    assert set(KNOWN) - found == set(), "is not there any more: take it off the list"


@pytest.mark.parametrize(
    "line",
    ["token == given", "if given != self._api_key: pass", "x = a.mac == b", "h(pin) == stored"],
)
def test_the_search_finds_what_it_is_for(line: str) -> None:
    assert compares(line, "x.py")


@pytest.mark.parametrize("line", ["token == ''", "len(token) > 3", "pinned == x", "token is None"])
def test_the_search_leaves_the_rest(line: str) -> None:
    assert not compares(line, "x.py")


@pytest.mark.parametrize("given", ["", "é", "\udcff", "x" * 10_000, "right ", "Right", "\x00"])
def test_a_secret_is_only_itself(given: str) -> None:
    assert not is_secret(given, "right")
    assert is_secret("right", "right")
