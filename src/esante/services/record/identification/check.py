"""The check of a document against the person of the record, and the answer that a difference needs."""

from collections.abc import Sequence

from esante.core.types import Json
from esante.identity.access import Verdict
from esante.identity.directory import Person
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.errors import Denied
from esante.services.record.identification.comparison import compare, compare_with_nobody
from esante.services.record.identification.model import Comparison, Demographics, merge
from esante.services.record.identification.page_text import compare_page
from esante.services.record.model import DepositRefused

DIFFERS = Verdict(False, "person.differs", "person-differs")
"""The verdict on a deposit that differs from the person of the record and was not confirmed."""


class PersonDiffers(InvalidContent):
    """A document that differs from the person of the record, without an answer whether it is the right one (409)."""

    def __init__(self, comparison: Comparison, place: str = "content") -> None:
        super().__init__("subject-differs", place=place)
        self.status = 409
        self.comparison = comparison


def compare_document(
    person: Person | None, subject: Demographics | None, text: str, requested: Sequence[Demographics] = ()
) -> Comparison:
    """Return in what a document differs from a person.

    `subject`: what the document says of its patient; `text`: that of its first page; `requested`: what the request
    says, which confirms nothing of what is in the document. `person` None: there is nobody with the identifiers of the
    first of these.
    """
    said = [subject] if subject is not None else []
    if person is None:
        identifiers = requested[0].identifiers if requested else ()
        parts = [compare_with_nobody(identifiers, one) for one in (*said, *requested)]
        return merge([*parts, compare_page(None, text, identifiers)])
    of_document = [compare(person, one) for one in said]
    of_request = [Comparison(compare(person, one).differences) for one in requested]
    return merge([*of_document, *of_request, compare_page(person, text)])


def require_answer(
    comparison: Comparison, confirmation: str | None, *, place: str = "content", category: str = ""
) -> None:
    """Require that the depositor has confirmed the person of a document that differs.

    Raises: `Denied` with `PersonDiffers` without an answer; `InvalidContent` without a reason for what is severe.
    """
    if not comparison.differences:
        return
    if confirmation is None:
        raise Denied(
            PersonDiffers(comparison, place),
            DIFFERS,
            category=category,
            event=DepositRefused,
            **refused_fields(comparison),
        )
    if comparison.severe and not confirmation:
        raise InvalidContent("reason-missing", place="reason")


def refused_fields(comparison: Comparison) -> Json:
    """Return the fields of `DepositRefused` for a comparison."""
    return {"differs": keys_of(comparison), "severe": comparison.severe}


def keys_of(comparison: Comparison) -> tuple[str, ...]:
    """Return the keys of the traits that differ."""
    return tuple(difference.trait.value for difference in comparison.differences)
