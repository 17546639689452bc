"""Who asks abroad: a professional of the directory, as the assertions and the documents name them."""

from dataclasses import dataclass

from esante.core.time_zone import today
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, Organization, Practitioner
from esante.services.exchange.assertions.issuer import Requesting
from esante.services.exchange.assertions.rules import Act, AssertionRules
from esante.services.exchange.country_b.dispensation import Dispenser
from esante.services.exchange.country_b.terms import EncounterTerms, terms_on

NOT_ALLOWED = N_("Your profession cannot ask other countries for documents.")


@dataclass(frozen=True, slots=True)
class Asking:
    """A professional who may ask abroad, with the organisation for which they act. `role`: a code of ISCO-08."""

    requester: Requester
    practitioner: Practitioner
    organization: Organization | None
    role: str
    terms: EncounterTerms
    home: str
    country: str

    @property
    def number(self) -> str:
        """The identifier by which the professional is known."""
        return _number(self.practitioner)

    def requesting(self, act: Act, purpose: str, rules: AssertionRules) -> Requesting:
        """Return who asks, as the assertion about them says it; permissions are those that the act needs."""
        organization = self.organization
        kind = organization.kind if organization else ""
        name = organization.name if organization else self.requester.name
        return Requesting(
            name_id=f"{self.number}@{self.home}",
            name=self.requester.name,
            role=self.role,
            facility_type=self.terms.facilities.get(kind, "Other"),
            locality=(organization.address.city if organization else "") or name,
            organization=name,
            organization_id=f"urn:hl7ii:{self.home}:{_number(organization) if organization else self.number}",
            purpose=purpose,
            authentication=self.terms.authentication,
            permissions=rules.permissions[act],
        )

    @property
    def author(self) -> tuple[str, str]:
        """The professional (XCN) and the organisation (XON), as registries write them."""
        who, organization = self.practitioner, self.organization
        xcn = f"{self.number}^{_plain(who.family)}^{_plain(' '.join(who.given))}^^^^^^&{self.home}&ISO"
        number = _number(organization) if organization else self.number
        name = _plain(organization.name if organization else self.requester.name)
        return xcn, f"{name}^^^^^&{self.home}&ISO^^^^{number}"

    @property
    def dispenser(self) -> Dispenser:
        """The professional as the author of a dispensation."""
        organization = self.organization
        return Dispenser(
            name=self.requester.name,
            given=" ".join(self.practitioner.given),
            family=self.practitioner.family,
            number=self.number,
            role=self.role,
            organization=organization.name if organization else self.requester.name,
            organization_number=_number(organization) if organization else self.number,
            home=self.home,
            country=self.country,
        )


def may_ask(requester: Requester) -> bool:
    """Return whether somebody may ask abroad: a professional in person, of a profession that other countries know."""
    known = requester.profession in terms_on(today()).roles
    return requester.kind == "practitioner" and requester.delegate is None and known


def may_dispense(requester: Requester) -> bool:
    """Return whether somebody dispenses medicines."""
    return may_ask(requester) and requester.profession in terms_on(today()).dispensers


async def asking(directory: Directory, requester: Requester, country: str, home: str) -> Asking:
    """Return a requester as who asks abroad. Raises: `Problem` 403."""
    practitioner = await directory.practitioner(requester.id) if may_ask(requester) else None
    if practitioner is None:
        raise Problem(403, "forbidden", NOT_ALLOWED)
    organization = await directory.organization(requester.organization_id) if requester.organization_id else None
    terms = terms_on(today())
    return Asking(requester, practitioner, organization, terms.roles[requester.profession], terms, home, country)


def _number(holder: Practitioner | Organization) -> str:
    return _plain(holder.identifiers[0].value) if holder.identifiers else str(holder.id)


def _plain(text: str) -> str:
    """Return a text without the characters that separate the parts of HL7 version 2."""
    return "".join(" " if char in "^&|~\\" else char for char in text)
