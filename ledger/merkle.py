"""The Merkle tree over the journal, as RFC 9162 (section 2.1) has it.

The one rule: a leaf is an entry's hash in the chain, at the place that its number says, so a root stands for everything
that the journal said up to that entry. Nothing of the tree is stored: it follows from the entries.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

WIDTH: Final = 32
"""Bytes of a hash."""
BLOCK: Final = 2**14
"""Leaves folded at once, a power of two, so that memory stays flat however long the journal is."""


class Tree(NamedTuple):
    """The root over the first `size` entries, and the inclusion paths that were asked for, by the leaf's index."""

    size: int
    root: bytes
    paths: Mapping[int, tuple[bytes, ...]]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def grow(blocks: Iterable[bytes], wanted: Collection[int] = ()) -> Tree:
    """The tree over leaves that come as joined hashes, `BLOCK` in each block but the last.

    `wanted` are indexes of leaves, from 0, whose inclusion paths are kept.
    """
    size, roots = 0, []
    inside: dict[int, list[bytes]] = {}
    for block in blocks:
        leaves = [leaf_hash(block[at : at + WIDTH]) for at in range(0, len(block), WIDTH)]
        here = {index: index - size for index in wanted if size <= index < size + len(leaves)}
        root, paths = _fold(leaves, here.values())
        inside |= {index: paths[place] for index, place in here.items()}
        roots.append(root)
        size += len(leaves)
    if not roots:
        return Tree(0, hashlib.sha256().digest(), {})
    root, above = _fold(roots, {index // BLOCK for index in inside})
    return Tree(size, root, {index: (*path, *above[index // BLOCK]) for index, path in inside.items()})


def _fold(nodes: Sequence[bytes], wanted: Iterable[int]) -> tuple[bytes, dict[int, list[bytes]]]:
    """The root of some nodes, and for each wanted one what stands beside its way there. The last of an odd number goes
    up as it is."""
    paths: dict[int, list[bytes]] = {index: [] for index in wanted}
    at = {index: index for index in paths}
    while len(nodes) > 1:
        for index, place in at.items():
            if (beside := place ^ 1) < len(nodes):
                paths[index].append(nodes[beside])
            at[index] = place >> 1
        paired = [_node(nodes[n], nodes[n + 1]) for n in range(0, len(nodes) - 1, 2)]
        nodes = [*paired, nodes[-1]] if len(nodes) % 2 else paired
    return nodes[0], paths


def included(data: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that a leaf stands at an index of the tree with this size and root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf_hash(data)
    for beside in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = _node(beside, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root
