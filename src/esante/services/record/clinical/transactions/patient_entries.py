"""The Patients in a transaction, compared with the person whose resources it changes."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.fhir import decode
from esante.core.fhir.rest import BundleEntry
from esante.core.types import Json
from esante.identity.directory import Directory
from esante.services.record.clinical.transactions.bundle_entries import entry_place
from esante.services.record.identification.check import compare_document, keys_of, require_answer
from esante.services.record.identification.confirmation import read_confirmation
from esante.services.record.identification.patient_resource import patient_demographics


class PatientEntries:
    """Compares the Patients that a transaction brings along with the person of the directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def check(self, person_id: UUID, items: Sequence[BundleEntry]) -> Json:
        """Return the fields of the journal entry (`ClinicalWritten`) for how the Patients differ from the person.

        Called when all else is decided. Raises: as `require_answer`, with the place of the entry.
        """
        patients = [item for item in items if item.type == "Patient"]
        if not patients:
            return {}
        person = await self._directory.person(person_id)
        fields: Json = {}
        for item in patients:
            resource = decode(bytes(item.body))
            async with self._directory.lookups.admitted() as lookup:
                comparison = compare_document(person, patient_demographics(resource), "")
                if comparison.differences:
                    await lookup.record_miss(journalled=True)
            if not comparison.differences:
                continue
            with entry_place(item):
                confirmation = read_confirmation(resource, "Patient")
                require_answer(comparison, confirmation, place="Patient")
            fields = {"differs": keys_of(comparison), "justification": confirmation or ""}
        return fields
