"""What the pages of the environment share: names of states, findings in words, fields of forms."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.web import Problem
from esante.services.research.datasets.model import PERSON
from esante.services.research.environment.model import FAILURES, JOB_STATE_NAMES, JobKind
from esante.services.research.lake.model import EXTRACTION_STATE_NAMES
from esante.services.research.outputs.model import FINDING_KINDS, OUTPUT_STATE_NAMES

MAX_SEARCH = 100
"""Characters of a search."""
_SHOWN_IN_FORM = (400, 409, 429)


def shown(problem: Problem) -> Problem:
    """Return a problem that a form shows; raise any other, which has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def text_of(form: FormData | None, name: str, default: str = "") -> str:
    """Return a text field of a form; `default` for one that is missing or a file."""
    value = form.get(name, default) if form is not None else default
    return value if isinstance(value, str) else default


def words(request: Request) -> Mapping[str, Any]:
    """Return what the templates need to name states and findings."""
    return {
        "job_states": JOB_STATE_NAMES,
        "extraction_states": EXTRACTION_STATE_NAMES,
        "output_states": OUTPUT_STATE_NAMES,
        "finding_kinds": FINDING_KINDS,
        "failures": FAILURES,
        "languages": {JobKind.SQL.value: "SQL", JobKind.PYTHON.value: "Python"},
        "person_column": PERSON,
        "text": request.query_params.get("q", "").strip()[:MAX_SEARCH],
    }
