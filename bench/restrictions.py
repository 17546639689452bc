"""What it costs to restrict a line: a document rendered without it, with the clinical resources of both forms.

Beside it stands the deposit's own part: decoding the document and taking its resources out of it.
"""

from pathlib import Path
from time import process_time
from uuid import UUID

from bench.figures import Figures
from esante.core import clock
from esante.core.fhir import decode, encode
from esante.services.record.indexing.ingest import resource_rows
from esante.services.record.restrictions.chosen_lines import DocumentLines
from esante.services.record.restrictions.reduced_document import both_resources
from esante.services.record.restrictions.reduction import reduce_document

DOCUMENTS = Path(__file__).parents[2] / "shared/data/eu-documents"
_PERSON, _DOCUMENT = UUID(int=1), UUID(int=2)
_TOKENS = 8
"""Lines of each document that are restricted, one after the other."""


async def restrictions(data: Path, seconds: float, full: bool) -> Figures:
    """Restrict lines of European documents, each alone; figures are of processor time."""
    rendering, whole, plain = list[float](), list[float](), list[float]()
    paths = sorted(DOCUMENTS.glob("*/*.json"))
    if not paths:
        return {"restriction": f"no documents at {DOCUMENTS}"}
    for path in paths if full else paths[::6]:
        content, now = path.read_bytes(), clock.now()
        began = process_time()
        resource_rows(_PERSON, _DOCUMENT, now, decode(content))
        plain.append(process_time() - began)
        tokens = sorted(DocumentLines(decode(content)).line_tokens())
        for token in tokens[:: max(1, len(tokens) // _TOKENS)]:
            began = process_time()
            bundle = decode(content)
            reduced = reduce_document(bundle, [token])
            encode(reduced)
            rendering.append(process_time() - began)
            both_resources(_PERSON, _DOCUMENT, now, bundle, reduced)
            whole.append(process_time() - began)
    return {
        "a document rendered without a line": _line(rendering),
        "with its clinical resources, both forms": _line(whole),
        "deposit: resources of the document": _line(plain),
    }


def _line(times: list[float]) -> str:
    ordered = sorted(times)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"median {middle * 1000:.0f} ms, p95 {late * 1000:.0f} ms, most {ordered[-1] * 1000:.0f} ms ({len(times)})"


PARTS = {"restrictions": restrictions}
