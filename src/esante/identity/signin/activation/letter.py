"""The letter that brings a code to its holder, as PDF/A and PDF/UA in their language."""

from datetime import datetime
from importlib.resources import files

import orjson

from esante.core.time_zone import day_of
from esante.core.web import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    N_,
    current_agency,
    show_date,
    translator,
    typeset_pdf,
)
from esante.identity.directory import Address, Person, Practitioner
from esante.identity.signin.model import CodePurpose

_BEFORE = {
    CodePurpose.ACTIVATION: (
        N_("With this code you activate your account and sign in for the first time."),
        N_("Open the address below, enter the code and your number, and follow the steps."),
    ),
    CodePurpose.RECOVERY: (
        N_("You told us that you can no longer sign in. With this code you set up a new passkey."),
        N_("Open the address below, enter the code and your number, and follow the steps."),
        N_("Your earlier passkeys will no longer work."),
    ),
}
_RIGHTS = (
    N_("When you activate your account, your health record is open to you at once."),
    N_(
        "You decide who sees your record. You can object to it or close it at any time, under Sharing. Under Access"
        " history you see who has viewed it."
    ),
)
_CARE = N_("Do not give this code to anybody. Staff of the helpdesk will never ask you for it.")


def language_for(holder: Person | Practitioner) -> str:
    """Return the first language of a holder in which the platform writes, else French."""
    return next((one[:2] for one in holder.languages if one[:2] in LANGUAGES), DEFAULT_LANGUAGE)


def letter_pdf(
    holder: Person | Practitioner,
    address: Address,
    code: str,
    purpose: CodePurpose,
    *,
    page: str,
    until: datetime,
    at: datetime,
) -> bytes:
    """Return the letter with a code; `page`: the address where it is entered. Raises: as `typeset_pdf`."""
    language, day = language_for(holder), day_of(at)
    gettext, agency = translator(language).gettext, current_agency()
    about_record = _RIGHTS if isinstance(holder, Person) and purpose is CodePurpose.ACTIVATION else ()
    helpdesk = gettext(N_("Questions? Helpdesk: %(phone)s, %(mail)s"))
    content = {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "day": show_date(day, language),
        "title": gettext(N_("Your activation code")),
        "agency": agency.agency_name.of(language),
        "sender": agency.agency_address.of(language),
        "address": [
            holder.name,
            *filter(None, (address.line, f"{address.postal_code} {address.city}".strip(), address.country)),
        ],
        "before": [gettext(text) for text in _BEFORE[purpose]],
        "code": code,
        "facts": [
            [gettext(N_("Address:")), page],
            [gettext(N_("Valid until:")), show_date(day_of(until), language)],
        ],
        "after": [
            *(gettext(text) for text in about_record),
            gettext(_CARE),
            helpdesk % {"phone": agency.helpdesk_phone, "mail": agency.helpdesk_mail},
        ],
    }
    template = files("esante.identity.signin") / "data" / "letter.typ"
    return typeset_pdf(template.read_bytes(), {"letter": orjson.dumps(content).decode()}, at)
