"""Settings of the SOC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """Settings of the intake.

    soc_rules        folder of the Sigma rules that the stream is matched with; empty: none
    soc_certificate  file of the server's certificate, with those of its issuers (PEM)
    soc_key          file of its private key (PEM)
    """

    soc_rules: str = ""
    soc_certificate: str = ""
    soc_key: str = ""
