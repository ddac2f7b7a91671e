"""The file that says how operators are asked and what their statements are: read, not judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from channels.settings import BadSettings, Settings
from engine.payments.schedule import Timetables, read_timetables
from engine.payments.statements.terms import TermsBook, read_terms
from engine.plain_yaml import read_yaml
from engine.ports import Direction

RECONCILIATION = Path(__file__).parent.parent / "engine" / "reconciliation.yaml"
OTHER_FILE = "CAPP_RECONCILIATION_FILE"


def read_polling(settings: Settings) -> Timetables:
    """How silent attempts are asked about. Raises BadSettings for a file that cannot say so."""
    first = dict.fromkeys(Direction, settings.first_look_seconds)
    first[Direction.DISBURSE] = settings.first_payout_look_seconds
    with _refusing():
        raw = _read(settings).get("polling", {})
        return read_timetables(raw, first_looks=first)


def read_statement_terms(settings: Settings) -> TermsBook:
    """What is expected of statements. Raises BadSettings for a file that cannot say so."""
    with _refusing():
        return read_terms(_read(settings).get("statements", {}))


def _read(settings: Settings) -> dict[str, Any]:
    named = settings.environment.get(OTHER_FILE, "").strip()
    raw = read_yaml((Path(named) if named else RECONCILIATION).read_text()) or {}
    return raw if isinstance(raw, dict) else {"polling": raw}  # refused as senseless


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSettings(f"{OTHER_FILE}: is no file of YAML") from error
    except msgspec.ValidationError as error:
        raise BadSettings(f"{OTHER_FILE}: {error}") from error
