"""The messages of the document validation: findings on an accepted document, and grounds of a refusal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from esante.core.fhir import Issue
from esante.core.web import N_, Problem


@dataclass(frozen=True, slots=True)
class Message:
    """The wording of a finding: `text` and `remedy` are msgids, `code` a FHIR issue-type."""

    text: str
    remedy: str = ""
    code: str = "invalid"


UNCONFIRMED = "subject-not-confirmed"
"""The finding that a reader must not overlook: it is displayed above the document."""
FINDINGS: Mapping[str, Message] = {
    "pdf-encrypted": Message(N_("The PDF is encrypted: readers may need its password.")),
    "pdf-javascript": Message(N_("The PDF holds a program (JavaScript). It is never run here.")),
    "pdf-launch": Message(N_("The PDF asks to start another program. It is never started here.")),
    "pdf-embedded-file": Message(N_("The PDF has other files embedded. They are not shown here.")),
    "pdf-open-action": Message(N_("The PDF asks for an action when it is opened. It is not carried out here.")),
    "pdf-submit-form": Message(N_("The PDF has a form that would send data elsewhere. It is not sent here.")),
    "cda-stylesheet": Message(N_("The CDA document names a style sheet. It is not used here.")),
    UNCONFIRMED: Message(N_("The patient named in the document could not be matched with this record.")),
    "fhir-warning": Message(N_("The FHIR document has remarks of the validator.")),
}
"""Findings with which a document is accepted."""

REFUSALS: Mapping[str, Message] = {
    "empty": Message(N_("The document is empty."), N_("Send the document's bytes."), "required"),
    "too-large": Message(N_("The document is too large."), N_("Send a smaller document."), "too-long"),
    "too-complex": Message(
        N_("The document asks for more work than is allowed to look into it."),
        N_("Send it simpler or in parts."),
        "too-costly",
    ),
    "media-type-unknown": Message(
        N_("Documents of this media type are not taken in."),
        N_("Send FHIR JSON, PDF, CDA, PNG, JPEG or UTF-8 text."),
        "not-supported",
    ),
    "media-type-differs": Message(
        N_("The bytes are not of the media type that was named."),
        N_("Name the media type that the bytes have."),
        "value",
    ),
    "pdf-broken": Message(N_("The PDF is broken and cannot be read."), N_("Make it again and send the whole file.")),
    "image-broken": Message(N_("The image is broken and cannot be shown."), N_("Send the whole file.")),
    "xml-broken": Message(N_("The XML is not well-formed."), N_("Send the whole document, well-formed.")),
    "xml-doctype": Message(
        N_("The XML has a document type or entities, which are not allowed."), N_("Send it without DOCTYPE.")
    ),
    "not-cda": Message(
        N_("The XML is not a CDA R2 document."), N_("Its root must be ClinicalDocument in urn:hl7-org:v3.")
    ),
    "text-not-utf8": Message(
        N_("The text is not plain text in UTF-8."), N_("Send it in UTF-8 without control characters.")
    ),
    "fhir": Message(N_("The FHIR document does not hold to FHIR R4."), N_("Mend what is listed and send it again.")),
    "request": Message(N_("The request does not hold to FHIR R4."), N_("Mend what is listed and send it again.")),
    "not-a-document": Message(
        N_("The Bundle is not a FHIR document."),
        N_("Send a Bundle of type document whose first entry is a Composition."),
    ),
    "type-missing": Message(
        N_("The type of the document is missing."), N_("Give a LOINC document type of the list."), "required"
    ),
    "type-unknown": Message(
        N_("Documents of this type are not taken in."), N_("Give one of these LOINC types:"), "code-invalid"
    ),
    "category-differs": Message(
        N_("The type that was named and the type inside the document are of different kinds."),
        N_("Give the type that the document itself has."),
        "conflict",
    ),
    "category-changed": Message(
        N_("A new version must be of the same kind as the one it replaces."),
        N_("Withdraw the old document and send this one as a new one."),
        "conflict",
    ),
    "subject-differs": Message(
        N_("The document names another patient than the record it is meant for."),
        N_("Check the patient, and send it to the right record."),
        "conflict",
    ),
    "future-date": Message(N_("The date lies in the future."), N_("Give the day of the event."), "value"),
    "bad-text": Message(
        N_("A text is too long or holds characters that cannot be printed."), N_("Shorten or mend it."), "value"
    ),
    "bad-language": Message(
        N_("The language is not a BCP 47 code."), N_("Write it as fr, de, en, lb or pt."), "value"
    ),
    "hidden-by-author": Message(
        N_("Only the patient may hide a document."), N_("Deposit it as normal or restricted."), "forbidden"
    ),
    "author-unknown": Message(
        N_("The author does not work at the organisation that hands the document in."),
        N_("Name an author of the organisation, or none."),
        "value",
    ),
    "reason-missing": Message(N_("A reason is needed."), N_("Say in a few words why."), "required"),
}
"""Grounds on which a document or its metadata is refused."""


class InvalidContent(Problem):
    """A document or metadata that is refused (422, or 413 when the document is too large).

    `key` is one of `REFUSALS`; `issues` are the errors in a FHIR document; `index` is that of the document in its
    deposit, from 0.
    """

    index = 0

    def __init__(self, key: str, *, place: str = "", detail: str = "", issues: Iterable[Issue] = ()) -> None:
        message = REFUSALS[key]
        status = 413 if key == "too-large" else 422
        self.issues = tuple(issues)
        first = next((issue for issue in self.issues if issue.severity in ("fatal", "error")), None)
        if first and not detail:
            place, detail = place or first.expression, first.diagnostics
        super().__init__(status, message.code, message.text, place=place, detail=detail, remedy=message.remedy)
        self.key = key
