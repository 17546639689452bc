"""RAD-69, Retrieve Imaging Document Set (IHE RAD TF-2, 4.69): instances of studies that a requester may see."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from lxml import etree

from esante.core.soap import XOP, Attachment, Malformed
from esante.core.web import Problem
from esante.core.xds import XDSB, RegistryError, registry_response
from esante.identity.access import Requester
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.media_types import DICOM
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.model import Instance

XDSI = "urn:ihe:rad:xdsi-b:2009"
REQUEST = f"{{{XDSI}}}RetrieveImagingDocumentSetRequest"
ACTION = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
MAX_DOCUMENTS = 5_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    study_uid: str
    series_uid: str
    instance_uid: str
    repository_uid: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """An answer: its content, and the instances that are attached to it."""

    content: etree._Element
    attachments: Sequence[Attachment]


class ImagingDocumentSource:
    """Answers RAD-69; `repository_uid`: the Retrieve Location UID of the platform's manifests."""

    def __init__(self, archive: Archive, repository_uid: str) -> None:
        self._archive, self._repository_uid = archive, repository_uid

    async def retrieve(self, requester: Requester, request: etree._Element) -> Retrieved:
        """Return the instances of a request, decided study by study and journalled. Raises: `Malformed`."""
        wanted = list(_parse(request))
        syntaxes = {one.text for one in request.iterfind(f".//{{{XDSI}}}TransferSyntaxUID")}
        studies = {uid: await self._study(requester, uid) for uid in dict.fromkeys(one.study_uid for one in wanted)}
        found: list[tuple[VisibleStudy, Instance]] = []
        errors: list[RegistryError] = []
        for one in wanted:
            result = await self._find(studies[one.study_uid], one, syntaxes)
            if isinstance(result, RegistryError):
                errors.append(result)
            else:
                found.append(result)
        for study in {study.study_uid: study for study, _ in found}.values():
            opened = [one.series_uid for each, one in found if each is study]
            await self._archive.opened(requester, study, opened, "instance")
        return self._answer([instance for _, instance in found], errors)

    async def _study(self, requester: Requester, study_uid: str) -> VisibleStudy | None:
        try:
            return await self._archive.study(requester, study_uid, "retrieve")
        except Problem:
            return None

    async def _find(
        self, study: VisibleStudy | None, wanted: _Wanted, syntaxes: set[str | None]
    ) -> tuple[VisibleStudy, Instance] | RegistryError:
        """Return an instance, or the error in its place: the same for one that is absent and one that is refused."""
        if wanted.repository_uid != self._repository_uid:
            return RegistryError("XDSUnknownRepositoryId", "This is the repository of another.", wanted.repository_uid)
        absent = RegistryError("XDSDocumentUniqueIdError", "There is no such instance.", wanted.instance_uid)
        if study is None:
            return absent
        try:
            instance, _ = await self._archive.instance(study, wanted.series_uid, wanted.instance_uid)
        except Problem as problem:
            return (
                absent if problem.status == 404 else RegistryError("XDSRepositoryBusy", problem.title, absent.location)
            )
        if syntaxes and instance.transfer_syntax_uid not in syntaxes:
            context = f"It is stored as {instance.transfer_syntax_uid}."
            return RegistryError("XDSRepositoryError", context, wanted.instance_uid)
        return study, instance

    def _answer(self, instances: Sequence[Instance], errors: Sequence[RegistryError]) -> Retrieved:
        content = etree.Element(f"{{{XDSB}}}RetrieveDocumentSetResponse", nsmap={None: XDSB, "xop": XOP})
        content.append(registry_response(errors, is_partial=bool(instances)))
        attachments = []
        for number, one in enumerate(instances, 1):
            document = etree.SubElement(content, f"{{{XDSB}}}DocumentResponse")
            name = f"{number}@esante"
            for tag, text in (
                ("RepositoryUniqueId", self._repository_uid),
                ("DocumentUniqueId", one.instance_uid),
                ("mimeType", DICOM),
            ):
                etree.SubElement(document, f"{{{XDSB}}}{tag}").text = text
            holder = etree.SubElement(document, f"{{{XDSB}}}Document")
            etree.SubElement(holder, f"{{{XOP}}}Include", href=f"cid:{name}")
            stream = partial(self._archive.contents.stream, one, ((0, one.size),))
            attachments.append(Attachment(DICOM, name, stream))
        return Retrieved(content, attachments)


def _parse(request: etree._Element) -> Iterator[_Wanted]:
    """Yield what a request wants. Raises: `Malformed`."""
    count = 0
    for study in request.iterfind(f"{{{XDSI}}}StudyRequest"):
        for series in study.iterfind(f"{{{XDSI}}}SeriesRequest"):
            for document in series.iterfind(f"{{{XDSB}}}DocumentRequest"):
                count += 1
                uids = (
                    str(study.get("studyInstanceUID", "")),
                    str(series.get("seriesInstanceUID", "")),
                    document.findtext(f"{{{XDSB}}}DocumentUniqueId", ""),
                )
                if count > MAX_DOCUMENTS or not all(map(is_uid, uids)):
                    raise Malformed(f"DocumentRequest {count}: UIDs of at most {MAX_DOCUMENTS:,} instances are needed")
                yield _Wanted(*uids, document.findtext(f"{{{XDSB}}}RepositoryUniqueId", ""))
    if count == 0:
        raise Malformed("StudyRequest: no instance is requested")
