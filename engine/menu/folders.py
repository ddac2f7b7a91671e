"""Which files a folder of menus has: the house's, and below `own/` those of one tenant.

There they stand as in the tenant's folder: `menus/<journey>.yaml` and `texts/<language>.yaml`. It
refuses to know what is in them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.menu.bundle import own_files
from engine.menu.screens import OWN

OWN_MENUS: Final = f"{OWN}/menus"
OWN_TEXTS: Final = f"{OWN}/texts"
NETWORKS: Final = "networks.yaml"


def house_or_own(folder: Path) -> dict[str, Path]:
    """Every file of journeys and links by its name; the tenant's where both have one."""
    house = {path.name: path for path in sorted(folder.glob("*.yaml"))}
    own = {path.name: path for path in sorted((folder / OWN_MENUS).glob("*.yaml"))}
    return dict(sorted({**house, **own}.items()))


def label_of(folder: Path, path: Path) -> str:
    """What a file is called in a fault: `home.yaml`, a tenant's `own/menus/home.yaml`."""
    return path.relative_to(folder).as_posix()


def stray_problems(folder: Path) -> Iterator[str]:
    """Files of a tenant that nobody would read: a word misspelt, or what is not a tenant's."""
    for path in own_files(folder / OWN):
        label = label_of(folder, path)
        if label == f"{OWN_MENUS}/{NETWORKS}":
            yield f"{label}:1: networks are the same for everybody"
        elif label not in (f"{OWN_MENUS}/{path.stem}.yaml", f"{OWN_TEXTS}/{path.stem}.yaml"):
            known = "menus/<journey>.yaml, texts/<language>.yaml"
            yield f"{label}:1: nobody reads it: there are {known}"
