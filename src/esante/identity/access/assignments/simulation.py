"""What another legal category of a document class would change: who gains and who loses reading or writing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from esante.identity.access.regulation.matrix import Column, Matrix, MatrixPeriod, Right
from esante.identity.access.regulation.policy_set import PolicySet

_NOBODY = Right("", "", False, False)


@dataclass(frozen=True, slots=True)
class RightChange:
    """What a change means for a column of the matrix: professions, and the software of kinds of `organizations`."""

    column: str
    professions: tuple[str, ...]
    organizations: tuple[str, ...]
    before: Right
    after: Right

    @property
    def gains(self) -> tuple[str, ...]:
        """What they could not do before: of "read" and "write"."""
        return tuple(name for name in ("read", "write") if getattr(self.after, name) > getattr(self.before, name))

    @property
    def loses(self) -> tuple[str, ...]:
        """What they can do no more: of "read" and "write"."""
        return tuple(name for name in ("read", "write") if getattr(self.after, name) < getattr(self.before, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a change would do from a day on.

    `before` and `after` are legal categories. `holder_before` and `holder_after`: whether the person of the record
    writes documents of the class; they read all.
    """

    document_class: str
    on: date
    before: str
    after: str
    changes: tuple[RightChange, ...]
    holder_before: bool
    holder_after: bool

    @property
    def is_without_effect(self) -> bool:
        """Whether nobody gains and nobody loses anything."""
        return not self.changes and self.holder_before is self.holder_after


def simulate(rules: PolicySet, document_class: str, category: str, on: date) -> Simulation:
    """Return what another legal category of a document class would change from a day on."""
    before, matrix = rules.on(on).categories.get(document_class, ""), rules.matrix
    period = period_on(matrix, on)
    cells, writes = (period.cells, period.holder_writes) if period else ({}, ())
    changes = []
    for column in matrix.columns:
        old, new = (cells.get((column.key, key), _NOBODY) for key in (before, category))
        if (old.read, old.write) != (new.read, new.write):
            changes.append(RightChange(column.key, column.members, _software(matrix, column), old, new))
    return Simulation(
        document_class=document_class,
        on=on,
        before=before,
        after=category,
        changes=tuple(changes),
        holder_before=before in writes,
        holder_after=category in writes,
    )


def period_on(matrix: Matrix, on: date) -> MatrixPeriod | None:
    """Return the period of the matrix in force on a day; None before the first."""
    begun: Iterable[MatrixPeriod] = [one for one in matrix.periods if one.valid_from <= on]
    return max(begun, key=lambda one: one.valid_from, default=None)


def _software(matrix: Matrix, column: Column) -> tuple[str, ...]:
    return tuple(one.kind for one in matrix.organizations if one.column == column.key)
