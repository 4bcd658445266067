"""The tree over the journal is RFC 9162's: its root, its paths, and what a path does not prove."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.merkle import grow, included, leaf_hash


def leaves(number: int) -> list[bytes]:
    return [hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(number)]


def blocks(of: list[bytes], size: int) -> list[bytes]:
    return [b"".join(of[at : at + size]) for at in range(0, len(of), size)]


def by_the_book(of: list[bytes]) -> bytes:
    """MTH of section 2.1.1, as it is defined: split at the largest power of two that is smaller."""
    if len(of) == 1:
        return leaf_hash(of[0])
    split = 1 << (len(of) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + by_the_book(of[:split]) + by_the_book(of[split:])).digest()


def path_by_the_book(index: int, of: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(of) == 1:
        return []
    split = 1 << (len(of) - 1).bit_length() - 1
    if index < split:
        return [*path_by_the_book(index, of[:split]), by_the_book(of[split:])]
    return [*path_by_the_book(index - split, of[split:]), by_the_book(of[:split])]


@given(st.integers(1, 200), st.sampled_from([1, 2, 4, 16, 256]))
def test_root_and_paths_are_those_of_the_rfc_in_blocks_of_any_size(size: int, block: int) -> None:
    of = leaves(size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merkle, "BLOCK", block)
        tree = grow(blocks(of, block), range(size))

    assert (tree.size, tree.root) == (size, by_the_book(of))
    assert {index: list(path) for index, path in tree.paths.items()} == {
        index: path_by_the_book(index, of) for index in range(size)
    }


@settings(max_examples=200)
@given(st.data())
def test_a_path_proves_its_own_leaf_at_its_own_place_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 64))
    of = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    tree = grow(blocks(of, merkle.BLOCK), [index])
    path = tree.paths[index]

    assert included(of[index], index, size, path, tree.root)
    other = data.draw(st.integers(0, 70))
    if other != index:
        assert not included(of[index], other, size, path, tree.root)
    assert not included(hashlib.sha256(b"x").digest(), index, size, path, tree.root)
    assert not included(of[index], index, size, [*path, of[0]], tree.root)
    if path:
        assert not included(of[index], index, size, path[:-1], tree.root)
        assert not included(of[index], index, size, [*path[:-1], of[index]], tree.root)


def test_known_answers() -> None:
    """Roots of certificate transparency's own test data (RFC 9162 has none; these leaves are the usual ones)."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    nodes = [leaf_hash(bytes.fromhex(one)) for one in inputs]

    assert merkle._fold(nodes[:1], ())[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle._fold(nodes[:3], ())[0].hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle._fold(nodes, ())[0].hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
