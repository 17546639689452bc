"""The fields of the record's forms, and the problems that are shown above a form."""

from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Confidentiality

_SHOWN_ABOVE_FORM = (400, 403, 409, 413, 422)
"""Statuses of problems that are shown above the form, so that nothing has to be typed again."""


def shown_above_form(problem: Problem) -> Problem:
    """Return a problem that is shown above the form; raise any other."""
    if problem.status not in _SHOWN_ABOVE_FORM:
        raise problem
    return problem


def read_text(form: FormData | None, name: str) -> str:
    """Return the text of a field without blanks around it; "" where it is missing, or there is no form."""
    value = form.get(name, "") if form else ""
    return value.strip() if isinstance(value, str) else ""


def read_confidentiality(form: FormData | None) -> Confidentiality:
    """Return the confidentiality in the form; by default normal. Raises: `Problem` 422 for an unknown one."""
    level = read_text(form, "level") or Confidentiality.NORMAL
    try:
        return Confidentiality(level)
    except ValueError as error:
        raise Problem(422, "value", N_("This option does not exist."), place="level") from error


def parse_uuid(text: str) -> UUID:
    """Return the UUID. Raises: `Problem` 404."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def declared_size(request: Request, limit: int) -> int:
    """Return the bytes of a form that it will have; `read_form` refuses one that does not say so, or too many."""
    declared = request.headers.get("content-length", "")
    return min(int(declared), limit) if declared.isdigit() else 0


def file_size(form: FormData) -> int:
    """Return the bytes of the file in a form."""
    file = form.get("file")
    return (file.size or 0) if isinstance(file, UploadFile) else 0
