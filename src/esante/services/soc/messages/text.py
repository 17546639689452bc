"""What messages say: that something is to be done, and where it stands. Nothing of what happened, and of nobody."""

from esante.core.web import N_, current_agency, translator
from esante.services.soc.messages.model import Kind, Message

_SUBJECTS = {
    Kind.STEPS: N_("Security of your organisation: something is to be done (%(reference)s)"),
    Kind.LATE: N_("Security of your organisation: a step is late (%(reference)s)"),
}
_LINES = (
    N_("Please sign in and open this page. It says what happened and what to do now:"),
    "%(url)s",
    N_("Reference: %(reference)s"),
    N_("If you cannot sign in, call %(phone)s."),
    N_("This message contains nothing else. Nobody will ask you for a password."),
)
_EXERCISE = N_("EXERCISE")


def written(message: Message, base_url: str) -> tuple[str, str]:
    """Return subject and text of a message in the language of its contact."""
    agency, gettext = current_agency(), translator(message.language).gettext
    url = f"{base_url}/security"
    values = {"reference": message.reference, "url": url, "phone": agency.helpdesk_phone}
    subject = gettext(_SUBJECTS[message.kind]) % values
    if message.is_exercise:
        subject = f"{gettext(_EXERCISE)} – {subject}"
    lines = [gettext(line) % values for line in _LINES]
    return subject, "\n\n".join([*lines, agency.agency_name.of(message.language)]) + "\n"
