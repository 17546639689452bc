"""Accelerated reimbursement as national messages: deposit (MEMHON-DEPOT), cancellation (ANNUL), consent (REMBCONS)."""

from uuid import UUID

from lxml import etree

from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.directory import Directory
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.model import Signer
from esante.services.billing.exchange.names import CNS
from esante.services.billing.exchange.schemas import RA_SCHEMA, check_content
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.note.service import Notes
from esante.services.billing.ra.service import Progress, Reimbursements

_PLAIN = "1"
"""A cancellation without a new deposit (TypeAnnulation)."""


class RaMessages:
    """Answers the messages of accelerated reimbursement."""

    def __init__(self, reimbursements: Reimbursements, notes: Notes, directory: Directory) -> None:
        self._ra, self._notes, self._directory = reimbursements, notes, directory

    async def deposit(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Answer a deposit (memoireHonoraire). Raises: `Problem`."""
        if etree.QName(content).localname != "memoireHonoraire":
            raise fault("content", "RequestInfo", "memoireHonoraire is expected.")
        note = read_note(etree.tostring(content), lenient=True).note
        if note.biller.provider_code != signer.provider_code:
            raise fault("provider-code", "memoireHonoraire/entete/facturier/codePrestataire")
        biller = await self._directory.practitioner(signer.requester.id)
        if biller is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return _answer(note.id, await self._ra.deposit_note(signer.requester, biller, note))

    async def cancel(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Answer a cancellation without replacement (annulationMemoireHonoraire). Raises: `Problem`."""
        check_content(content, f"{{{CNS}}}annulationMemoireHonoraire", RA_SCHEMA)
        if _text(content, "TypeAnnulation") != _PLAIN:
            raise fault("content", "annulationMemoireHonoraire/TypeAnnulation", "Cancel, then deposit the new note.")
        note_id = UUID(_text(content, "UUIDDocumentAnnule"))
        person_id = await self._notes.find_of_biller(signer.provider_code, note_id)
        person = person_id and await self._directory.person(person_id)
        biller = await self._directory.practitioner(signer.requester.id)
        if not person or biller is None:
            raise Problem(404, "not-found", NOT_FOUND)
        system = self._directory.catalogue.system("matricule").uri
        matricule = next((one.value for one in person.identifiers if one.system == system), "")
        motive = _text(content, "Motif")
        return _answer(note_id, await self._ra.cancel(signer.requester, biller, matricule, note_id, motive))

    async def consent(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Refuse a consent to reimbursement (consentement): it is the patient's to give. Raises: `Problem` 403."""
        check_content(content, f"{{{CNS}}}consentement", RA_SCHEMA)
        title = N_("Only the patient can have a fee note sent to the health insurance.")
        remedy = N_("The patient sends it in the portal, or consents there that it is sent by itself.")
        raise Problem(403, "forbidden", title, place="consentement", remedy=remedy)


def _answer(note_id: UUID, progress: Progress) -> etree._Element:
    """Return memoireHonorairesRetour; on the platform a note has one UUID, which is that of the software."""
    root = etree.Element(f"{{{CNS}}}memoireHonorairesRetour", nsmap={"cns": CNS})
    for name in ("UuidPrestataire", "UuidSecu"):
        etree.SubElement(root, f"{{{CNS}}}{name}").text = str(note_id)
    for one in progress.reimbursement.anomalies:
        anomaly = etree.SubElement(root, "anomalies")
        for tag, text in (("type", one.type), ("code", one.code), ("motif", one.reason)):
            if text:
                etree.SubElement(anomaly, tag).text = text
    return root


def _text(content: etree._Element, name: str) -> str:
    return (content.findtext(f"{{*}}{name}") or "").strip()
