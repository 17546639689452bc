"""The national messages of accelerated reimbursement beside the note: answer, consent, cancellation.

MEMHON-DEPOT-RES V1, MEMHON-REMBCONS-REQ V1, MEMHON-ANNUL-REQ V3. Each is read and written by the same table.
"""

from dataclasses import dataclass
from uuid import UUID

from esante.services.billing.note.xml_blocks import Block, Field, Raw, Reader, write
from esante.services.billing.note.xml_values import ID, MATRICULE, integer, text

DEPOSIT = "2022_CNS_MEMHON_DEPOT-V1"
CONSENT = "2022_CNS_MEMHON_REMBCONS-V1"
CANCELLATION = "2022_CNS_MEMHON_ANNUL-V1"
MAX_REASON = 200
"""Characters of the reason of a cancellation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """What the insurance found in a note: its type, its code, and a text where the code has none of its own."""

    type: str
    code: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositAnswer:
    """The answer to a note: its UUID, the UUID that the insurance gave it, and anomalies."""

    note_id: UUID
    secu_id: UUID
    anomalies: tuple[Anomaly, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReimbursementConsent:
    """The consent of a person that a note is reimbursed."""

    secu_id: UUID
    matricule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The cancellation of a note; `replaced_by`: the UUID of the one in its place, and `kind` is then 2, else 1."""

    note_id: UUID
    replaced_by: UUID | None = None
    secu_id: UUID
    kind: int = 1
    reason: str
    signature: bytes = b""


_ANOMALY = Block(
    (
        Field("type", "type", text(300), required=True),
        Field("code", "code", text(100), required=True),
        Field("motif", "reason", text(2000)),
    ),
    Anomaly,
)
_ANSWER = Block(
    (
        Field("UuidPrestataire", "note_id", ID, required=True),
        Field("UuidSecu", "secu_id", ID, required=True),
        Field("anomalies", "anomalies", _ANOMALY, many=True),
    ),
    DepositAnswer,
)
_CONSENT = Block(
    (
        Field("UUIDSecu", "secu_id", ID, required=True),
        Field("idenitifiantUnique", "matricule", MATRICULE, required=True),
    ),
    ReimbursementConsent,
)
_CANCELLATION = Block(
    (
        Field("UUIDPrestataire", "note_id", ID, required=True),
        Field("UUIDDocumentRemplacant", "replaced_by", ID),
        Field("UUIDDocumentAnnule", "secu_id", ID, required=True),
        Field("TypeAnnulation", "kind", integer(1, 2), required=True),
        Field("Motif", "reason", text(MAX_REASON, 1), required=True),
        Field("Signature", "signature", Raw()),
    ),
    Cancellation,
)


def read_answer(data: bytes) -> DepositAnswer:
    """Return the answer to a note; the schema leaves its namespaces open. Raises: BadNote."""
    answer: DepositAnswer = Reader(qualified=True, lenient=True).root(data, "memoireHonorairesRetour", _ANSWER)
    return answer


def write_answer(answer: DepositAnswer) -> bytes:
    """Return the answer to a note as a message."""
    return write("memoireHonorairesRetour", _ANSWER, answer, qualified=True)


def read_consent(data: bytes) -> ReimbursementConsent:
    """Return a consent. Raises: BadNote."""
    consent: ReimbursementConsent = Reader(qualified=True).root(data, "consentement", _CONSENT)
    return consent


def write_consent(consent: ReimbursementConsent) -> bytes:
    """Return a consent as a message."""
    return write("consentement", _CONSENT, consent, qualified=True)


def read_cancellation(data: bytes) -> Cancellation:
    """Return a cancellation. Raises: BadNote."""
    found: Cancellation = Reader(qualified=True).root(data, "annulationMemoireHonoraire", _CANCELLATION)
    return found


def write_cancellation(cancellation: Cancellation) -> bytes:
    """Return a cancellation as a message."""
    return write("annulationMemoireHonoraire", _CANCELLATION, cancellation, qualified=True)
