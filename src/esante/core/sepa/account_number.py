"""Account numbers (IBAN, ISO 13616)."""

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from esante.core.web import N_, bad_request

_MAX_TYPED = 60
"""Characters of an IBAN as it is typed, with blanks."""


def parse_iban(text: str) -> str:
    """Return an IBAN without blanks, its check digits and those of its country right.

    Raises: `Problem` 400 for what is none, or of a country outside of the euro payments area (SEPA).
    """
    try:
        iban = IBAN(text, validate_bban=True) if len(text) <= _MAX_TYPED else None
    except (SchwiftyException, ValueError):
        iban = None
    if iban is None or not iban.in_sepa_zone:
        raise bad_request(
            "iban",
            N_("This is not an account number (IBAN) in the euro payments area."),
            N_("Copy it from your bank statement. It begins with two letters, in Luxembourg with LU."),
            code="value",
        )
    return str(iban.compact)
