"""The search parameters of ITI-66 and ITI-67, as filters of the record.

Source: IHE MHD 4.2, ITI-66 (2:3.66.4.1.2.1) and ITI-67 (2:3.67.4.1.2.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from esante.core.fhir.rest import DateRange, SearchParams, parse_date_range, parse_token
from esante.core.web import N_, bad_request
from esante.identity.directory import Directory, resolve_patient
from esante.services.record import rules
from esante.services.record.categories import LOINC
from esante.services.record.documents.description import Predicate
from esante.services.record.documents.document_reference import (
    CATEGORY_SYSTEM,
    FORMAT_SYSTEM,
    LABEL_SYSTEM,
    LABELS,
    LIST_SYSTEM,
    URI,
)
from esante.services.record.model import Document, Filters, Status

DOCUMENT_PARAMETERS = {
    "_id": "token",
    "_lastUpdated": "date",
    "author": "reference",
    "author.family": "string",
    "author.given": "string",
    "author.identifier": "token",
    "category": "token",
    "contenttype": "token",
    "creation": "date",
    "date": "date",
    "format": "token",
    "identifier": "token",
    "patient": "reference",
    "patient.identifier": "token",
    "period": "date",
    "security-label": "token",
    "status": "token",
    "type": "token",
}
LIST_PARAMETERS = {
    "_id": "token",
    "code": "token",
    "date": "date",
    "identifier": "token",
    "patient": "reference",
    "patient.identifier": "token",
    "source.family": "string",
    "source.given": "string",
    "status": "token",
}

_CODES: dict[str, tuple[str, Callable[[Document], str]]] = {
    "type": (LOINC, lambda document: document.type),
    "category": (CATEGORY_SYSTEM, lambda document: document.category),
    "format": (FORMAT_SYSTEM, lambda document: document.format),
    "security-label": (LABEL_SYSTEM, lambda document: LABELS[document.confidentiality]),
}
_STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True, slots=True)
class DocumentSearch:
    """A search: the person that it names (None: none, or several), coded filters, and further predicates."""

    person_id: UUID | None
    filters: Filters
    predicates: tuple[Predicate, ...] = ()
    set_predicates: tuple[Predicate, ...] = ()

    @classmethod
    async def parse(
        cls, params: SearchParams, directory: Directory, base_url: str, default: UUID | None = None
    ) -> "DocumentSearch":
        """Return the search of these parameters; `default` is the person when they name none.

        Raises: `Problem` 400 when there is no person, or a value is invalid.
        """
        person_id = await resolve_patient(params.pairs, directory, base_url, default)
        predicates = [*_predicates(params), *await _author_predicates(params, directory, base_url)]
        return cls(person_id, Filters(status=_statuses(params)), tuple(predicates), tuple(_set_predicates(params)))

    def narrowed(self, predicates: Sequence[Predicate]) -> "DocumentSearch":
        """Return the search with further predicates."""
        return replace(self, predicates=(*self.predicates, *predicates))

    def matches(self, document: Document) -> bool:
        """Return whether a document matches the search."""
        return all(predicate(document) for predicate in self.predicates)

    def matches_set(self, documents: Sequence[Document]) -> bool:
        """Return whether the submission set of these documents matches the search."""
        first = min(documents, key=lambda document: document.id)
        return all(predicate(first) for predicate in self.set_predicates)


def _statuses(params: SearchParams) -> tuple[Status, ...]:
    """Return the statuses that all `status` parameters allow; without one: every status."""
    allowed = set(Status)
    for values in params.all("status"):
        codes = {parse_token(value)[1] for value in values}
        allowed &= {Status(code) for code in codes if code in _STATUSES}
    if not allowed:
        raise bad_request(
            "status",
            N_("This status does not exist for documents."),
            N_("Search for current, superseded or entered-in-error."),
            code="value",
        )
    return tuple(allowed)


def _predicates(params: SearchParams) -> list[Predicate]:
    predicates: list[Predicate] = []
    if (logical_id := params.get("_id")) is not None:
        predicates.append(lambda document: document.key == logical_id)
    predicates += [_has_media_type(values) for values in params.all("contenttype")]
    for name, (system, code) in _CODES.items():
        predicates += [_has_code(values, system, code) for values in params.all(name)]
    predicates += [_has_identifier(values) for values in params.all("identifier")]
    for name in ("period", "creation"):
        predicates += [_is_on_day(wanted) for wanted in params.dates(name)]
    predicates += [_is_at(wanted, lambda document: document.deposited_at) for wanted in params.dates("date")]
    predicates += [_is_at(wanted, lambda document: document.changed_at) for wanted in params.dates("_lastUpdated")]
    return predicates


async def _author_predicates(params: SearchParams, directory: Directory, base_url: str) -> list[Predicate]:
    predicates: list[Predicate] = []
    for values in params.all("author"):
        keys = {_parse_uuid(value.removeprefix(f"{base_url}/").rpartition("/")[2]) for value in values}
        predicates.append(_is_by(keys))
    for values in params.all("author.identifier"):
        found = set()
        for value in values:
            for look_up in (directory.find_practitioner, directory.find_organization):
                holder = await look_up(*parse_token(value))
                found.add(holder.id if holder else None)
        predicates.append(_is_by(found))
    for name in ("author.family", "author.given"):
        predicates += [_has_author_name(values) for values in params.all(name)]
    return predicates


def _set_predicates(params: SearchParams) -> list[Predicate]:
    """Return predicates on the first document of a submission set; all sets are current and of code submissionset."""
    predicates: list[Predicate] = []
    for values in params.all("code"):
        has_code = _matches_token([parse_token(value) for value in values], LIST_SYSTEM, "submissionset")
        predicates.append(_constant(has_code))
    predicates += [
        _constant(any(parse_token(value)[1] == "current" for value in values)) for values in params.all("status")
    ]
    if (logical_id := params.get("_id")) is not None:
        predicates.append(lambda first: first.person_id.hex + first.submission_id.hex == logical_id)
    predicates += [_has_identifier(values, lambda first: first.submission_id) for values in params.all("identifier")]
    predicates += [_is_at(wanted, lambda first: first.deposited_at) for wanted in params.dates("date")]
    for name in ("source.family", "source.given"):
        predicates += [_has_author_name(values) for values in params.all(name)]
    return predicates


def _constant(result: bool) -> Predicate:
    return lambda document: result


def _has_code(values: Sequence[str], system: str, code: Callable[[Document], str]) -> Predicate:
    tokens = [parse_token(value) for value in values]
    return lambda document: _matches_token(tokens, system, code(document))


def _has_identifier(
    values: Sequence[str], key: Callable[[Document], UUID] = lambda document: document.id
) -> Predicate:
    tokens = [parse_token(value) for value in values]
    return lambda document: any(
        _matches_token(tokens, system, value) for system, value in (*document.identifiers, (URI, key(document).urn))
    )


def _has_media_type(values: Sequence[str]) -> Predicate:
    codes = {parse_token(value)[1] for value in values}
    return lambda document: document.media_type in codes


def _matches_token(tokens: Sequence[tuple[str | None, str]], system: str, value: str) -> bool:
    return any(given in (None, system) and code in ("", value) for given, code in tokens)


def _is_by(keys: set[UUID | None]) -> Predicate:
    return lambda document: (
        document.author_id in keys or (document.organization_id is not None and document.organization_id in keys)
    )


def _has_author_name(values: Sequence[str]) -> Predicate:
    """Return a predicate: some part of the author's name starts with one of the values.

    A value of which folding leaves nothing, such as an accent alone, matches nobody.
    """
    prefixes = tuple(prefix for value in values if (prefix := rules.fold_text(value)))
    return lambda document: any(part.startswith(prefixes) for part in rules.fold_text(document.author).split())


def _is_on_day(wanted: DateRange) -> Predicate:
    def matches(document: Document) -> bool:
        day = parse_date_range(document.event_date.isoformat())
        return wanted.matches(day.low, day.high)

    return matches


def _is_at(wanted: DateRange, moment: Callable[[Document], datetime]) -> Predicate:
    def matches(document: Document) -> bool:
        at = moment(document)
        return wanted.matches(at, at + timedelta(milliseconds=1))

    return matches


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
