"""The fee note in the national XML (MEMHON-DEPOT V1), in and out.

The tables below are the model of the message; `read_note` and `write_note` are inverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esante.core.web import N_
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.model import (
    Accident,
    Act,
    Biller,
    FeeNote,
    Indications,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)
from esante.services.billing.note.xml_blocks import Block, Field, Raw, Reader, attributes_of, write
from esante.services.billing.note.xml_values import (
    AMOUNT,
    BOOLEAN,
    DATE,
    ID,
    MATRICULE,
    PDF,
    PROVIDER,
    TIME,
    integer,
    padded_text,
    pattern,
    text,
)

ROOT = "memoireHonoraire"
LEAST_NAME = 100
"""Characters that the schema wants of the name of a hospital; surely it should be at most as many."""
MAX_LINES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNote:
    """A note as it was read, with remarks on what was accepted although the schema does not allow it."""

    note: FeeNote
    remarks: tuple[NoteFault, ...] = ()


def read_note(data: bytes, *, lenient: bool = False) -> ReadNote:
    """Return the note of a message, at most `xml_blocks.MAX_BYTES` bytes.

    `lenient` accepts, with a remark, what software in use gets wrong: a short name of the hospital, elements in the
    namespace. Raises: BadNote with every fault, its place and line.
    """
    reader = Reader(lenient=lenient)
    note: FeeNote = reader.root(data, ROOT, _NOTE)
    if len(note.lines) > MAX_LINES:
        title, remedy = N_("The fee note has too many lines."), N_("Divide the fee note into several ones.")
        raise BadNote([NoteFault(place=f"/{ROOT}/prestation", title=title, remedy=remedy, detail=f"{MAX_LINES}")])
    return ReadNote(note=note, remarks=tuple(reader.remarks))


def write_note(note: FeeNote) -> bytes:
    """Return a note as a message that is valid under the schema.

    Raises: ValueError for a note that the message cannot hold (a text that is too long, an amount of a tenth of a
    cent).
    """
    return write(ROOT, _NOTE, note)


# The tables: tag, attribute of the model, kind ----------------------------------------------------------


def _make_address(extension1: str, extension2: str, **values: Any) -> PostalAddress:
    return PostalAddress(extensions=(extension1, extension2), **values)


def _take_address(address: PostalAddress) -> Mapping[str, Any]:
    first, second = address.extensions
    return {**attributes_of(address), "extension1": first, "extension2": second}


_ADDRESS = Block(
    (
        Field("extension1", "extension1", text(100)),
        Field("Extension2", "extension2", text(100)),
        Field("numeroRue", "number", text(20)),
        Field("rue", "street", text(80), required=True),
        Field("codePays", "country", text(2, 2)),
        Field("codePostal", "postal_code", text(15, 1)),
        Field("localite", "city", text(80, 1)),
    ),
    _make_address,
    _take_address,
)
_BILLER = Block(
    (
        Field("codePrestataire", "provider_code", PROVIDER, required=True),
        Field("nom", "family", text(150), required=True),
        Field("prenom", "given", text(100)),
        Field("titre", "title", text(50)),
        Field("adresse", "address", _ADDRESS, required=True),
        Field("numeroTelephone", "phone", text(24)),
        Field("numeroFax", "fax", text(24)),
        Field("email", "email", text(100)),
    ),
    Biller,
)
_ACCIDENT = Block(
    (
        Field("numeroAccident", "number", pattern("[UL][0-9]{9}", "U or L and 9 digits")),
        Field("dateAccident", "on", DATE),
    ),
    Accident,
)
_PATIENT = Block(
    (
        Field("matricule", "matricule", MATRICULE),
        Field("dateNaissance", "birth_date", DATE),
        Field("caissePrincipale", "fund", text(12)),
        Field("nom", "family", text(150)),
        Field("prenom", "given", text(100)),
        Field("accident", "accident", _ACCIDENT),
    ),
    Patient,
    choice=("matricule", "dateNaissance"),
)
_INSURED = Block(
    (
        Field("nom", "family", text(150)),
        Field("prenom", "given", text(100)),
        Field("adresse", "address", _ADDRESS, required=True),
    ),
    Insured,
)
_PERIOD = Block(
    (
        Field("dateDebut", "start", DATE, required=True),
        Field("heureDebut", "start_time", TIME),
        Field("dateFin", "end", DATE),
        Field("heureFin", "end_time", TIME),
    ),
    Period,
)
_ACT = Block(
    (
        Field("codeActe", "code", text(6, 1), required=True),
        Field("prefixActe", "prefixes", text(1, 1), many=True),
        Field("suffixActe", "suffixes", text(1, 1), many=True),
        Field("libelle", "label", text(35)),
    ),
    Act,
)
_LINE = Block(
    (
        Field("numeroLigne", "number", integer(0, 999_999), required=True),
        Field("codeH", "hospital_class", pattern("[A12]", "A, 1 or 2")),
        Field("lieu", "place", text(2, 2)),
        Field("codeExecutant", "performer_code", PROVIDER),
        Field("periode", "period", _PERIOD, required=True),
        Field("dent", "tooth", text(3)),
        Field("acte", "act", _ACT, required=True),
        Field("nombre", "quantity", integer(1, 99), required=True),
        Field("montantBrut", "gross", AMOUNT, required=True),
        Field("partPersonelle", "personal", AMOUNT),
        Field("codePrescripteur", "prescriber_code", PROVIDER),
        Field("numeroTitreOrdonnance", "order_number", text(36, 36)),
        Field("typeSeance", "session_type", text(20, 1)),
        Field("numeroSeance", "session_number", text(2, 1)),
        Field("codeOperateur", "operator_code", PROVIDER),
    ),
    NoteLine,
)
_SETTLEMENT = Block(
    (
        Field("sousTotal", "subtotal", AMOUNT, required=True),
        Field("report", "carried_over", AMOUNT),
        Field("acompteADeduire", "deposit", AMOUNT),
        Field("aPayer", "due", AMOUNT, required=True),
        Field("devise", "currency", text(3, 3), required=True),
        Field("acquitte", "settled", BOOLEAN, required=True),
        Field("dateAcquittement", "settled_on", DATE),
    ),
    Settlement,
)
_INDICATIONS = Block(
    (
        Field("polytraumatisme", "polytrauma", BOOLEAN),
        Field("protheseProvisoire", "temporary_prosthesis", BOOLEAN),
        Field("nouvelleGrossesse", "new_pregnancy", BOOLEAN),
        Field("codeMedecinOperateur", "operator_code", PROVIDER),
    ),
    Indications,
)


_HEAD = Block(
    (
        Field("UUID", "id", ID, required=True),
        Field("facturier", "biller", _BILLER, required=True),
        Field("patient", "patient", _PATIENT, required=True),
        Field("assure", "insured", _INSURED, required=True),
        Field("numeroMemoireHonoraires", "number", text(100)),
        Field("dateMemoireHonoraires", "issued_on", DATE, required=True),
        Field("codeHopital", "hospital_code", PROVIDER),
        Field("codeAssociation", "association_code", PROVIDER),
        Field("nomHopitalAssociation", "hospital_name", padded_text(LEAST_NAME, 1000)),
        Field("numeroAdmission", "admission_number", text(25)),
        Field("caisseComplementaire", "complementary_fund", text(25)),
    ),
)
_FREE = Block(
    (
        Field("texteLibreVirement", "transfer_text", text(2500, 1)),
        Field("texteLibreMedical", "medical_text", text(200, 1)),
    )
)
_FOOTER = Block((Field("nombreDePage", "pages", integer(-999_999, 999_999)),))


def _make_note(head: Mapping[str, Any], free: Mapping[str, Any], footer: Mapping[str, Any], **values: Any) -> FeeNote:
    return FeeNote(**head, **free, **footer, **values)


def _take_note(note: FeeNote) -> Mapping[str, Any]:
    return {**attributes_of(note), "head": note, "free": note, "footer": note}


_NOTE = Block(
    (
        Field("entete", "head", _HEAD, required=True),
        Field("prestation", "lines", _LINE, required=True, many=True),
        Field("paiement", "settlement", _SETTLEMENT, required=True),
        Field("libre", "free", _FREE, required=True),
        Field("footer", "footer", _FOOTER, required=True),
        Field("indicationsSupplementaires", "indications", _INDICATIONS, required=True),
        Field("signature", "signature", Raw()),
        Field("document", "document", PDF),
    ),
    _make_note,
    _take_note,
)
