"""Whether kept data was made by the migrations of this version; if not, it cannot be used again.

Until the first release a migration may still be changed in place. What was kept by another version
of it is dropped: the folder says that it is safe to delete.
"""

import hashlib
import json
from pathlib import Path

from simulator import embedded
from simulator.kept import write_whole

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
RECORD = "schema.json"


def forget_other(folder: Path, data: str) -> bool:
    """Remove `folder/data` if a migration that made it has changed since; whether that was so.

    Migrations that were only added leave it alone: they are applied to it. Safe to repeat.
    """
    record, kept, now = folder / RECORD, folder / data, _prints()
    before: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    usable = bool(before) and before.items() <= now.items()
    forgotten = kept.exists() and not usable
    if forgotten:
        embedded.remove(kept)
    write_whole(record, json.dumps(now, indent=1))
    return forgotten


def _prints() -> dict[str, str]:
    files = sorted([*MIGRATIONS.glob("sql/*.sql"), *MIGRATIONS.glob("versions/*.py")])
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
