"""The agency that runs the installation, as pages and messages name it: settings, and no part of a message."""

from dataclasses import dataclass, fields

from esante.settings import PerLanguage, read_settings

FICTITIOUS = "Agence Fictive"
"""The agency of an installation without settings: its name says that it does not exist."""

_ELIDED = ("’", "'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """Who runs the installation, and how people reach them. A text may differ by language (`PerLanguage`).

    agency_name                    the name as it stands alone
    agency_article                 what stands before the name in a sentence, in the nominative
    agency_address                 the postal address
    record_name                    what the country calls the shared care record
    bulletin_name                  what it calls the statistical bulletin
    helpdesk_mail, helpdesk_phone, helpdesk_hours
    data_protection_contact        whom to ask about personal data (GDPR, article 13(1)(b))
    data_protection_authority      where to complain about their use (article 77)
    accessibility_authority        where to complain about barriers (Directive (EU) 2016/2102, article 9)

    In messages `%(agency)s` is the name with its article.
    Raises: ValueError for a text with a percent sign, which messages could not hold.
    """

    agency_name: PerLanguage = PerLanguage(FICTITIOUS)
    agency_article: PerLanguage = PerLanguage("fr=l’; de=die; lb=d’")
    agency_address: PerLanguage = PerLanguage("1, rue de l’Exemple, L-0000 Luxembourg")
    record_name: PerLanguage = PerLanguage(
        "fr=Dossier de soins partagé; de=Elektronische Gesundheitsakte; en=Shared care record;"
        "lb=Dossier de soins partagé"
    )
    bulletin_name: PerLanguage = PerLanguage("Cahier eSanté")
    helpdesk_mail: str = "helpdesk@agency.example"
    helpdesk_phone: str = "+352 00 00 00 00"
    helpdesk_hours: PerLanguage = PerLanguage(
        "fr=du lundi au vendredi, de 8 h à 18 h; de=Montag bis Freitag, 8 bis 18 Uhr;"
        "en=Monday to Friday, 8 am to 6 pm; lb=méindes bis freides, 8 bis 18 Auer"
    )
    data_protection_contact: PerLanguage = PerLanguage("data-protection@agency.example")
    data_protection_authority: PerLanguage = PerLanguage(
        "fr=Autorité fictive de protection des données; de=Fiktive Datenschutzbehörde;"
        "en=Fictitious data protection authority; lb=Fiktiv Autoritéit fir den Dateschutz"
    )
    accessibility_authority: PerLanguage = PerLanguage(
        "fr=Autorité fictive de l’accessibilité; de=Fiktive Stelle für Barrierefreiheit;"
        "en=Fictitious accessibility authority; lb=Fiktiv Autoritéit fir d’Accessibilitéit"
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            if "%" in getattr(self, one.name):
                raise ValueError(f"ESANTE_{one.name.upper()} must not have a percent sign")

    @property
    def is_fictitious(self) -> bool:
        """Whether the agency was not named in the settings."""
        return self.agency_name == FICTITIOUS

    @property
    def helpdesk(self) -> str:
        """How to reach the helpdesk, on one line."""
        return ", ".join(part for part in (self.helpdesk_mail, self.helpdesk_phone) if part)

    def in_sentence(self, language: str) -> str:
        """Return the name with its article, for the middle of a sentence."""
        article, name = self.agency_article.of(language), self.agency_name.of(language)
        return f"{article}{'' if article.endswith(_ELIDED) else ' '}{name}".strip()


class _Current:
    """The agency of this process; None until it is first asked for."""

    agency: Agency | None = None


def use_agency(agency: Agency) -> None:
    """Have the pages and messages of this process name an agency."""
    _Current.agency = agency


def current_agency() -> Agency:
    """Return the agency of this process."""
    if _Current.agency is None:
        _Current.agency = read_settings(Agency)
    return _Current.agency
