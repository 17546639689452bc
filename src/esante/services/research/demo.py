"""Demonstration data: an invented researcher with a key, a data permit, and an application that waits."""

from pathlib import Path

from esante.contract import DemoCountry, Platform
from esante.core.storage import read_or_create_key, uuid7
from esante.core.types import Progress
from esante.identity.access import Requester
from esante.services.research.accounts.model import Account, AccountChange, AccountStatus
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.model import ApplicationState, Content, Decision
from esante.services.research.applications.service import Applications

_RESEARCHER = ("Rita Recherche", "Institut de recherche fictif", "researcher@example.lu")
"""The researcher whose key is kept: name, organisation, email."""
_OPERATORS = ("Olivia Opérateur", "Oskar Operator")
_GRANTED = Content(
    title="Hémoglobine et âge",
    summary="Nous étudions comment l’hémoglobine change avec l’âge, pour reconnaître plus tôt les anémies.",
    purpose="research",
    aim="Estimer la distribution de l’hémoglobine par décennie de naissance et par sexe.",
    necessity="La distribution par âge demande une ligne par résultat ; ni noms ni jours ne sont nécessaires.",
    safeguards="Seule la personne nommée travaille avec les données, dans l’environnement sécurisé.",
    columns={
        "laboratory.result": frozenset({"system", "code", "value", "unit", "month"}),
        "population.person": frozenset({"sex", "birth_decade"}),
    },
    months=12,
    lawful=True,
)
_WAITING = Content(
    title="Couverture vaccinale par canton",
    summary="Nous voulons savoir dans quels cantons moins de personnes sont vaccinées contre la grippe.",
    purpose="research",
    aim="Comparer la couverture vaccinale des cantons, pour mieux informer la population.",
    necessity="La comparaison demande une ligne par dose et le canton de la personne.",
    safeguards="Seule la personne nommée travaille avec les données, dans l’environnement sécurisé.",
    columns={
        "vaccination.dose": frozenset({"code", "month"}),
        "population.person": frozenset({"canton", "birth_decade"}),
    },
    months=6,
    lawful=True,
)


def researcher_key_path(data: Path) -> Path:
    """Return the file with the access key of the demo's researcher, in a data folder."""
    return data / "demo" / "keys" / "demo-researcher.key"


async def load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Load the invented researcher; what is there already stays, what was broken off goes on."""
    operators = [Requester(kind="operator", id=uuid7(), name=name) for name in _OPERATORS]
    researcher = (await _load_account(platform, operators[0])).requester()
    applications, decisions = platform[Applications], platform[Decisions]
    own = {one.application.content.title: one.application for one in (await applications.own(researcher)).items}
    for content in (_GRANTED, _WAITING):
        found = own.get(content.title) or await applications.save(researcher, None, content)
        if found.state is ApplicationState.DRAFT:
            found = await applications.submit(researcher, found.application_id)
        if content is _GRANTED and found.state is ApplicationState.SUBMITTED:
            decision = Decision(grants=True, columns=content.columns, months=content.months)
            await decisions.propose(operators[0], found.application_id, decision)
        if content is _GRANTED and found.state in (ApplicationState.SUBMITTED, ApplicationState.PROPOSED):
            await decisions.confirm(operators[1], found.application_id)
    progress(1, 1, "researchers")


async def _load_account(platform: Platform, operator: Requester) -> Account:
    """Return the accepted account of the researcher; its access key is in the data folder."""
    accounts, path = platform[Accounts], researcher_key_path(platform.settings.data)
    name, organization, email = _RESEARCHER
    found = (await accounts.search(operator, email)).items
    if found:
        account = found[0]
        key = "" if path.exists() else await accounts.replace_key(account.requester())
    else:
        account, key = await accounts.register(name, organization, email, "127.0.0.1")
    read_or_create_key(path, key.encode)
    if account.status is AccountStatus.REGISTERED:
        account = await accounts.change(operator, account.account_id, AccountChange.ACCEPTANCE)
    return account
