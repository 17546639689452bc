"""Documents that cross a border: transcoding, translation and conversion, by processor time.

Measured is the reference summary of MyHealth@EU (about 116 KB) where the shared inputs are there, else an invented one
of that size. Beside it stands what only parses the same bytes, the floor of each.
"""

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import orjson
from lxml import etree

from bench.figures import Figures
from esante.services.exchange import cda_to_fhir, fhir_to_cda, sample_catalogue, translate
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.exchange.translation import coded_elements

SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
SUMMARY = SHARED / "ehdsi-cda" / "patient-summary" / "L3_PS_ReferenceTestData_W3.xml"
ROUNDS = 31


async def exchange(data: Path, seconds: float, full: bool) -> Figures:
    """Measure each step on one document, least and median of many rounds."""
    if not SUMMARY.is_file():
        return {"exchange": f"no document to measure: {SUMMARY} is absent"}
    document = SUMMARY.read_bytes()
    complete = _catalogue_of(document)
    converted = cda_to_fhir(document)
    fhir = converted.encoded()
    return {
        "document": f"{len(document):,} bytes, {len(fhir):,} as FHIR; load {os.getloadavg()[0]:.1f}",
        "CDA parsed only": _measure(lambda: etree.fromstring(document)),
        "FHIR parsed only": _measure(lambda: orjson.loads(fhir)),
        "translated, sample catalogue": _measure(lambda: translate(document, "fr", sample_catalogue())),
        "transcoded and translated, every code in the catalogue": _measure(
            lambda: translate(document, "fr", complete)
        ),
        "CDA to FHIR": _measure(lambda: cda_to_fhir(document).encoded()),
        "its loss report": _measure(converted.report),
        "FHIR to CDA, validated before": _measure(lambda: fhir_to_cda(fhir).encoded()),
    }


def _catalogue_of(document: bytes) -> CodeCatalogue:
    """Return a catalogue that transcodes and translates every code of a document, the worst case."""
    found = {
        (element.get("codeSystem"), element.get("code"))
        for element in coded_elements(etree.fromstring(document))
        if element.get("code") and element.get("codeSystem")
    }
    pivots = {code: ("2.999.1", f"{code[1]}-pivot") for code in found}
    designations = {
        pivot: {"en": f"{pivot[1]} in English", "fr": f"{pivot[1]} en français"} for pivot in pivots.values()
    }
    return CodeCatalogue(designations=designations, pivots=pivots)


def _measure(work: Callable[[], object]) -> str:
    times = []
    for _ in range(ROUNDS):
        began = process_time()
        work()
        times.append((process_time() - began) * 1000)
    return f"{min(times):.1f} ms least, {median(times):.1f} ms median of {ROUNDS}, processor time"


PARTS = {"exchange": exchange}
