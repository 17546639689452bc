"""Terms of access that a test puts in the place of those in force."""

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import replace


@contextlib.contextmanager
def changed_policy(**changes: object) -> Iterator[None]:
    """Change fields of all terms of access (`Policy`) for as long as the context lasts."""
    matrix = importlib.import_module("esante.identity.access.matrix")
    original = matrix._policies
    matrix._policies = lambda: tuple(replace(terms, **changes) for terms in original())
    matrix.policy.cache_clear()
    try:
        yield
    finally:
        matrix._policies = original
        matrix.policy.cache_clear()
