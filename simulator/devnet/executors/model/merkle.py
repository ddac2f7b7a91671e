"""Inclusion proofs of RFC 9162, section 2.1, with SHA3-256. Pure; it knows no batch.

The tree hash and the proof maker are for whoever plays with the model; contracts only check.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulator.devnet.addresses import sha3

_LEAF = b"\x00"
_NODE = b"\x01"
_HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Section 2.1.1: 0x00 before the bytes of a leaf."""
    return sha3(_LEAF, leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Section 2.1.1: 0x01 before both children."""
    return sha3(_NODE, left, right)


def holds(root: bytes, size: int, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
    """Section 2.1.3.2: whether the leaf hash is at `index` of the tree of `size` with this root."""
    if index >= size or len(leaf) != _HASH_BYTES:
        return False
    position, last = index, size - 1
    found = leaf
    for sibling in proof:
        if last == 0 or len(sibling) != _HASH_BYTES:
            return False
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and found == root


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Section 2.1.1: the root over leaf hashes, at least one."""
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(tree_hash(leaves[:split]), tree_hash(leaves[split:]))


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Section 2.1.3.1: the proof of the leaf hash at `index`, from the leaf up."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*prove(leaves[:split], index), tree_hash(leaves[split:]))
    return (*prove(leaves[split:], index - split), tree_hash(leaves[:split]))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
