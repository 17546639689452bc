"""Profiles: rules of implementation guides that go beyond R4, compiled to one file that ships in the wheel.

`tools/build_fhir_profiles.py` writes `profiles.bin` from the packages in package.json. It is read when a profile is
first needed, and of it only what that profile needs.

- `profile_headers()`: every known profile; `resolve_profile(profile)`: URL and type of one.
- `check_profile(resource, url)`: the rules that a resource breaks; `describe_unchecked_rules(url)`: those not checked.
- `check_values(top, values)`: the rules that extensions and other values inside a resource break.
- `part_names(url)`: the parts of a complex extension.
- `count_rules(url)`: the number of rules.
"""

from esante.core.fhir.profiles.definitions import (
    R4_PACKAGE,
    ProfileHeader,
    UnknownProfile,
    part_names,
    profile_headers,
    resolve_profile,
)
from esante.core.fhir.profiles.expected_values import ElementValue
from esante.core.fhir.profiles.profile_validator import (
    ProfiledValue,
    check_profile,
    check_values,
    count_rules,
    describe_unchecked_rules,
)

__all__ = [
    "R4_PACKAGE",
    "ElementValue",
    "ProfileHeader",
    "ProfiledValue",
    "UnknownProfile",
    "check_profile",
    "check_values",
    "count_rules",
    "describe_unchecked_rules",
    "part_names",
    "profile_headers",
    "resolve_profile",
]
