"""The settings of access control."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """`identity_key`: file of the key that signs id tokens; empty: one made under `data`.

    `policy_set`: the rules of the country: the name of a packaged set, or the path of a folder (docs/access-
    matrix.md).
    """

    identity_key: str = ""
    policy_set: str = "lu-2026"
