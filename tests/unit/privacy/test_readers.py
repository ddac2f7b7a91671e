"""Whoever reads a payment's terms for its people opens them first: a reader cannot forget it."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
NEEDS_NO_NUMBER = {
    "channels/commands/journal.py",  # price and rate
    "channels/commands/unserved.py",  # whose operators
    "channels/reconciliation.py",  # terms of another kind
    "engine/hooks/journal.py",  # whose the payment is
    "engine/payments/decided.py",  # what was decided
    "engine/payments/facts.py",
    "engine/payments/statements/terms.py",  # the same as of reconciliation
}
OPENS_PLAIN_POOLS = {
    "channels/commands/data.py",  # gives the keys itself
    "channels/commands/lists.py",
    "channels/privacy.py",
    "channels/commands/rates.py",
    "channels/rates.py",
    "channels/commands/terminal_log.py",  # its log keeps no number
    "channels/wiring.py",  # the same
    "engine/database.py",
}


def files_with(word: str, *, without: str) -> set[str]:
    found = (path for room in ("channels", "engine") for path in (ROOT / room).rglob("*.py"))
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in found}
    return {name for name, text in texts.items() if word in text and without not in text}


def test_every_reader_of_terms_opens_them() -> None:
    assert files_with("read_terms(", without="open_terms(") <= NEEDS_NO_NUMBER


def test_every_command_about_people_opens_a_pool_with_keys() -> None:
    assert files_with("open_pool(", without="open_sealed_pool(") <= OPENS_PLAIN_POOLS
