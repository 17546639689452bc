"""The settings of the SOC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SocSettings:
    """`soc_health`: whether the journal is searched for misuse of health data."""

    soc_health: bool = True
