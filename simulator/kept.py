"""Files that the next start reads: written whole or not at all, whenever a run is killed.

It refuses to know what stands in them.
"""

import os
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Put the text in the file's place; its owner alone may read it. A repeat is safe.

    Whoever dies on the way, by kill -9 or with the machine, leaves what was there before.
    """
    beginning = file.with_name(f"{file.name}.new")
    beginning.unlink(missing_ok=True)  # of a run that was killed; it may have other rights
    descriptor = os.open(beginning, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beginning.replace(file)
