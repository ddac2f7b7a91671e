"""All files of `menus/` as bytes: what one edition consists of, and the version it is called by."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from engine.menu.screens import OWN

Bundle = Mapping[str, bytes]
"""Path below `menus/`, with slashes -> content."""

PACKED_BYTES_MAX = 4 * 1024 * 1024


def read_bundle(folder: Path, own: Path | None = None) -> Bundle:
    """Every YAML file of a folder, and of a tenant's own below `own/`. Raises OSError.

    A tenant's folder that is gone is an error and not nothing: its words are not taken from it
    because a disk was late.
    """
    house = _contents(folder, sorted(folder.rglob("*.yaml")))
    if own is None:
        return house
    if not own.is_dir():
        raise NotADirectoryError(f"{own} is not a folder")
    laid = _contents(own, own_files(own))
    return {**house, **{f"{OWN}/{path}": content for path, content in laid.items()}}


def own_files(own: Path) -> list[Path]:
    """Every file of a tenant's folder that looks like YAML, hidden ones apart."""
    return [
        path
        for path in sorted(own.rglob("*"))
        if path.suffix in (".yaml", ".yml")
        and not any(part.startswith(".") for part in path.relative_to(own).parts)
    ]


def _contents(folder: Path, paths: Iterable[Path]) -> Bundle:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


_VERSION_BYTES = 8


def version_of(bundle: Bundle) -> str:
    """Changes whenever a file does, is added or removed. Sixteen hexadecimal digits.

    With eight, whoever can write to Redis found other menus of the same name within minutes, and a
    process that began since served them to the sessions of that edition.
    """
    digest = hashlib.blake2b(digest_size=_VERSION_BYTES)
    for name, content in sorted(bundle.items()):
        digest.update(b"%d:%s%d:" % (len(name), name.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()


def pack_bundle(bundle: Bundle) -> bytes:
    """Small enough for Redis: some tens of kilobytes."""
    return zlib.compress(msgspec.msgpack.encode(dict(bundle)))


def unpack_bundle(packed: bytes) -> Bundle:
    """The inverse. Raises ValueError for anything else, also for what would grow too large."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(packed, PACKED_BYTES_MAX)
        if unpacker.unconsumed_tail:
            raise ValueError("too large for menus")
        found: dict[str, bytes] = msgspec.msgpack.decode(plain, type=dict[str, bytes])
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError("not a packed edition") from error
    return found


@contextmanager
def laid_out(bundle: Bundle) -> Iterator[Path]:
    """The bundle as a folder, for as long as it is read. Raises ValueError for a path outside."""
    with TemporaryDirectory(prefix="capp-menus-") as name:
        folder = Path(name)
        for path, content in bundle.items():
            target = (folder / path).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise ValueError("a path leads out of the folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        yield folder
