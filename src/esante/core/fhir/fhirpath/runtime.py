"""What an expression knows while it runs, and how much work it may do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.values import temporal
from esante.core.fhir.fhirpath.values.items import Items, Node

#: Items that all loops of one evaluation may go through.
MAX_WORK = 1_000_000
#: Characters of a text that an expression may build.
MAX_TEXT = 1_000_000


class Env:
    """The state of one evaluation: `$this` and its like, `%resource` and its like, the clock, the work left."""

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
        """The same moment throughout one evaluation."""
        if self._now is None:
            self._now = temporal.local_now()
        return self._now

    def spend(self, amount: int) -> None:
        """Count work done. Raises `PathFailed` when it is too much."""
        self.work -= amount
        if self.work < 0:
            raise PathFailed(f"The expression needs more than {MAX_WORK:,} steps on this resource")


#: Gives the resource that a reference leads to, or None.
Resolver = Callable[[str], dict[str, Any] | None]
#: A compiled expression.
Evaluator = Callable[[Env], Items]


def check_text_length(text: str) -> str:
    """The text. Raises `PathFailed` when it is too long."""
    if len(text) > MAX_TEXT:
        raise PathFailed(f"The expression makes a text of more than {MAX_TEXT:,} characters")
    return text
