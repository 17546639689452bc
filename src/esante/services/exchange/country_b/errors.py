"""The names by which contact points say that something did not work, and what each means for an encounter."""

import re
from collections.abc import Sequence

from esante.core.xds import RegistryError
from esante.services.exchange.country_b.model import Outcome

INTEGRITY = "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"
NO_CONNECTION = "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE"
NO_ACKNOWLEDGEMENT = "ERROR_ED_EDISPENSATION_ACK_NOT_RECEIVED"
_NAME = re.compile(r"\b(?:ERROR|WARNING)_[A-Z]+_[A-Z_]+[A-Z]\b")
_NOT_FOUND = {
    "ERROR_PS_NOT_FOUND",
    "ERROR_EP_NOT_FOUND",
    "ERROR_GENERIC_DOCUMENT_MISSING",
    "XDSMissingDocument",
    *map(str, range(1100, 1105)),
}
_REFUSED = {
    "WARNING_PI_NO_CONSENT",
    "ERROR_PS_NO_CONSENT",
    "ERROR_EP_NO_CONSENT",
    "ERROR_HPI_GENERIC",
    "ERROR_HPI_NO_INFORMATION",
    "ERROR_HPI_INSUFFICIENT_INFORMATION",
    "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED",
    "InsufficientRights",
    "PatientAuthenticationRequired",
    "PrivacyViolation",
    "PolicyViolation",
    "1001",
    "1002",
    "4206",
    "4207",
    "4701",
    "4702",
    "4703",
    "4704",
    "4705",
    "4706",
}
_OF_DISCOVERY = {
    "ERROR_PI_NO_MATCH": Outcome.NO_MATCH,
    "ERROR_PI_MULTIPLE_MATCHES": Outcome.MULTIPLE,
    "ERROR_PI_INCORRECT_FORMATTING": Outcome.MORE_DATA,
    "ERROR_PI_MISSING_REQUIRED_FIELDS": Outcome.MORE_DATA,
    "AdditionalDemographicsRequested": Outcome.MORE_DATA,
    "DemographicsQueryNotAllowed": Outcome.MORE_DATA,
}
MAX_TEXT = 300
"""Characters of what a contact point says that are kept."""


def outcome_of_discovery(code: str, management: str) -> Outcome:
    """Return what a refusal of a discovery means: by its name, else by what its receiver should do."""
    for name in (code, management):
        if name in _OF_DISCOVERY:
            return _OF_DISCOVERY[name]
        if name in _REFUSED:
            return Outcome.REFUSED
    return Outcome.FAILED


def outcome_of_errors(errors: Sequence[RegistryError]) -> tuple[Outcome, str, str]:
    """Return what errors and warnings in an answer without documents mean: outcome, name, text.

    Countries say that there is nothing as a success or as a failure with a warning.
    """
    worst = next((one for one in errors if not one.is_warning), errors[0] if errors else None)
    if worst is None:
        return Outcome.FAILED, "ERROR_GENERIC", ""
    code, text = name_of(worst), worst.context[:MAX_TEXT]
    if code in _REFUSED:
        return Outcome.REFUSED, code, text
    if code in _NOT_FOUND or worst.is_warning:
        return Outcome.EMPTY, code, text
    return Outcome.FAILED, code, text


def name_of(error: RegistryError) -> str:
    """Return the name of an error: OpenNCP writes it as the code, or at the beginning of the context."""
    found = _NAME.search(error.code) or _NAME.search(error.context[:MAX_TEXT])
    return found[0] if found else error.code[:60]
