"""What the pages of the environment share: names of states, findings in words."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from esante.services.research.datasets.model import PERSON
from esante.services.research.environment.model import FAILURES, JOB_STATE_NAMES, JobKind
from esante.services.research.lake.model import EXTRACTION_STATE_NAMES
from esante.services.research.outputs.model import FINDING_KINDS, OUTPUT_STATE_NAMES
from esante.services.research.pages.form_values import searched


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
        "text": searched(request),
    }
