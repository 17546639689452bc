"""What studies are searched by: modalities, body sites and regions, from the rows of their series."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from esante.core.storage import Database
from esante.services.imaging.archive import store
from esante.services.imaging.manifest.index import clean, series_site
from esante.services.imaging.manifest.model import Coded
from esante.services.imaging.manifest.regions import regions_of
from esante.services.imaging.model import Study


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A study as it is searched: its accession number, and the modalities, sites and regions of its series."""

    study: Study
    accession_number: str
    modalities: tuple[str, ...]
    sites: tuple[Coded, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """The codes of the anatomical regions."""
        return regions_of(self.sites)

    @property
    def site_codes(self) -> frozenset[str]:
        """The codes of sites and regions."""
        return frozenset(self.regions) | {one.code for one in self.sites if one.code}


async def load_facts(db: Database, person_id: UUID, studies: Sequence[Study]) -> list[StudyFacts]:
    """Return the facts of studies of a person that were decided on, in their order."""
    by_study = defaultdict(list)
    if studies:
        for series in await store.fetch_series(db, person_id, [one.study_uid for one in studies]):
            by_study[series.study_uid].append(series)
    return [
        StudyFacts(
            study,
            clean(study.accession_number),
            tuple(sorted({found for one in by_study[study.study_uid] if (found := clean(one.modality))})),
            tuple({site: None for one in by_study[study.study_uid] if (site := series_site(one)) is not None}),
        )
        for study in studies
    ]
