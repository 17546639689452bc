"""The state of an evaluation, and its limits of work."""

from collections.abc import Callable
from datetime import datetime

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.values import temporal
from esante.core.fhir.fhirpath.values.items import Items, Node
from esante.core.types import Json

#: Items that all loops of one evaluation may visit.
MAX_WORK = 1_000_000
#: Characters of a text that an expression builds.
MAX_TEXT = 1_000_000


class Env:
    """The state of one evaluation: `$this`, `$index`, `$total`, variables, the current time, and the work left.

    `work` counts items; `root` is `%rootResource`.
    """

    __slots__ = ("_now", "context", "index", "resolver", "resource", "root", "this", "total", "variables", "work")

    def __init__(
        self,
        this: Items,
        resource: Node,
        root: Node,
        variables: dict[str, Items],
        resolver: "Resolver | None" = None,
    ) -> None:
        self.this = this
        self.context = this
        self.index = 0
        self.total: Items = []
        self.resource = resource
        self.root = root
        self.variables = variables
        self.resolver = resolver
        self.work = MAX_WORK
        self._now: datetime | None = None

    def now(self) -> datetime:
        """Return the current time, the same throughout one evaluation."""
        if self._now is None:
            self._now = temporal.local_now()
        return self._now

    def spend(self, amount: int) -> None:
        """Count work done, in items. Raises: `PathFailed` beyond `MAX_WORK`."""
        self.work -= amount
        if self.work < 0:
            raise PathFailed(f"The expression needs more than {MAX_WORK:,} steps on this resource")


Resolver = Callable[[str], Json | None]
"""Returns the resource at an address, or None."""
Evaluator = Callable[[Env], Items]
"""A compiled expression: returns its result in a state."""


def check_text_length(text: str) -> str:
    """Return the text. Raises: `PathFailed` when it is longer than `MAX_TEXT`."""
    if len(text) > MAX_TEXT:
        raise PathFailed(f"The expression builds a text of more than {MAX_TEXT:,} characters")
    return text
