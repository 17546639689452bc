"""The stored queries of a registry, over what somebody sees of one person (ITI TF-2, 3.18.4.1.2.3.7); pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from esante.core.xds import (
    FIND_DOCUMENTS,
    FIND_SUBMISSION_SETS,
    GET_ALL,
    GET_ASSOCIATIONS,
    GET_DOCUMENTS,
    GET_DOCUMENTS_AND_ASSOCIATIONS,
    GET_RELATED_DOCUMENTS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    GET_SUBMISSION_SETS,
    HAS_MEMBER,
    Association,
    Coded,
    DocumentEntry,
    StoredQuery,
    SubmissionSet,
)
from esante.services.exchange.hospital.entries import Holdings

STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_ENTRY, _SET = "$XDSDocumentEntry", "$XDSSubmissionSet"
_CODES: Mapping[str, Callable[[DocumentEntry], Sequence[Coded | None]]] = {
    f"{_ENTRY}ClassCode": lambda one: [one.class_code],
    f"{_ENTRY}TypeCode": lambda one: [one.type_code],
    f"{_ENTRY}FormatCode": lambda one: [one.format_code],
    f"{_ENTRY}PracticeSettingCode": lambda one: [one.practice_setting],
    f"{_ENTRY}HealthcareFacilityTypeCode": lambda one: [one.facility_type],
    f"{_ENTRY}ConfidentialityCode": lambda one: one.confidentiality,
    f"{_ENTRY}EventCodeList": lambda one: one.events,
}
_TIMES: Mapping[str, Callable[[DocumentEntry], str]] = {
    f"{_ENTRY}CreationTime": lambda one: one.created,
    f"{_ENTRY}ServiceStartTime": lambda one: one.started,
    f"{_ENTRY}ServiceStopTime": lambda one: one.started,
}
_FILTERS = frozenset(
    {*_CODES, *(f"{name}{end}" for name in _TIMES for end in ("From", "To"))}
    | {f"{_ENTRY}Status", f"{_ENTRY}Type", f"{_ENTRY}AuthorPerson"}
)


@dataclass(frozen=True, slots=True)
class QueryKind:
    """A stored query: the parameter with the patient ("" for one that names objects), those with objects, the rest."""

    patient: str
    objects: frozenset[str]
    others: frozenset[str]
    required: frozenset[str]
    answer: Callable[[Holdings, StoredQuery], Holdings]


def unsupported(query: StoredQuery, kind: QueryKind) -> str:
    """Return the first parameter that a query does not have, "" where there is none."""
    known = {kind.patient, "$homeCommunityId", "$MetadataLevel", *kind.objects, *kind.others}
    return next((name for name in query.parameters if name not in known), "")


def missing(query: StoredQuery, kind: QueryKind) -> str:
    """Return the first parameter that is missing, "" where there is none."""
    if kind.patient and not query.one(kind.patient):
        return kind.patient
    if kind.objects and sum(bool(query.parameters.get(name)) for name in kind.objects) != 1:
        return " or ".join(sorted(kind.objects))
    return next((name for name in sorted(kind.required) if not query.parameters.get(name)), "")


def named_objects(query: StoredQuery, kind: QueryKind) -> list[str]:
    """Return the UUIDs or unique ids that a query names."""
    return [value for name in sorted(kind.objects) for value in query.parameters.get(name, ())]


def _find_documents(held: Holdings, query: StoredQuery) -> Holdings:
    return Holdings([one for one in held.documents if _matches(one, query)])


def _find_sets(held: Holdings, query: StoredQuery) -> Holdings:
    sources, statuses = query.parameters.get(f"{_SET}SourceId"), query.parameters[f"{_SET}Status"]
    begin, end = query.one(f"{_SET}SubmissionTimeFrom"), query.one(f"{_SET}SubmissionTimeTo")
    kinds, authors = query.parameters.get(f"{_SET}ContentType"), query.parameters.get(f"{_SET}AuthorPerson")
    found = [
        one
        for one in held.submission_sets
        if one.status in statuses
        and (not sources or one.source_id in sources)
        and _within(one.submitted, begin, end)
        and (not kinds or _has_code([one.content_type], kinds))
        and (not authors or _has_author(one.authors, authors))
    ]
    return Holdings(submission_sets=found)


def _get_all(held: Holdings, query: StoredQuery) -> Holdings:
    documents = [one for one in held.documents if _matches(one, query)]
    statuses = query.parameters[f"{_SET}Status"]
    return _within_objects(documents, [one for one in held.submission_sets if one.status in statuses], held)


def _get_documents(held: Holdings, query: StoredQuery) -> Holdings:
    return Holdings(_named_documents(held, query))


def _get_associations(held: Holdings, query: StoredQuery) -> Holdings:
    return Holdings(associations=_touching(held, set(query.parameters.get("$uuid", ()))))


def _get_documents_and_associations(held: Holdings, query: StoredQuery) -> Holdings:
    documents = _named_documents(held, query)
    return Holdings(documents, associations=_touching(held, {one.entry_uuid for one in documents}))


def _get_sets(held: Holdings, query: StoredQuery) -> Holdings:
    wanted = set(query.parameters.get("$uuid", ()))
    members = [one for one in held.associations if one.type == HAS_MEMBER and one.target in wanted]
    sources = {one.source for one in members}
    return Holdings((), [one for one in held.submission_sets if one.entry_uuid in sources], members)


def _get_set_and_contents(held: Holdings, query: StoredQuery) -> Holdings:
    named = {*query.parameters.get(f"{_SET}EntryUUID", ()), *query.parameters.get(f"{_SET}UniqueId", ())}
    sets = [one for one in held.submission_sets if named & {one.entry_uuid, one.unique_id}]
    uuids = {one.entry_uuid for one in sets}
    inside = {one.target for one in held.associations if one.type == HAS_MEMBER and one.source in uuids}
    documents = [one for one in held.documents if one.entry_uuid in inside and _matches(one, query)]
    return _within_objects(documents, sets, held)


def _get_related(held: Holdings, query: StoredQuery) -> Holdings:
    named = {one.entry_uuid for one in _named_documents(held, query)}
    kinds = set(query.parameters["$AssociationTypes"])
    documents = {one.entry_uuid for one in held.documents}
    related = [
        one
        for one in held.associations
        if one.type in kinds and named & {one.source, one.target} and {one.source, one.target} <= documents
    ]
    uuids = named | {uuid for one in related for uuid in (one.source, one.target)} if related else set()
    return Holdings([one for one in held.documents if one.entry_uuid in uuids], (), related)


def _within_objects(documents: Sequence[DocumentEntry], sets: Sequence[SubmissionSet], held: Holdings) -> Holdings:
    """Return objects with the associations between them."""
    uuids = {one.entry_uuid for one in documents} | {one.entry_uuid for one in sets}
    return Holdings(documents, sets, [one for one in held.associations if {one.source, one.target} <= uuids])


def _named_documents(held: Holdings, query: StoredQuery) -> list[DocumentEntry]:
    named = {*query.parameters.get(f"{_ENTRY}EntryUUID", ()), *query.parameters.get(f"{_ENTRY}UniqueId", ())}
    return [one for one in held.documents if named & {one.entry_uuid, one.unique_id}]


def _touching(held: Holdings, uuids: set[str]) -> list[Association]:
    return [one for one in held.associations if uuids & {one.source, one.target}]


def _matches(entry: DocumentEntry, query: StoredQuery) -> bool:
    """Return whether a document meets the filters of a query."""
    parameters = query.parameters
    statuses, kinds = parameters.get(f"{_ENTRY}Status"), parameters.get(f"{_ENTRY}Type")
    authors = parameters.get(f"{_ENTRY}AuthorPerson")
    return (
        (not statuses or entry.status in statuses)
        and (not kinds or STABLE in kinds)
        and (not authors or _has_author(entry.authors, authors))
        and all(_has_code(codes(entry), parameters[name]) for name, codes in _CODES.items() if parameters.get(name))
        and all(
            _within(time(entry), query.one(f"{name}From"), query.one(f"{name}To")) for name, time in _TIMES.items()
        )
    )


def _has_code(codes: Sequence[Coded | None], wanted: Sequence[str]) -> bool:
    """Return whether one of some codes is wanted, as `code^^system`, or as `code` alone."""
    for one in wanted:
        code, _, system = (*one.split("^"), "", "")[:3]
        if any(found and found.code == code and system in ("", found.system) for found in codes):
            return True
    return False


def _has_author(authors: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether an author is like one of some patterns of SQL, in which only % is special."""
    return any(_is_like(author, pattern) for author in authors for pattern in patterns)


def _is_like(text: str, pattern: str) -> bool:
    first, *rest = pattern.casefold().split("%")
    text = text.casefold()
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    place = len(first)
    for part in rest[:-1]:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return text.endswith(rest[-1]) and len(text) - len(rest[-1]) >= place


def _within(moment: str, begin: str, end: str) -> bool:
    """Return whether a DTM is not before `begin` and before `end`, each of any precision ("": no bound)."""
    return (not begin or moment.ljust(14, "0") >= begin.ljust(14, "0")) and (
        not end or moment.ljust(14, "0") < end.ljust(14, "0")
    )


def _kind(
    answer: Callable[[Holdings, StoredQuery], Holdings],
    *,
    patient: str = "",
    objects: Sequence[str] = (),
    others: Sequence[str] = (),
    required: Sequence[str] = (),
) -> QueryKind:
    return QueryKind(patient, frozenset(objects), frozenset((*others, *required)), frozenset(required), answer)


_DOCUMENTS = (f"{_ENTRY}EntryUUID", f"{_ENTRY}UniqueId")
QUERIES: Mapping[str, QueryKind] = {
    FIND_DOCUMENTS: _kind(
        _find_documents, patient=f"{_ENTRY}PatientId", others=sorted(_FILTERS), required=[f"{_ENTRY}Status"]
    ),
    FIND_SUBMISSION_SETS: _kind(
        _find_sets,
        patient=f"{_SET}PatientId",
        others=[
            f"{_SET}{name}"
            for name in ("SourceId", "SubmissionTimeFrom", "SubmissionTimeTo", "AuthorPerson", "ContentType")
        ],
        required=[f"{_SET}Status"],
    ),
    GET_ALL: _kind(
        _get_all,
        patient="$patientId",
        others=[f"{_ENTRY}FormatCode", f"{_ENTRY}ConfidentialityCode", f"{_ENTRY}Type"],
        required=[f"{_ENTRY}Status", f"{_SET}Status", "$XDSFolderStatus"],
    ),
    GET_DOCUMENTS: _kind(_get_documents, objects=_DOCUMENTS),
    GET_ASSOCIATIONS: _kind(_get_associations, objects=["$uuid"]),
    GET_DOCUMENTS_AND_ASSOCIATIONS: _kind(_get_documents_and_associations, objects=_DOCUMENTS),
    GET_SUBMISSION_SETS: _kind(_get_sets, objects=["$uuid"]),
    GET_SUBMISSION_SET_AND_CONTENTS: _kind(
        _get_set_and_contents,
        objects=[f"{_SET}EntryUUID", f"{_SET}UniqueId"],
        others=[f"{_ENTRY}FormatCode", f"{_ENTRY}ConfidentialityCode", f"{_ENTRY}Type"],
    ),
    GET_RELATED_DOCUMENTS: _kind(
        _get_related, objects=_DOCUMENTS, others=[f"{_ENTRY}Type"], required=["$AssociationTypes"]
    ),
}
"""The stored queries that the record can answer; folders it does not have."""
