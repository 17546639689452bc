"""Who acts for a biller: themselves, those to whom they delegated, the software of where they work."""

from dataclasses import replace
from uuid import UUID

from esante.core.storage import parse_uuid
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access import Requester, delegate_requester
from esante.identity.directory import Directory, Practitioner
from esante.services.billing.note.rules import may_act_as_biller, organizations_in_force


class BillingTeam:
    """The teams of all billers; a member is somebody with a delegation of the directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def acting(self, requester: Requester, ehealth_id: str) -> tuple[Requester, Practitioner]:
        """Return the biller with an eHealth number, and the requester as who acts for them.

        A member acts in the name of the biller. Raises: Problem 404 when there is no such biller, or the requester may
        not act for them.
        """
        uri = self._directory.catalogue.system("ehealth_id").uri
        biller = await self._directory.find_practitioner(uri, ehealth_id) if _is_number(ehealth_id) else None
        if biller is None:
            raise _not_found()
        if may_act_as_biller(requester, biller.id, organizations_in_force(biller, today())):
            return requester, biller
        if requester.kind == "practitioner" and requester.patient is None:
            for one in await self._directory.delegations.of_delegate(requester.id, today()):
                if one.professional_id == biller.id:
                    return await self._in_the_name_of(requester, biller, one.organization_id), biller
        raise _not_found()

    async def _in_the_name_of(self, requester: Requester, biller: Practitioner, organization_id: UUID) -> Requester:
        member = await self._directory.practitioner(requester.id)
        organization = await self._directory.organization(organization_id)
        if member is None or organization is None:
            raise _not_found()
        acting = delegate_requester(member, biller, organization)
        return replace(
            acting,
            client=requester.client,
            client_id=requester.client_id,
            scopes=requester.scopes,
            origin=requester.origin,
        )

    async def members(self, requester: Requester, ehealth_id: str) -> list[Practitioner]:
        """Return to a biller the members of their team. Raises: Problem 404 to everybody else."""
        biller = await self._own(requester, ehealth_id)
        found = await self._directory.delegations.of_professional(biller.id, today())
        known = await self._directory.practitioners({one.delegate_id for one in found})
        return sorted(known.values(), key=lambda one: (one.name, one.id))

    async def add(self, requester: Requester, ehealth_id: str, identifier: str) -> None:
        """Let somebody act for a biller where both work; `identifier`: their eHealth number, or key in the directory.

        Raises: Problem 404 as `members` and for an unknown member, 400 where they work nowhere together.
        """
        biller, member = await self._own(requester, ehealth_id), await self._member(identifier)
        together = organizations_in_force(biller, today()) & organizations_in_force(member, today())
        if requester.organization_id in together:
            together &= {requester.organization_id}
        if not together or member.id == biller.id:
            title = N_("A delegation is between two people who work at the same organisation.")
            raise bad_request("identifier", title, N_("Choose an organisation where both work."), code="value")
        for organization_id in sorted(together):
            await self._directory.delegations.add(
                member, biller, organization_id, today(), actor=requester.actor, origin=requester.origin
            )

    async def remove(self, requester: Requester, ehealth_id: str, identifier: str) -> None:
        """End the delegation of a biller to somebody from today on. Raises: Problem 404 when there is none."""
        biller, member = await self._own(requester, ehealth_id), await self._member(identifier)
        await self._directory.delegations.end(
            member.id, biller.id, today(), actor=requester.actor, origin=requester.origin
        )

    async def member(self, requester: Requester, ehealth_id: str, identifier: str) -> Practitioner:
        """Return a member of a biller's team. Raises: Problem 404 when they are none."""
        member = await self._member(identifier)
        if member.id not in {one.id for one in await self.members(requester, ehealth_id)}:
            raise _not_found()
        return member

    async def _own(self, requester: Requester, ehealth_id: str) -> Practitioner:
        """Return the biller who the requester themselves are. Raises: Problem 404."""
        _, biller = await self.acting(requester, ehealth_id)
        if requester.id != biller.id or requester.delegate is not None:
            raise _not_found()
        return biller

    async def _member(self, identifier: str) -> Practitioner:
        if _is_number(identifier):
            uri = self._directory.catalogue.system("ehealth_id").uri
            found = await self._directory.find_practitioner(uri, identifier)
        else:
            try:
                found = await self._directory.practitioner(parse_uuid(identifier))
            except ValueError:
                found = None
        if found is None:
            raise _not_found()
        return found


def _is_number(text: str) -> bool:
    return len(text) == 10 and text.isascii() and text.isdigit()


def _not_found() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
