"""Types that every package shares."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
"""A JSON object, for example a FHIR resource."""
Progress = Callable[[int, int, str], None]
"""Called with the amount done, the total amount, and the name of the step."""
