"""Notices of what concerns an entry of the directory that was merged."""

from esante.core.journal import Actor
from esante.identity.directory import Directory
from esante.identity.directory.merging.service import Merging
from esante.services.notices import Notices
from tests.identity.directory.merging.test_service import ONE, TWO, a_local_number
from tests.services.notices.test_service import deposits, follow, tell
from tests.support.declared import NOTICE_KINDS
from tests.support.directory_entries import a_person


async def test_notice_goes_to_the_surviving_entry_and_both_are_told_of_the_merge(db, journal):
    directory = Directory(db, journal)
    notices = Notices(db, journal, NOTICE_KINDS, directory.merges)
    merging = Merging(db, journal, directory)
    surviving = await directory.register_person(a_person(family="Told"))
    losing = await directory.register_person(a_person(family="Told", identifiers=(a_local_number(),)))
    merge = await merging.propose(ONE, losing.id, surviving.id, "Same person")
    await merging.confirm(TWO, merge.id)
    await tell(journal, losing.id, *deposits(1))
    own = Actor(kind="patient", id=surviving.id, name="Told")
    for event in deposits(1):
        await journal.append(event, person_id=losing.id, actor=own)
    await journal.sealer.seal_all()
    await follow(db, notices)

    async def kinds(person):
        return sorted(notice.kind.name for notice in (await notices.page(person.id)).items)

    assert await kinds(surviving) == ["deposited", "persons_merged"]
    assert await kinds(losing) == ["persons_merged"]
