"""Provenance of clinical resources (FHIR R4, provenance.html), computed from the sources that a requester may see."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.fhir.store import format_instant
from esante.core.types import Json
from esante.services.record.indexing.sources import Source

_TYPES = {"patient": "Patient", "practitioner": "Practitioner", "organization": "Organization"}
_AUTHOR = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
            "code": "author",
            "display": "Author",
        }
    ]
}


def provenance_resource(person_id: UUID, type_: str, key: UUID, sources: Sequence[Source], since: datetime) -> Json:
    """Return the Provenance of a resource: its authors, and the documents that contain it.

    Its id is that of the resource. `since`: the moment (UTC) of the latest source.
    """
    id_ = person_id.hex + key.hex
    resource: Json = {
        "resourceType": "Provenance",
        "id": id_,
        "meta": {"lastUpdated": format_instant(since)},
        "target": [{"reference": f"{type_}/{id_}"}],
        "recorded": format_instant(since),
        "agent": list(_agents(sources).values()),
    }
    documents = [
        {"role": "source", "what": {"reference": f"DocumentReference/{person_id.hex}{source.id.hex}"}}
        for source in sources
        if source.is_document
    ]
    if documents:
        resource["entity"] = documents
    return resource


def _agents(sources: Sequence[Source]) -> dict[tuple[UUID, UUID | None], Json]:
    agents: dict[tuple[UUID, UUID | None], Json] = {}
    for source in sources:
        who = {"reference": f"{_TYPES[source.author_kind]}/{source.author_id}", "display": source.author}
        agent: Json = {"type": _AUTHOR, "who": who}
        if source.organization_id and source.organization_id != source.author_id:
            agent["onBehalfOf"] = {
                "reference": f"Organization/{source.organization_id}",
                "display": source.organization,
            }
        agents.setdefault((source.author_id, source.organization_id), agent)
    return agents
