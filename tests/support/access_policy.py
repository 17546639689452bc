"""Rules that a test puts in the place of those in force."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from esante.identity.access import PolicySet, policy_set, use_policy_set


@contextlib.contextmanager
def used_policy_set(rules: PolicySet) -> Iterator[PolicySet]:
    """Use a policy set for as long as the context lasts."""
    before = policy_set()
    use_policy_set(rules)
    try:
        yield rules
    finally:
        use_policy_set(before)


def changed_policy(**changes: object) -> contextlib.AbstractContextManager[PolicySet]:
    """Change fields of all terms of access (`Policy`) for as long as the context lasts."""
    policies = tuple(replace(terms, **changes) for terms in policy_set().policies)
    return used_policy_set(renewed(policies=policies))


def changed_context(key: str, **changes: Any) -> contextlib.AbstractContextManager[PolicySet]:
    """Change fields of a context of care, in all periods, for as long as the context manager lasts."""
    periods = tuple(
        replace(
            period,
            contexts=tuple(
                msgspec.structs.replace(one, **changes) if one.key == key else one for one in period.contexts
            ),
        )
        for period in policy_set().contexts
    )
    return used_policy_set(renewed(contexts=periods))


def renewed(**changes: object) -> PolicySet:
    """Return the policy set in use with other fields."""
    return replace(policy_set(), **changes, _rules={}, _days={})
