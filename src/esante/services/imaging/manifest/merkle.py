"""The Merkle root over the instances of a study: one hash that changes with any of their bytes."""

from collections.abc import Iterable

from esante.core.journal import Frontier, leaf_hash


def merkle_root(hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree (RFC 9162, 2.1.1) whose leaves are the SHA-256 of instances, in the order given.

    Manifests order instances by SOP Instance UID, as text.
    """
    tree = Frontier()
    for one in hashes:
        tree.append(leaf_hash(one))
    return tree.root()
