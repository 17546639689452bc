"""What may be seen of a person's clinical resources: by the access decision (`View`), and by the scopes of a token."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from msgspec import structs

from esante.core.fhir import search
from esante.core.fhir.search import SearchQuery
from esante.identity.access import Verdict
from esante.services.record.indexing.sources import Source, whole_source
from esante.services.record.rules import Visibility, shows_lines, stricter

LogicalId = tuple[UUID, UUID]
"""The keys in the FHIR logical id of a resource: the person's, and the resource's own."""
ScopeQueries = tuple[SearchQuery, ...]
"""The queries of a token's scopes on a type, one of which a resource must match (empty: no restriction)."""
AllowedTypes = Mapping[str, ScopeQueries] | None
"""What a token allows: each type with its queries; None: every type without restriction."""


@dataclass(frozen=True, slots=True)
class View:
    """The sources of a person's resources that a requester may see at one moment.

    `sources`: by the key under which the resources are stored (`key_of`).
    """

    person_id: UUID
    visibility: Visibility
    sources: Mapping[UUID, Source]

    @property
    def visible_sources(self) -> frozenset[UUID]:
        """The keys of the sources."""
        return frozenset(self.sources)

    @classmethod
    def of(cls, person_id: UUID, visibility: Visibility, sources: Iterable[Source]) -> "View":
        """Return the view of the sources that are visible."""
        return cls(
            person_id, visibility, {key_of(visibility, one): one for one in sources if visibility.includes(one)}
        )

    def sources_of(self, keys: Iterable[UUID]) -> list[Source]:
        """Return the sources with these keys, each once."""
        return [self.sources[key] for key in dict.fromkeys(keys)]

    def verdict(self, shown: Iterable[Source]) -> Verdict:
        """Return the verdict on the first of the sources shown; for none, the verdict on opening the record."""
        first = next(iter(shown), None)
        return self.visibility.verdict(first) if first else self.visibility.record_verdict()


def key_of(visibility: Visibility, source: Source) -> UUID:
    """Return under which source the resources are stored that a requester sees of a visible source.

    Of a document with restricted lines there are two sets: with these lines, and as if they had never been.
    """
    return whole_source(source.id) if shows_lines(visibility, source) else source.id


def is_shown(visibility: Visibility, source: Source) -> bool:
    """Return whether a resource that was found in a source exists for a requester."""
    return visibility.includes(source) and source.found_in in (None, key_of(visibility, source))


def refusal_of(visibility: Visibility, source: Source) -> Verdict:
    """Return the verdict on a resource that is not shown: on its source, or else on the restricted lines of it."""
    if source.restricted_lines is not None and visibility.includes(source):
        level = stricter(source.confidentiality, source.restricted_lines)
        return visibility.verdict(structs.replace(source, confidentiality=level))
    return visibility.verdict(source)


def categories_of(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the categories of sources, sorted, each once."""
    return tuple(sorted({source.category for source in sources}))


def queries_of(types: AllowedTypes, type_: str) -> ScopeQueries:
    """Return the queries by which a token restricts a type that it allows."""
    return () if types is None else types[type_]


def scope_queries(type_: str, parameters: Sequence[Sequence[tuple[str, str]]]) -> ScopeQueries:
    """Return the queries of a token's scopes on a type; empty where one of the scopes has no parameters.

    `parameters`: the search parameters of each scope.
    """
    return tuple(_query(type_, tuple(each)) for each in parameters) if () not in parameters else ()


@lru_cache(maxsize=1_024)
def _query(type_: str, pairs: tuple[tuple[str, str], ...]) -> SearchQuery:
    return search.parse_query(type_, pairs, strict=True)
