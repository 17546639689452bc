"""What answers over FHIR mean, as steps of an encounter. Pure, and as little trusting as `messages`."""

from typing import Any

from esante.services.exchange.contact_points import ContactPoint
from esante.services.exchange.country_b.errors import MAX_TEXT
from esante.services.exchange.country_b.messages import Wrong
from esante.services.exchange.country_b.model import FHIR_REPOSITORY, Document, Listed, Outcome, Patient, Retrieved

MAX_DOCUMENTS = 200
_LONGEST = 200


def identifier_of(patient: Patient) -> tuple[str, str]:
    """Return system and value of a patient's identifier (a CX)."""
    value, _, rest = patient.cx.partition("^")
    _, oid, *_ = (*rest.rpartition("^")[2].split("&"), "", "")
    return f"urn:oid:{oid}", value


def read_list(bundle: Any, class_code: str, patient: Patient, point: ContactPoint) -> Listed:
    """Return what a Bundle of DocumentReferences lists. Raises: `Wrong`."""
    if bundle.get("resourceType") != "Bundle" or not isinstance(bundle.get("entry", []), list):
        raise Wrong("the answer is no Bundle")
    entries = bundle.get("entry", [])[:MAX_DOCUMENTS]
    resources = [one.get("resource") for one in entries if isinstance(one, dict)]
    references = [one for one in resources if isinstance(one, dict) and one.get("resourceType") == "DocumentReference"]
    documents = tuple(filter(None, (_document(one, class_code, patient, point) for one in references)))
    if len({one.unique_id for one in documents}) != len(documents):
        raise Wrong("the list has documents without an identifier of their own")
    outcome = Outcome.LISTED if documents else Outcome.EMPTY
    return Listed(class_code=class_code, outcome=outcome, documents=documents)


def read_document(bundle: Any, document: Document) -> Retrieved:
    """Return the step of a document that came. Raises: `Wrong`."""
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "document":
        raise Wrong("the answer is no document")
    return Retrieved(unique_id=document.unique_id, outcome=Outcome.RETRIEVED)


def _document(reference: Any, class_code: str, patient: Patient, point: ContactPoint) -> Document | None:
    """Return the document of a reference, None for one of another class. Raises: `Wrong` for one of somebody else."""
    system, value = identifier_of(patient)
    subject = _at(reference, "subject", "identifier")
    if subject and (_at(subject, "system"), _at(subject, "value")) != (system, value):
        raise Wrong("the list has a document of another patient")
    codes = [_at(one, "code") for one in _at(reference, "type", "coding") or () if isinstance(one, dict)]
    if class_code not in codes:
        return None
    content = (_at(reference, "content") or [{}])[0]
    attachment = _at(content, "attachment") or {}
    key = str(_at(attachment, "url") or "").rpartition("/")[2]
    if not key or len(key) > _LONGEST or not key.isascii() or not key.replace("-", "").isalnum():
        raise Wrong("the list has a document without an address")
    return Document(
        unique_id=key,
        repository_id=FHIR_REPOSITORY,
        home=point.home,
        class_code=class_code,
        format_code="application/fhir+json",
        title=str(_at(attachment, "title") or "")[:MAX_TEXT],
        created="".join(filter(str.isdigit, str(_at(reference, "date") or "")[:19])),
        language=str(_at(attachment, "language") or "")[:20],
        authors=tuple(str(_at(one, "display") or "")[:_LONGEST] for one in (_at(reference, "author") or [])[:5]),
    )


def _at(value: Any, *steps: str) -> Any:
    """Return what stands at a path of objects, None where it does not."""
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value
