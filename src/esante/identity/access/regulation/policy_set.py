"""The rules of one country as one set of data files, and the rules of a day.

A set is a folder with `matrix.toml`, `assignment.csv`, `contexts.toml` and `policy.toml`. One is packaged for each
country and date; the setting `policy_set` chooses one of them by name, or another by the path of its folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path

from esante.core import dated_data
from esante.core.time_zone import day_of
from esante.identity.access.model import Grant, GrantKind
from esante.identity.access.regulation import assignment
from esante.identity.access.regulation.assignment import Assignment, parse_assignments
from esante.identity.access.regulation.contexts import Context, ContextPeriod, parse_contexts
from esante.identity.access.regulation.matrix import Matrix, MatrixException, MatrixPeriod, Right, parse_matrix
from esante.identity.access.regulation.terms import Policy, parse_policies
from esante.identity.access.settings import AccessSettings
from esante.settings import read_settings

FILES = ("matrix.toml", "assignment.csv", "contexts.toml", "policy.toml")
FUNCTION, ORGANIZATION = "function:", "organization:"
"""What the keys of rights begin with that are of a function, or of a kind of organisation, and not of a profession."""
_MAX_DAYS = 20_000
"""How many days the rules are kept for: more than fifty years."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RulesInForce:
    """The rules of a day, as the decision looks them up.

    `rights`: by profession (or function, or kind of organisation, see `FUNCTION`) and document class. `columns`: the
    column of each profession. `functions`: the key of a function, by the column to which it belongs. `holder_writes`:
    the document classes that the person of the record writes. `categories`: the legal category of each document class.
    """

    rights: Mapping[tuple[str, str], Right]
    columns: Mapping[str, str]
    functions: Mapping[str, str]
    holder_writes: frozenset[str]
    categories: Mapping[str, str]
    contexts: Mapping[str, Context]
    policy: Policy
    exceptions: Mapping[tuple[str, str], frozenset[str]]
    """The subjects of which somebody may write although their right is none, by profession and document class."""

    def context_of(self, grant: Grant) -> Context | None:
        """Return the context of a grant: the one that it names, or else the first of its kind; None: there is none."""
        if not grant.context:
            return self.context_of_kind(grant.kind)
        context = self.contexts.get(grant.context)
        return context if context and context.grant is grant.kind else None

    def context_of_kind(self, kind: GrantKind, encounter: str = "") -> Context | None:
        """Return the first context of a kind of grants, or that of a class of stays; None: there is none."""
        for context in self.contexts.values():
            if context.grant is kind and encounter in ("", context.encounter):
                return context
        return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicySet:
    """All rules of a country; each part holds its periods, oldest first."""

    name: str
    matrix: Matrix
    assignments: tuple[Assignment, ...]
    contexts: tuple[ContextPeriod, ...]
    policies: tuple[Policy, ...]
    _rules: dict[tuple[object, ...], RulesInForce] = field(default_factory=dict, repr=False)
    _days: dict[date, RulesInForce] = field(default_factory=dict, repr=False)

    def at(self, moment: datetime) -> RulesInForce:
        """Return the rules in force at a moment: those of its calendar day in the country's time zone."""
        return self.on(day_of(moment))

    def on(self, day: date) -> RulesInForce:
        """Return the rules in force on a day."""
        if (known := self._days.get(day)) is None:
            if len(self._days) >= _MAX_DAYS:
                self._days.clear()
            known = self._days[day] = self._build(day)
        return known

    def with_assignments(self, changes: Sequence[Assignment]) -> "PolicySet":
        """Return the set with further assignments, each of which counts from its day on."""
        found = sorted((*self.assignments, *changes), key=lambda one: one.valid_from)  # stable: a change counts last
        return replace(self, assignments=tuple(found), _rules={}, _days={})

    def _build(self, day: date) -> RulesInForce:
        matrix = _begun(self.matrix.periods, day)
        contexts = _begun(self.contexts, day)
        policy = dated_data.in_force(self.policies, day)
        categories = assignment.in_force(self.assignments, day)
        exceptions = tuple(one for one in self.matrix.exceptions if one.is_in_force(day))
        key = (id(matrix), id(contexts), id(policy), exceptions, *sorted(categories.items()))
        if (known := self._rules.get(key)) is None:
            known = self._rules[key] = self._compile(matrix, contexts, policy, categories, exceptions)
        return known

    def _compile(
        self,
        matrix: MatrixPeriod | None,
        contexts: ContextPeriod | None,
        policy: Policy,
        categories: Mapping[str, str],
        exceptions: Sequence[MatrixException],
    ) -> RulesInForce:
        columns = self.matrix.column_of
        functions = {column: f"{FUNCTION}{key}" for column, key in self.matrix.functions.items()}
        cells = matrix.cells if matrix else {}
        acting = columns | {f"{FUNCTION}{key}": key for key in self.matrix.functions.values()}
        acting |= {f"{ORGANIZATION}{one.kind}": one.column for one in self.matrix.organizations}
        return RulesInForce(
            rights={
                (profession, class_): cells[column, category]
                for profession, column in acting.items()
                for class_, category in categories.items()
                if (column, category) in cells
            },
            columns=columns,
            functions=functions,
            holder_writes=frozenset(
                class_ for class_, category in categories.items() if matrix and category in matrix.holder_writes
            ),
            categories=categories,
            contexts={one.key: one for one in (contexts.contexts if contexts else ())},
            policy=policy,
            exceptions={
                (profession, class_): frozenset(
                    one.subject for one in exceptions if (one.column, one.document_class) == (column, class_)
                )
                for profession, column in acting.items()
                for class_ in {one.document_class for one in exceptions if one.column == column}
            },
        )


def load_policy_set(folder: Traversable | Path) -> PolicySet:
    """Return the set of a folder.

    Raises: ValueError for what is wrong in a file, with its place; OSError for a file that is missing.
    """
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    matrix = parse_matrix(texts["matrix.toml"])
    return PolicySet(
        name=folder.name,
        matrix=matrix,
        assignments=parse_assignments(texts["assignment.csv"], [one.key for one in matrix.categories]),
        contexts=parse_contexts(texts["contexts.toml"]),
        policies=parse_policies(texts["policy.toml"]),
    )


class _InUse:
    """The set in use; None until it is first asked for."""

    current: PolicySet | None = None


def use_policy_set(chosen: str | PolicySet) -> None:
    """Use a set in this process: one that is given, or is packaged under a name, or lies in a folder.

    Raises: ValueError for one that does not exist or is wrong.
    """
    _InUse.current = chosen if isinstance(chosen, PolicySet) else _load_named(chosen)


def policy_set() -> PolicySet:
    """Return the set in use, as it is packaged; what operators changed is added by `Access.rules`."""
    if _InUse.current is None:
        use_policy_set(read_settings(AccessSettings).policy_set)
    assert _InUse.current is not None
    return _InUse.current


def policy(on: date) -> Policy:
    """Return the terms in force on a day; before the first period, the first."""
    return policy_set().on(on).policy


@lru_cache(maxsize=16)
def _load_named(name: str) -> PolicySet:
    packaged = files("esante.identity.access") / "data" / name
    folder = packaged if "/" not in name and (packaged / FILES[0]).is_file() else Path(name)
    try:
        return load_policy_set(folder)
    except OSError as error:
        raise ValueError(
            f"ESANTE_POLICY_SET is {name!r}, which is no packaged policy set and no folder of one"
        ) from error


def _begun(periods: Sequence[dated_data.T], day: date) -> dated_data.T | None:
    """Return the period in force on a day; before the first period, None: nothing is allowed."""
    return dated_data.in_force(periods, day) if periods[0].valid_from <= day else None
