"""The responses to a submission of documents (IHE MHD 4.2, ITI-65), and to one that differs from its person."""

import orjson

from esante.core.fhir import Issue, operation_outcome
from esante.core.types import Json
from esante.core.web import problem_outcome
from esante.services.record.documents.content.validation_messages import FINDINGS
from esante.services.record.documents.document_reference import (
    content_path,
    document_reference,
    finding_coding,
    instant,
)
from esante.services.record.documents.mhd_parser import Submission
from esante.services.record.identification.check import PersonDiffers
from esante.services.record.model import Deposited


def transaction_response(body: bytes, submission: Submission, deposited: list[Deposited], base_url: str) -> Json:
    """Return the transaction response, with an entry for each entry of the request, in its order."""
    responses: dict[int, Json] = {}
    for reference_index, content_index, one in zip(
        submission.reference_indexes, submission.content_indexes, deposited, strict=True
    ):
        response_entry = _response_entry(one, f"DocumentReference/{one.document.key}", base_url)
        response_entry["resource"] = document_reference(one.document, base_url)
        if issues := _deposit_outcome(one, submission.warnings):
            response_entry["response"]["outcome"] = issues
        responses[reference_index] = response_entry
        if content_index is not None:
            responses[content_index] = _response_entry(one, content_path(one.document), base_url)
    first = deposited[0].document
    locations = {
        "List": f"List/{first.person_id.hex}{first.submission_id.hex}",
        "Patient": f"Patient/{first.person_id}",
    }
    entries = []
    for index, entry in enumerate(orjson.loads(body)["entry"]):
        type_ = entry.get("resource", {}).get("resourceType")
        if index in responses:
            entries.append(responses[index])
        elif type_ == "List":
            entries.append(_response_entry(deposited[0], locations["List"], base_url))
        else:
            location = locations.get(type_, entry["request"]["url"])
            entries.append({"response": {"status": "200", "location": location}})
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


def _response_entry(one: Deposited, location: str, base_url: str) -> Json:
    status = "201" if one.created else "200"
    changed = instant(one.document.changed_at)
    return {
        "fullUrl": f"{base_url}/{location}",
        "response": {"status": status, "location": location, "lastModified": changed},
    }


def _deposit_outcome(one: Deposited, warnings: tuple[str, ...]) -> Json | None:
    """Return the findings on an accepted document as an OperationOutcome, or None."""
    issues = [
        Issue("warning", "informational", finding.place, f"{FINDINGS[finding.key].text} {finding.detail}".strip())
        for finding in one.findings
    ]
    issues += [Issue("warning", "not-supported", "DocumentReference.relatesTo", text) for text in warnings]
    if not one.created:
        text = "The record already holds these bytes; no document was created."
        issues.append(Issue("information", "duplicate", "", text))
    return operation_outcome(issues) if issues else None


def differences_outcome(differs: PersonDiffers) -> Json:
    """Return the refusal of what differs from the person of the record: what to do, and each trait that differs.

    It has what was sent, and nothing of the person.
    """
    outcome = problem_outcome(differs)
    for difference in differs.comparison.differences:
        coding = finding_coding(difference.trait.value)
        issue: Json = {
            "severity": "error",
            "code": "conflict",
            "details": {"coding": [coding]},
            "diagnostics": f"{coding['display']} {difference.found}".strip(),
        }
        if differs.place:
            issue["expression"] = [differs.place]
        outcome["issue"].append(issue)
    return outcome
