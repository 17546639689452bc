"""Profiles: rules of implementation guides that go beyond R4, compiled to one file that ships in the wheel.

`tools/build_fhir_profiles.py` writes `profiles.bin` from the packages in package.json. It is read when a profile is
first needed, and of it only what that profile needs.

- `profile_headers()`: every known profile; `resolve_profile(profile)`: URL and type of one.
- `check_profile(resource, url)`: the rules that a resource breaks; `describe_unchecked_rules(url)`: those not checked.
- `count_rules(url)`: the number of rules.
"""

from esante.core.fhir.profiles.definitions import ProfileHeader, UnknownProfile, profile_headers, resolve_profile
from esante.core.fhir.profiles.profile_validator import check_profile, count_rules, describe_unchecked_rules

__all__ = [
    "ProfileHeader",
    "UnknownProfile",
    "check_profile",
    "count_rules",
    "describe_unchecked_rules",
    "profile_headers",
    "resolve_profile",
]
