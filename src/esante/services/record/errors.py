"""Refusals of the record: the problems that it answers with, and the exception that carries one to the audit log."""

from typing import Any

from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access import AccessEvent, Verdict
from esante.services.record.model import Document


class Denied(Exception):
    """An act that the requester may not do.

    `problem` is the answer to the requester; `verdict` and `categories` are for the audit log, and so is `event`: an
    event of its own, with these `fields`.
    """

    def __init__(
        self,
        problem: Problem,
        verdict: Verdict | None = None,
        document: Document | None = None,
        category: str = "",
        event: type[AccessEvent] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(problem.title)
        self.problem, self.verdict, self.document = problem, verdict, document
        self.event, self.fields = event, fields
        self.categories = (document.category,) if document else (category,) if category else ()


def not_found() -> Problem:
    """Return the answer for a document that does not exist, and for one that the requester may not see."""
    return Problem(404, "not-found", NOT_FOUND)


def unknown_person(place: str = "subject") -> Problem:
    """Return the answer for a person that the directory does not hold."""
    return bad_request(
        place,
        N_("This patient does not exist."),
        N_("Search for the patient again by identifier."),
        status=422,
        code="not-found",
    )


def record_closed() -> Problem:
    """Return the answer to a deposit into a record that is not open, whatever the reason."""
    return Problem(
        403,
        "forbidden",
        N_("Nothing can be added to this patient's record because it is not open."),
        remedy=N_("Give the document to the patient in another way."),
    )


def emergency_reads_only() -> Problem:
    """Return the answer to a write by somebody whose access is an emergency's."""
    return Problem(
        403,
        "forbidden",
        N_("Emergency access only lets you read the record."),
        remedy=N_("Ask the patient for a code, or add the document when the emergency access has ended."),
    )


def deposit_opposed() -> Problem:
    """Return the answer to a deposit about care of which the patient does not want documents in their record."""
    return Problem(
        403,
        "forbidden",
        N_("The patient does not want documents of this care to be added to their record."),
        remedy=N_("Give the document to the patient in another way."),
    )


def write_refused(verdict: Verdict, place: str = "type") -> Problem:
    """Return the answer to a write into an open record that the decision refuses."""
    answers = {"write.emergency": emergency_reads_only, "write.opposed": deposit_opposed}
    return answers[verdict.rule]() if verdict.rule in answers else no_write_access(place)


def no_write_access(place: str = "type") -> Problem:
    """Return the answer where the access matrix gives no right to write documents of this category."""
    return Problem(
        403,
        "forbidden",
        N_("Your profession does not allow you to add documents of this type to a record."),
        place=place,
        remedy=N_("Ask a colleague whose profession is allowed to do this."),
    )


def not_the_author() -> Problem:
    """Return the answer for a document that the requester sees but did not write."""
    return Problem(
        403,
        "forbidden",
        N_("Only the author or the organisation that added the document can change it."),
        remedy=N_("Ask the author or organisation to change it."),
    )


def not_current() -> Problem:
    """Return the answer to a change of a version that is no longer the current one."""
    return Problem(
        409,
        "conflict",
        N_("This is not the current version of the document."),
        remedy=N_("Read the document again and change its current version."),
    )


def duplicate_content() -> Problem:
    """Return the answer where the bytes of a new version are another current document of the same depositor."""
    return Problem(
        409,
        "duplicate",
        N_("The same content is already in the record, as another document."),
        place="relatesTo",
        remedy=N_("Send the new version, or withdraw one of the two documents."),
    )


def patient_only() -> Problem:
    """Return the answer where somebody other than the patient sets the confidentiality."""
    return Problem(
        403,
        "forbidden",
        N_("Only the patient can decide who sees a document."),
        remedy=N_("Ask the patient."),
    )


def client_assigned_id(type_: str) -> Problem:
    """Return the answer to a create under an id of the client: the server assigns ids, which hold the person's key."""
    return Problem(
        405,
        "not-supported",
        N_("You cannot choose the id of a new resource."),
        place=f"{type_}.id",
        remedy=N_("Use POST to create it. The response contains its id."),
    )
