"""The file that says how operators are asked and what their statements are: read, not judged."""

from pathlib import Path
from typing import Any

from channels.settings import Settings
from engine.payments.schedule import Timetables, read_timetables
from engine.payments.statements.terms import TermsBook, read_terms
from engine.plain_yaml import read_yaml
from engine.ports import Direction

RECONCILIATION = Path(__file__).parent.parent / "engine" / "reconciliation.yaml"
OTHER_FILE = "CAPP_RECONCILIATION_FILE"


def read_polling(settings: Settings) -> Timetables:
    """How silent attempts are asked about. Raises OSError, msgspec.ValidationError."""
    raw = _read(settings).get("polling", {})
    first = dict.fromkeys(Direction, settings.first_look_seconds)
    first[Direction.DISBURSE] = settings.first_payout_look_seconds
    return read_timetables(raw, first_looks=first)


def read_statement_terms(settings: Settings) -> TermsBook:
    """What is expected of statements. Raises OSError, msgspec.ValidationError."""
    return read_terms(_read(settings).get("statements", {}))


def _read(settings: Settings) -> dict[str, Any]:
    named = settings.environment.get(OTHER_FILE, "").strip()
    raw = read_yaml((Path(named) if named else RECONCILIATION).read_text()) or {}
    return raw if isinstance(raw, dict) else {"polling": raw}  # refused as senseless
