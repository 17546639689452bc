"""Kits that lie outside the program, in the folder of this file; `use_sample_kits` adds them to the catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esante.services.conformance import kits as package
from esante.services.conformance.kits.catalogue import kits


@contextmanager
def use_sample_kits() -> Iterator[None]:
    """Add the kits of this folder to the catalogue."""
    folder = str(Path(__file__).parent)
    package.__path__.append(folder)
    kits.cache_clear()
    try:
        yield
    finally:
        package.__path__.remove(folder)
        kits.cache_clear()
