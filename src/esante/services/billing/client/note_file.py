"""The fee note in national XML as far as the client needs it, the request of its simulation, its package."""

import hashlib
import re
import zipfile
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from lxml import etree

MAX_BYTES = 8 * 1024 * 1024


class NoteFileError(ValueError):
    """A file that is no fee note; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFile:
    """A note as the client needs it; `request` is the body of its simulation (PID)."""

    id: str
    provider_code: str
    matricule: str
    issued_on: str
    total: Decimal
    request: dict[str, Any]
    body: bytes

    @property
    def code(self) -> str:
        """The text of the 2D code on the printed note, that of the platform's own PDF: it says nothing of the patient.

        `MH1:UUID:provider code:day:total in cents:check`; the check is the first 8 hexadecimal digits of the SHA-256
        of what comes before it.
        """
        day, cents = self.issued_on.replace("-", ""), int(self.total * 100)
        text = f"MH1:{self.id}:{self.provider_code}:{day}:{cents}".upper()
        return f"{text}:{hashlib.sha256(text.encode()).hexdigest()[:8].upper()}"

    def package(self) -> bytes:
        """Return the ZIP in which the note is deposited; the same note gives the same bytes."""
        name = f"F90000000{self.issued_on[:4]}{self.issued_on[5:7]}_MED_MHM_001_0101_{self.id}.xml"
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name), self.body, zipfile.ZIP_DEFLATED)
        return packed.getvalue()


def read_note_file(body: bytes) -> NoteFile:
    """Return the note in a file. Raises: `NoteFileError`."""
    if len(body) > MAX_BYTES:
        raise NoteFileError(f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise NoteFileError(f"the file is not well-formed XML: {error}") from error
    if etree.QName(root).localname != "memoireHonoraire":
        raise NoteFileError("the file is no fee note: its root is not memoireHonoraire")
    return _note(root, body)


def _note(root: etree._Element, body: bytes) -> NoteFile:
    note_id = _need(root, "entete/UUID", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").lower()
    provider = _need(root, "entete/facturier/codePrestataire", r"\d{8}")
    matricule = _need(root, "entete/patient/matricule", r"\d{13}")
    day = r"\d{4}-\d\d-\d\d"
    issued_on = _need(root, "entete/dateMemoireHonoraires", day)
    lines = [_line(one, note_id, day) for one in root.iterfind("{*}prestation")]
    if not lines:
        raise NoteFileError("prestation is missing")
    request: dict[str, Any] = {
        "identifiantFacturier": provider,
        "matricule": matricule,
        "idMemoireHonoraire": note_id,
        "dateEtablissementMemoireHonoraire": issued_on,
        "lignes": lines,
    }
    if accident := _text(root, "entete/patient/accident/numeroAccident"):
        request["numeroAccident"] = accident
    return NoteFile(
        id=note_id,
        provider_code=provider,
        matricule=matricule,
        issued_on=issued_on,
        total=_total(root),
        request=request,
        body=body,
    )


def _line(element: etree._Element, note_id: str, day: str) -> dict[str, Any]:
    number = _text(element, "numeroLigne")
    prefixes, suffixes = (
        "".join((one.text or "").strip() for one in element.iterfind(f"{{*}}acte/{{*}}{name}"))
        for name in ("prefixActe", "suffixActe")
    )
    line: dict[str, Any] = {
        "identifiantExternePrestation": str(uuid5(uuid5(NAMESPACE_URL, UUID(note_id).urn), number)),
        "dateDebutPrestation": _need(element, "periode/dateDebut", day),
        "acte": {
            "codeActe": prefixes + _need(element, "acte/codeActe", r"\w{1,6}") + suffixes,
            "nombre": int(_need(element, "nombre", r"\d{1,2}")),
        },
    }
    for name, key in (("lieu", "lieuDePrestation"), ("codeH", "codeH")):
        if value := _text(element, name):
            line[key] = value
    return line


def _total(root: etree._Element) -> Decimal:
    try:
        return Decimal(_need(root, "paiement/sousTotal", r"-?\d+(\.\d{1,2})?"))
    except InvalidOperation as error:
        raise NoteFileError("paiement/sousTotal is no amount") from error


def _text(element: etree._Element, path: str) -> str:
    steps = "/".join(f"{{*}}{step}" for step in path.split("/"))
    return (element.findtext(steps) or "").strip()


def _need(element: etree._Element, path: str, form: str) -> str:
    found = _text(element, path)
    if not re.fullmatch(form, found, re.ASCII):
        raise NoteFileError(f"{path} is missing, or has a wrong form")
    return found
