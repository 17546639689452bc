"""Who calls: by the bearer token of every other interface, or by an assertion that their hospital signed."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request

from esante.core import clock
from esante.core.soap import Message
from esante.core.storage import NIL
from esante.core.time_zone import day_of, today
from esante.core.web import N_, Problem, origin_of
from esante.identity.access import Access, Requester, delegate_requester, requester_of
from esante.identity.directory import Directory, Motive, Organization, Practitioner, current_motive
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.hospital.certificates import OrganizationCertificates
from esante.services.exchange.hospital.patients import Patients
from esante.services.exchange.hospital.users.rules import XuaRules, xua_rules_on
from esante.services.exchange.hospital.users.xua import NameId, User, assertion_of, read_user

_METHOD = "xua"


class Callers:
    """Finds the requester of a message; `audiences`: the names of this platform in assertions."""

    def __init__(
        self,
        access: Access,
        directory: Directory,
        certificates: OrganizationCertificates,
        patients: Patients,
        audiences: Sequence[str],
    ) -> None:
        self._access, self._directory, self._certificates = access, directory, certificates
        self._patients, self._audiences = patients, audiences

    async def caller(self, request: Request, message: Message, resource: str, letters: str) -> Requester:
        """Return the requester, who may use `letters` (SMART v2) of a resource.

        Raises: Problem 401 and 403 as every interface; 403 for an assertion that is refused, which is journalled.
        """
        if "authorization" in request.headers:
            if resource == "Patient" and "s" in letters:
                return await self._access.authorize_lookup(request, resource, letters)
            return await self._access.authorize(request, resource, letters)
        try:
            assertion = assertion_of(message.header)
            if assertion is None:
                return await self._access.authorize(request, resource, letters)
            now = clock.now()
            rules = xua_rules_on(day_of(now))
            user = read_user(assertion, self._audiences, rules, now)
            found = await self._recognize(user, rules, origin_of(request))
        except Refused as refused:
            await self._access.refuse_sign_in(method=_METHOD, reason=refused.cause.name, origin=origin_of(request))
            raise _not_accepted(refused.reason) from refused
        if resource == "Patient" and "s" in letters:
            await self._access.count_search(found)
        return found

    async def _recognize(self, user: User, rules: XuaRules, origin: str) -> Requester:
        organization = await self._certificates.owner(user.certificate)
        if organization is None:
            raise Refused(Cause.INTEGRITY, "the certificate of the signature is not registered here, or not any more")
        for one in user.organizations:
            named = await self._directory.find_organization(None, one)
            if named is not None and named.id != organization.id:
                raise Refused(Cause.RIGHTS, "the assertion names another organisation than that which signed it")
        if user.acts == "organization":
            found = requester_of(organization)
        else:
            found = await self._professional(user, organization, rules)
        signer = replace(found, client=user.issuer[:100], origin=origin)
        recognized = await self._access.recognize(signer)
        if recognized is None:
            raise Refused(Cause.RIGHTS, "the user is suspended, or not known any more")
        current_motive.set(Motive(user.purpose))
        if user.patient:
            person = await self._patients.find(recognized, user.patient)
            recognized = replace(recognized, patient=person.id if person else NIL)
        return recognized

    async def _professional(self, user: User, organization: Organization, rules: XuaRules) -> Requester:
        professional = await self._staff(user.name_id, organization, rules)
        if user.delegate is None or user.delegate == user.name_id:
            return requester_of(professional, organization)
        delegate = await self._staff(user.delegate, organization, rules)
        known = await self._directory.delegations.of_delegate(delegate.id, today())
        if (professional.id, organization.id) not in {(one.professional_id, one.organization_id) for one in known}:
            raise Refused(Cause.RIGHTS, "the user may not act in the name of the professional")
        return delegate_requester(delegate, professional, organization)

    async def _staff(self, name_id: NameId, organization: Organization, rules: XuaRules) -> Practitioner:
        system = rules.qualifiers.get(name_id.qualifier, name_id.qualifier) or None
        found = await self._directory.find_practitioner(system, name_id.value) if name_id.value else None
        day = today()
        roles = found.roles if found else ()
        if found is None or not any(one.organization_id == organization.id and one.is_in_force(day) for one in roles):
            raise Refused(Cause.RIGHTS, "the directory has no such professional at the organisation that signed")
        return found


def _not_accepted(reason: str) -> Problem:
    return Problem(
        403,
        "assertion-refused",
        N_("The assertion about the user was not accepted."),
        place="Header/Security/Assertion",
        remedy=N_("Send one that your organisation signed with its registered certificate for this platform."),
        detail=reason,
    )
