"""Resources that a write has locked: which of them the requester may see, and which they may change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from esante.core.fhir import store
from esante.core.fhir.store import Version
from esante.core.web import N_, Problem
from esante.services.record import errors, rules
from esante.services.record.clinical.view import View, refusal_of
from esante.services.record.errors import Denied
from esante.services.record.indexing.sources import Source


@dataclass(frozen=True, slots=True)
class LockedResources:
    """Current versions that are locked, with their sources.

    Of the keys that were to be locked, `from_documents` belong to resources of documents, and `unseen` (each with a
    source) to those that the requester may not see: neither is locked.
    """

    view: View
    versions: Mapping[store.ResourceKey, Version]
    sources: Mapping[UUID, Source]
    from_documents: Collection[store.ResourceKey]
    unseen: Mapping[store.ResourceKey, Source]

    def own(self, key: store.ResourceKey) -> tuple[Version, Source]:
        """Return a resource that the requester may change.

        Raises: as `visible`, and `Denied` (403) where the resource belongs to another author.
        """
        before, source = self.visible(key)
        if not rules.is_own(source, self.view.visibility.requester):
            raise Denied(errors.not_the_author(), self.view.visibility.verdict(source), category=source.category)
        return before, source

    def visible(self, key: store.ResourceKey) -> tuple[Version, Source]:
        """Return a resource that the requester may see.

        Raises: `Denied` (404) where there is none; `Problem` 405 for a resource of a document.
        """
        before, visibility = self.versions.get(key), self.view.visibility
        if before is None:
            if key in self.from_documents:
                raise _from_document()
            if (source := self.unseen.get(key)) is not None:
                raise Denied(errors.not_found(), refusal_of(visibility, source), category=source.category)
            raise Denied(errors.not_found())
        source = self.sources[before.source]
        if not visibility.includes(source):
            raise Denied(errors.not_found(), visibility.verdict(source), category=source.category)
        return before, source


def _from_document() -> Problem:
    return Problem(
        405,
        "not-supported",
        N_("This comes from a document and can only change with that document."),
        remedy=N_("Send a new version of the document."),
    )
