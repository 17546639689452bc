"""Evaluation of expressions, and real resources to evaluate them on."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from esante.core.fhir import compile_path, decode
from esante.core.types import Json


def evaluate(expression: str, resource: Json, **more: Any) -> list[Any]:
    """Return the results of an expression over a resource of its type."""
    return compile_path(expression, resource["resourceType"]).evaluate(resource, **more)


def evaluate_single(expression: str) -> Any:
    """Return the first result of an expression that needs no resource; None where it is empty."""
    found = compile_path(expression).evaluate({"resourceType": "Basic"})
    return found[0] if found else None


def sample_bundles(shared_data: Path) -> Iterator[Json]:
    """Yield every fifth European document and three Synthea bundles."""
    for file in sorted((shared_data / "eu-documents").glob("*/*.json"))[::5]:
        yield decode(file.read_bytes())
    for file in sorted((shared_data / "synthea").glob("*.json.gz"))[:3]:
        yield decode(gzip.decompress(file.read_bytes()))
