"""The settings of signing in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """`signin_providers`: the file that names the sign-in services (docs/operations.md); empty: none."""

    signin_providers: str = ""
