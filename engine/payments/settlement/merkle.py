"""A Merkle tree over the payments of a batch, and the proof that one of them is in it. Pure.

The tree is that of RFC 9162 section 2.1 with SHA3-256 as its hash; a proof is checked by section
2.1.3.2, as the settlement contract does it. What a leaf says is `leaves.py`.
"""

import hashlib
from collections.abc import Sequence

HASH_LENGTH = 32


def leaf_hash(leaf: bytes) -> bytes:
    """A leaf's own hash; the zero byte keeps leaves and nodes apart."""
    return hashlib.sha3_256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two below it."""
    return hashlib.sha3_256(b"\1" + left + right).digest()


class Tree:
    """All levels of a tree, from leaf hashes up to the root. At least one leaf."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        if not leaf_hashes:
            raise ValueError("a tree has at least one leaf")
        self._levels = [list(leaf_hashes)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_above(self._levels[-1]))

    @property
    def root(self) -> bytes:
        return self._levels[-1][0]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The hashes beside the way from a leaf to the root, lowest first: ⌈log₂ size⌉ at most.

        Raises IndexError when there is no such leaf.
        """
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(f"no leaf {index} of {len(self._levels[0])}")
        out = []
        for level in self._levels[:-1]:
            beside = index ^ 1
            if beside < len(level):
                out.append(level[beside])
            index >>= 1
        return tuple(out)


def _above(level: list[bytes]) -> list[bytes]:
    """The level above. The last of an odd number goes up as it is.

    That is the RFC's tree: its left part is always the largest power of two that is smaller.
    """
    pairs = zip(level[::2], level[1::2], strict=False)
    above = [node_hash(left, right) for left, right in pairs]
    return [*above, level[-1]] if len(level) % 2 else above


def verify(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash stands at `index` of a tree of `size` leaves with that root."""
    if not 0 <= index < size or any(len(h) != HASH_LENGTH for h in (leaf, root, *proof)):
        return False
    here, last, found = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return False  # longer than the tree is high
        if here & 1 or here == last:
            found = node_hash(beside, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and found == root
