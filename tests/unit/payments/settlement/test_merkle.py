"""The tree of RFC 9162, its proofs, and that nothing but the leaf itself is proven."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.settlement.merkle import Tree, leaf_hash, node_hash, verify


def hashes(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


def root_by_the_rfc(leaves: list[bytes]) -> bytes:
    """Section 2.1.1 word by word: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_by_the_rfc(leaves[:split]), root_by_the_rfc(leaves[split:]))


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 1000])
def test_the_root_is_that_of_the_rfc(size: int) -> None:
    assert Tree(hashes(size)).root == root_by_the_rfc(hashes(size))


def test_leaves_and_nodes_are_hashed_apart() -> None:
    assert leaf_hash(b"x") == hashlib.sha3_256(b"\x00x").digest()
    assert node_hash(b"a", b"b") == hashlib.sha3_256(b"\x01ab").digest()


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_proves_itself_and_nothing_else(size: int) -> None:
    leaves, tree = hashes(size), Tree(hashes(size))
    for index, leaf in enumerate(leaves):
        proof = tree.proof(index)
        assert verify(leaf, index, size, proof, tree.root)
        assert not any(verify(leaf, other, size, proof, tree.root) for other in range(size)
                       if other != index)  # fmt: skip
        assert not any(verify(other, index, size, proof, tree.root) for other in leaves
                       if other != leaf)  # fmt: skip
        assert not verify(leaf, index, size, (*proof, leaf), tree.root)
        assert not proof or not verify(leaf, index, size, proof[:-1], tree.root)


@given(st.integers(1, 400), st.data())
def test_a_proof_that_was_touched_anywhere_proves_nothing(size: int, data: st.DataObject) -> None:
    tree = Tree(hashes(size))
    index = data.draw(st.integers(0, size - 1))
    proof = list(tree.proof(index))
    if not proof:
        return
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    proof[at] = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    assert not verify(hashes(size)[index], index, size, proof, tree.root)


@pytest.mark.parametrize(("size", "longest"), [(1, 0), (2, 1), (1_000, 10), (10_000, 14)])
def test_a_proof_grows_with_the_logarithm_of_the_payments(size: int, longest: int) -> None:
    tree = Tree(hashes(size))
    assert max(len(tree.proof(index)) for index in range(0, size, max(size // 97, 1))) == longest


def test_a_proof_that_is_longer_than_the_tree_is_high_proves_nothing() -> None:
    """Else the last of two leaves would stand at the place of the first, in a tree of one."""
    first, last = hashes(2)
    assert not verify(last, 0, 1, (first,), Tree([first, last]).root)


def test_what_is_no_place_or_no_hash_is_not_proven() -> None:
    leaf, tree = hashes(1)[0], Tree(hashes(1))
    assert verify(leaf, 0, 1, (), tree.root)
    assert not verify(leaf, -1, 1, (), tree.root)
    assert not verify(leaf, 1, 1, (), tree.root)
    assert not verify(leaf[:-1], 0, 1, (), tree.root)
    with pytest.raises(ValueError, match="at least one leaf"):
        Tree([])
    with pytest.raises(IndexError):
        tree.proof(1)
