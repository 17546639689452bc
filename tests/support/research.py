"""Helpers of tests of secondary use: accounts, an application that lacks nothing, a permit."""

from dataclasses import replace

from esante.core.journal import Journal
from esante.identity.access import Requester
from esante.services.research import Permit
from esante.services.research.accounts.model import AccountChange
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.model import Content, Decision
from esante.services.research.applications.service import Applications

ORIGIN = "192.0.2.1"
COLUMNS = {
    "laboratory.result": frozenset({"code", "value", "unit"}),
    "population.person": frozenset({"sex", "birth_decade"}),
}
CONTENT = Content(
    title="Blood glucose and age",
    summary="We study how blood glucose changes with age, to find people at risk earlier.",
    purpose="research",
    aim="The study estimates the distribution of blood glucose by decade of birth and by sex.",
    necessity="The distribution by age needs one row for each result; names and days are not needed.",
    safeguards="Only the named people work with the data, in the environment of the access body.",
    columns=COLUMNS,
    months=12,
    lawful=True,
)
"""An application that lacks nothing."""


async def accepted(
    accounts: Accounts, operator: Requester, name: str, email: str, *, public_body: bool = False
) -> Requester:
    """Register a researcher, accept the account, and return them as a requester."""
    found, _ = await accounts.register(name, "University of Example", email, ORIGIN, public_body=public_body)
    await accounts.change(operator, found.account_id, AccountChange.ACCEPTANCE)
    return found.requester(ORIGIN)


async def submitted(applications: Applications, researcher: Requester, content: Content = CONTENT, **other: object):
    """Submit an application; return its id. `other`: what differs from `content`."""
    draft = await applications.save(researcher, None, replace(content, **other))
    await applications.submit(researcher, draft.application_id)
    return draft.application_id


async def granted(
    applications: Applications,
    decisions: Decisions,
    researcher: Requester,
    operators: tuple[Requester, Requester],
    content: Content = CONTENT,
) -> Permit:
    """Submit an application, and let two operators grant all of it; return the permit."""
    id_ = await submitted(applications, researcher, content)
    decision = Decision(grants=True, columns=content.columns, months=content.months)
    await decisions.propose(operators[0], id_, decision)
    permit = await decisions.confirm(operators[1], id_)
    assert permit is not None
    return permit


async def count_entries(journal: Journal, type_: str) -> int:
    """Return how many entries of a type the journal has."""
    found: int = await journal.db.fetchval("SELECT count(*) FROM journal_entry WHERE type = $1", type_)
    return found
