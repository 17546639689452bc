"""The rows of a study and of its series when they are stored for the first time."""

from uuid import UUID

from esante.core import clock
from esante.core.storage import Row
from esante.identity.access import Requester
from esante.services.imaging.archive import store
from esante.services.imaging.archive.record_entry import depositor_of, study_deposit, study_document, study_title
from esante.services.imaging.ingest.admission import Admitted
from esante.services.imaging.ingest.summary import Summary
from esante.services.imaging.model import Series, Study
from esante.services.record import Document, Record


async def study_rows(
    record: Record, requester: Requester, admitted: Admitted, first: Summary
) -> tuple[Document, list[Row]]:
    """Return the document of a study, and where the study is new the rows of both."""
    if admitted.document is not None:
        return admitted.document, []
    person = admitted.person
    title = study_title(first.of_study, person)
    content = study_document(
        person, requester, first.study_uid, first.modality, first.accession_number, title, clock.now()
    )
    prepared = await record.check_deposit(
        requester, person.id, content, study_deposit(first.study_uid, title, first.care_on)
    )
    study = _study(person.id, prepared.document.series_id, requester, first)
    return prepared.document, [*record.deposit_rows(requester, prepared), *store.study_rows(study)]


def new_series(person_id: UUID, summary: Summary, location_uid: str = "") -> Series:
    """Return the series of an instance."""
    return Series(
        person_id=person_id,
        series_uid=summary.series_uid,
        study_uid=summary.study_uid,
        modality=summary.modality,
        attributes=summary.of_series,
        received_at=clock.now(),
        location_uid=location_uid,
    )


def _study(person_id: UUID, document_series_id: UUID, requester: Requester, summary: Summary) -> Study:
    return Study(
        person_id=person_id,
        study_uid=summary.study_uid,
        document_series_id=document_series_id,
        depositor_id=depositor_of(requester),
        study_on=summary.study_on,
        accession_number=summary.accession_number,
        attributes=summary.of_study,
        received_at=clock.now(),
    )
