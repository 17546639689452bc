"""The messages of the document validation: findings on an accepted document, and grounds of a refusal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from esante.core.fhir import Issue
from esante.core.web import N_, Problem
from esante.services.record.model import DIFFERENCE_WORDS


@dataclass(frozen=True, slots=True)
class Message:
    """The wording of a finding: `text` and `remedy` are msgids, `code` a FHIR issue-type."""

    text: str
    remedy: str = ""
    code: str = "invalid"


UNCONFIRMED = "subject-not-confirmed"
"""The finding that a reader must not overlook: it is displayed above the document."""
FINDINGS: Mapping[str, Message] = {
    "pdf-encrypted": Message(N_("The PDF is protected: it may not allow printing or copying.")),
    "pdf-javascript": Message(N_("The PDF contains a program (JavaScript). It is not run here.")),
    "pdf-launch": Message(N_("The PDF tries to start another program. This is blocked here.")),
    "pdf-embedded-file": Message(N_("The PDF contains other files. They are not shown here.")),
    "pdf-open-action": Message(N_("The PDF contains an action that runs when it is opened. It is not run here.")),
    "pdf-submit-form": Message(N_("The PDF contains a form that sends data elsewhere. The form is disabled here.")),
    "cda-stylesheet": Message(N_("The CDA document refers to a style sheet, which is not used here.")),
    UNCONFIRMED: Message(N_("The patient named in the document could not be matched to this record.")),
    **{trait.value: Message(words) for trait, words in DIFFERENCE_WORDS.items()},
    "fhir-warning": Message(N_("The validator has comments on the FHIR document.")),
}
"""Findings with which a document is accepted."""

REFUSALS: Mapping[str, Message] = {
    "empty": Message(N_("The document is empty."), N_("Send the content of the document."), "required"),
    "too-large": Message(N_("The document is too large."), N_("Send a smaller document."), "too-long"),
    "too-complex": Message(
        N_("The document is too complex to check."),
        N_("Simplify the document or send it in parts."),
        "too-costly",
    ),
    "media-type-unknown": Message(
        N_("Documents in this format are not accepted."),
        N_("Send FHIR JSON, PDF, CDA, PNG, JPEG or UTF-8 text."),
        "not-supported",
    ),
    "media-type-differs": Message(
        N_("The content is not in the format given."),
        N_("Enter the actual format of the content."),
        "value",
    ),
    "office-file": Message(
        N_("Word, Excel and similar files, and archives, are not accepted."),
        N_("Open the file, save it as a PDF, and add the PDF."),
        "not-supported",
    ),
    "other-image": Message(
        N_("Images in this format are not accepted."), N_("Save the image as JPEG or PNG."), "not-supported"
    ),
    "pdf-password": Message(
        N_("The PDF can only be opened with a password."),
        N_("Save it without a password, so that the patient and others can read it."),
        "security",
    ),
    "pdf-broken": Message(
        N_("The PDF is damaged and cannot be read."), N_("Create the file again and send the whole file.")
    ),
    "image-broken": Message(N_("The image is damaged and cannot be shown."), N_("Send the whole file.")),
    "xml-broken": Message(N_("The XML is not well-formed."), N_("Send the whole document as well-formed XML.")),
    "xml-doctype": Message(
        N_("The XML contains a document type (DOCTYPE) or entities, which are not allowed."),
        N_("Send it without DOCTYPE."),
    ),
    "not-cda": Message(
        N_("The XML is not a CDA R2 document."), N_("The root element must be ClinicalDocument in urn:hl7-org:v3.")
    ),
    "text-not-utf8": Message(
        N_("The text is not plain UTF-8 text."), N_("Send it in UTF-8 without control characters.")
    ),
    "fhir": Message(
        N_("The FHIR document does not conform to FHIR R4."), N_("Correct the errors listed and send it again.")
    ),
    "request": Message(
        N_("The request does not conform to FHIR R4."), N_("Correct the errors listed and send it again.")
    ),
    "not-a-document": Message(
        N_("The Bundle is not a valid FHIR document."),
        N_("Send a Bundle of type document whose first entry is a Composition."),
    ),
    "type-missing": Message(
        N_("The document type is missing."), N_("Use a LOINC document type from the list."), "required"
    ),
    "type-unknown": Message(
        N_("Documents of this type are not accepted."), N_("Use one of these LOINC types:"), "code-invalid"
    ),
    "category-differs": Message(
        N_("The type given and the type in the document belong to different categories."),
        N_("Use the type given in the document itself."),
        "conflict",
    ),
    "category-changed": Message(
        N_("A new version must be of the same type as the document it replaces."),
        N_("Withdraw the old document and add this one as a new document."),
        "conflict",
    ),
    "subject-differs": Message(
        N_("What the document says of its patient does not match the patient of this record."),
        N_(
            "Check the patient. If it is the right one, send the document again with the extension patient-confirmed"
            " and the reason."
        ),
        "conflict",
    ),
    "future-date": Message(N_("The date is in the future."), N_("Enter the day of the event."), "value"),
    "bad-text": Message(
        N_("A text is too long or contains characters that cannot be displayed."),
        N_("Shorten or correct it."),
        "value",
    ),
    "bad-language": Message(N_("The language is not a BCP 47 code."), N_("Use fr, de, en, lb or pt."), "value"),
    "hidden-by-author": Message(
        N_("Only the patient can hide a document."), N_("Add it as normal or restricted."), "forbidden"
    ),
    "author-unknown": Message(
        N_("The author does not work for the organisation that is adding the document."),
        N_("Enter an author from the organisation, or leave it out."),
        "value",
    ),
    "reason-missing": Message(N_("Enter a reason."), N_("Explain briefly why."), "required"),
}
"""Grounds on which a document or its metadata is refused."""


class InvalidContent(Problem):
    """A document or metadata that is refused: 422, 413 when it is too large, 400 for a request that is no JSON.

    `key` is one of `REFUSALS`; `issues` are the errors in a FHIR document; `index` is that of the document in its
    deposit, from 0.
    """

    index = 0

    def __init__(self, key: str, *, place: str = "", detail: str = "", issues: Iterable[Issue] = ()) -> None:
        message = REFUSALS[key]
        self.issues = tuple(issues)
        first = next((issue for issue in self.issues if issue.severity in ("fatal", "error")), None)
        # FHIR R4, http.html, "create": 400 where the resource cannot be parsed.
        is_unparsed = key == "request" and first is not None and (first.severity, first.code) == ("fatal", "structure")
        status = 413 if key == "too-large" else 400 if is_unparsed else 422
        if first and not detail:
            place, detail = place or first.expression, first.diagnostics
        super().__init__(status, message.code, message.text, place=place, detail=detail, remedy=message.remedy)
        self.key = key
