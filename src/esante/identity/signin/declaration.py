"""Declaration of signing in."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import KeptData, NavigationItem, NoticeKind, Platform, Service, Task
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.identity.signin.accounts.holders import Holders
from esante.identity.signin.accounts.service import Accounts
from esante.identity.signin.accounts.sessions import OwnSessions
from esante.identity.signin.activation.codes import Activation
from esante.identity.signin.ceremonies import Ceremonies
from esante.identity.signin.cli import operator
from esante.identity.signin.model import CodePurpose, PasskeyAdded, SignInCodeIssued
from esante.identity.signin.pages.account import AccountPages
from esante.identity.signin.pages.operator import PLACE, OperatorPages
from esante.identity.signin.pages.sign_in import SignInPages
from esante.identity.signin.passkeys.relying_party import RelyingParty
from esante.identity.signin.passkeys.service import Passkeys
from esante.identity.signin.providers.configuration import read_providers
from esante.identity.signin.providers.service import Providers
from esante.identity.signin.settings import SignInSettings


def _build(platform: Platform) -> Iterable[object]:
    db, journal, access = platform.db, platform.journal, platform[Access]
    base_url = RelyingParty(platform.settings.base_url).origin
    yield (ceremonies := Ceremonies(db, access))
    yield (holders := Holders(db, platform[Directory]))
    yield (passkeys := Passkeys(db, journal, access, holders, ceremonies, base_url))
    yield (activation := Activation(db, journal, access, holders, ceremonies, passkeys))
    yield Accounts(db, journal, access, holders, activation, base_url)
    providers = read_providers(platform.settings.of(SignInSettings).signin_providers)
    yield Providers(access, platform[Directory], holders, ceremonies, providers, platform.settings.base_url)
    yield OwnSessions(db, journal, access.sessions)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, directory = platform[Access], platform[Directory]
    passkeys, activation = platform[Passkeys], platform[Activation]
    return [
        *SignInPages(access, directory, platform[Holders], passkeys, activation, platform[Providers]).routes(),
        *AccountPages(access, passkeys, platform[OwnSessions]).routes(),
        *OperatorPages(access, directory, platform[Accounts], activation, passkeys).routes(),
        Mount("/static/signin", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


def _tasks(platform: Platform) -> list[Task]:
    async def tidy() -> None:
        await platform[Ceremonies].tidy()
        await platform[Activation].tidy()

    return [Task(name="sign-ins that were not finished", run=tidy, every=timedelta(hours=1))]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Accounts].count_waiting(requester)


SERVICE = Service(
    package="esante.identity.signin",
    settings=SignInSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        *(
            NavigationItem(role=role, url="/account", label=N_("Sign-in and devices"), menu=True)
            for role in ("patient", "practitioner", "operator")
        ),
        NavigationItem(role="practitioner", url="/workplace", label=N_("Workplace"), menu=True),
        NavigationItem(
            role="operator", url=PLACE, label=P_("menu", "Accounts"), icon="key", order=47, waiting=_waiting
        ),
    ],
    kept=[
        KeptData(
            what=N_("Your passkeys: their names, their public keys, and when you added and last used each"),
            why=N_("So that you can sign in, and nobody else as you."),
        ),
        KeptData(
            what=N_("Where you are signed in: since when, with which browser and system"),
            why=N_("So that you see and end sessions that are not yours."),
        ),
    ],
    notices=[
        NoticeKind(
            name="passkey_added",
            event=PasskeyAdded,
            text=N_("A passkey was added to your account. If it was not you, contact the helpdesk at once."),
            icon="key",
            tone="act",
            link="/account",
            contact=True,
            applies=lambda entry: True,
        ),
        NoticeKind(
            name="recovery_code",
            event=SignInCodeIssued,
            text=N_(
                "A code to recover your account was sent to you. If you did not ask for it, contact the helpdesk."
            ),
            icon="letter",
            tone="warn",
            link="/account",
            contact=True,
            urgent=True,
            applies=lambda entry: entry.event.purpose == CodePurpose.RECOVERY,
        ),
    ],
    commands=[operator],
)
