"""The tree against a recursive implementation of the definition, and proofs against their verification."""

from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import merkle


def recursive_root(leaves):
    """MTH of RFC 9162, section 2.1.1."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


def grow_tree(size):
    leaves = [merkle.leaf_hash(str(i).encode()) for i in range(size)]
    frontier, kept = merkle.Frontier(), {0: leaves}
    for leaf in leaves:
        for level, position, hash_ in frontier.append(leaf):
            assert position == len(kept.setdefault(level, []))
            kept[level].append(hash_)

    def hashes(level, first, count):
        found = kept[level][first : first + count]
        assert len(found) == count
        return found

    return leaves, frontier, hashes


def test_hashes_of_the_certificate_transparency_test_vectors():
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(st.integers(0, 700))
def test_frontier_has_the_root_of_the_definition(size):
    leaves, frontier, _ = grow_tree(size)
    assert frontier.root() == recursive_root(leaves)
    again = merkle.Frontier.from_bytes(size, frontier.to_bytes())
    assert again.root() == frontier.root()


@given(st.data())
def test_inclusion_proof_gives_the_root_for_its_leaf_only(data):
    size = data.draw(st.integers(1, 700))
    index = data.draw(st.integers(0, size - 1))
    leaves, frontier, hashes = grow_tree(size)
    path = merkle.inclusion_path(index, size, hashes)
    assert merkle.root_from_inclusion(index, size, leaves[index], path) == frontier.root()
    assert merkle.root_from_inclusion(index, size, merkle.leaf_hash(b"other"), path) != frontier.root()


@given(st.data())
def test_consistency_proof_holds_for_its_own_trees_only(data):
    new = data.draw(st.integers(1, 700))
    old = data.draw(st.integers(1, new))
    leaves, frontier, hashes = grow_tree(new)
    path = merkle.consistency_path(old, new, hashes)
    old_root = recursive_root(leaves[:old])
    assert merkle.is_consistent(old, new, old_root, frontier.root(), path)
    forged = recursive_root([merkle.leaf_hash(b"forged"), *leaves[1:old]])
    assert not merkle.is_consistent(old, new, forged, frontier.root(), path)
