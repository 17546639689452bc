"""The searches of ITI-66 and ITI-67: parameters of the request as filters of the record.

Source: IHE MHD 4.2, ITI-66 (2:3.66.4.1.2.1) and ITI-67 (2:3.67.4.1.2.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.fhir.rest import DateRange, SearchParams, parse_token
from esante.core.web import N_, Problem
from esante.identity.directory import Directory, person_meant
from esante.services.record import rules
from esante.services.record.categories import LOINC
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

Test = Callable[[Document], bool]
_CODES: dict[str, tuple[str, Callable[[Document], str]]] = {
    "type": (LOINC, lambda document: document.type),
    "category": (CATEGORY_SYSTEM, lambda document: document.category),
    "format": (FORMAT_SYSTEM, lambda document: document.format),
    "security-label": (LABEL_SYSTEM, lambda document: LABELS[document.confidentiality]),
}
_STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True, slots=True)
class Search:
    """A search: the person it means (None: nobody, or two), coded filters, and further tests."""

    person_id: UUID | None
    filters: Filters
    tests: tuple[Test, ...] = ()
    set_tests: tuple[Test, ...] = ()

    @classmethod
    async def of(cls, params: SearchParams, directory: Directory, base_url: str, own: UUID | None = None) -> "Search":
        """The search that the parameters ask for; Problem 400 when no patient is named, and there is no `own`."""
        person_id = await person_meant(params.pairs, directory, base_url, own)
        tests = [*_tests(params), *await _author_tests(params, directory, base_url)]
        return cls(person_id, Filters(status=_statuses(params)), tuple(tests), tuple(_set_tests(params)))

    def matches(self, document: Document) -> bool:
        """Whether a document is one that was searched for."""
        return all(test(document) for test in self.tests)

    def matches_set(self, documents: Sequence[Document]) -> bool:
        """Whether the submission set of these documents is one that was searched for."""
        first = min(documents, key=lambda document: document.id)
        return all(test(first) for test in self.set_tests)


def _statuses(params: SearchParams) -> tuple[Status, ...]:
    """The statuses that all `status` parameters allow; without one: every status."""
    allowed = set(Status)
    for values in params.all("status"):
        codes = {parse_token(value)[1] for value in values}
        allowed &= {Status(code) for code in codes if code in _STATUSES}
    if not allowed:
        raise Problem(
            400,
            "value",
            N_("No document can have this status."),
            place="status",
            remedy=N_("Search for current, superseded or entered-in-error."),
        )
    return tuple(allowed)


def _tests(params: SearchParams) -> list[Test]:
    tests: list[Test] = []
    if (logical_id := params.get("_id")) is not None:
        tests.append(lambda document: document.key == logical_id)
    tests += [_of_media_type(values) for values in params.all("contenttype")]
    for name, (system, code) in _CODES.items():
        tests += [_coded(values, system, code) for values in params.all(name)]
    tests += [_identified(values) for values in params.all("identifier")]
    for name in ("period", "creation"):
        tests += [_on_day(wanted) for wanted in params.dates(name)]
    tests += [_at(wanted, lambda document: document.deposited_at) for wanted in params.dates("date")]
    tests += [_at(wanted, lambda document: document.changed_at) for wanted in params.dates("_lastUpdated")]
    return tests


async def _author_tests(params: SearchParams, directory: Directory, base_url: str) -> list[Test]:
    tests: list[Test] = []
    for values in params.all("author"):
        keys = {_uuid(value.removeprefix(f"{base_url}/").rpartition("/")[2]) for value in values}
        tests.append(_by(keys))
    for values in params.all("author.identifier"):
        found = set()
        for value in values:
            for look_up in (directory.find_practitioner, directory.find_organization):
                holder = await look_up(*parse_token(value))
                found.add(holder.id if holder else None)
        tests.append(_by(found))
    for name in ("author.family", "author.given"):
        tests += [_named(values) for values in params.all(name)]
    return tests


def _set_tests(params: SearchParams) -> list[Test]:
    """Tests on submission sets, by the first document of each; all are current and of code submissionset."""
    tests: list[Test] = []
    for values in params.all("code"):
        fits = _has([parse_token(value) for value in values], LIST_SYSTEM, "submissionset")
        tests.append(_always(fits))
    tests += [_always(any(parse_token(value)[1] == "current" for value in values)) for values in params.all("status")]
    if (logical_id := params.get("_id")) is not None:
        tests.append(lambda first: first.person_id.hex + first.submission_id.hex == logical_id)
    tests += [_identified(values, lambda first: first.submission_id) for values in params.all("identifier")]
    tests += [_at(wanted, lambda first: first.deposited_at) for wanted in params.dates("date")]
    for name in ("source.family", "source.given"):
        tests += [_named(values) for values in params.all(name)]
    return tests


def _always(answer: bool) -> Test:
    return lambda document: answer


def _coded(values: Sequence[str], system: str, code: Callable[[Document], str]) -> Test:
    tokens = [parse_token(value) for value in values]
    return lambda document: _has(tokens, system, code(document))


def _identified(values: Sequence[str], key: Callable[[Document], UUID] = lambda document: document.id) -> Test:
    tokens = [parse_token(value) for value in values]
    return lambda document: any(
        _has(tokens, system, value) for system, value in (*document.identifiers, (URI, key(document).urn))
    )


def _of_media_type(values: Sequence[str]) -> Test:
    codes = {parse_token(value)[1] for value in values}
    return lambda document: document.media_type in codes


def _has(tokens: Sequence[tuple[str | None, str]], system: str, value: str) -> bool:
    return any(given in (None, system) and code in ("", value) for given, code in tokens)


def _by(keys: set[UUID | None]) -> Test:
    return lambda document: (
        document.author_id in keys or (document.organization_id is not None and document.organization_id in keys)
    )


def _named(values: Sequence[str]) -> Test:
    """A part of the author's name begins like one of the values."""
    wanted = tuple(rules.folded(value) for value in values)
    return lambda document: any(part.startswith(wanted) for part in rules.folded(document.author).split())


def _on_day(wanted: DateRange) -> Test:
    def test(document: Document) -> bool:
        low = datetime(document.event_date.year, document.event_date.month, document.event_date.day, tzinfo=UTC)
        return wanted.matches(low, low + timedelta(days=1))

    return test


def _at(wanted: DateRange, moment: Callable[[Document], datetime]) -> Test:
    def test(document: Document) -> bool:
        at = moment(document)
        return wanted.matches(at, at + timedelta(milliseconds=1))

    return test


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
