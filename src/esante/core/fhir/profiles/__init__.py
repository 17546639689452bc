"""Profiles: rules of implementation guides that go beyond R4, compiled to one file that ships in the wheel.

`tools/build_fhir_profiles.py` writes `profiles.bin` from the packages in package.json. It is read when a profile is
first asked for, and of it only what that profile needs.
"""

from esante.core.fhir.profiles.definitions import Head, UnknownProfile, heads, of_type
from esante.core.fhir.profiles.profile_validator import findings, rules, unchecked

__all__ = ["Head", "UnknownProfile", "findings", "heads", "of_type", "rules", "unchecked"]
