"""The objects of signing in over the small platform of the tests of access, and browsers with passkeys."""

# ruff: noqa: F811 - fixtures of another package are imported
from dataclasses import dataclass, replace

import pytest

from esante.identity.access import Requester
from esante.identity.access.authn import attempt_store
from esante.identity.access.authn.requesters import principal_of
from esante.identity.directory import Directory
from esante.identity.signin import Accounts, Activation, Ceremonies, Holders, OwnSessions, Passkeys, Providers
from esante.identity.signin.pages.account import AccountPages
from esante.identity.signin.pages.operator import OperatorPages
from esante.identity.signin.pages.sign_in import SignInPages
from tests.identity.access.conftest import access, directory, house  # noqa: F401 - fixtures
from tests.support.authentications import with_passkey
from tests.support.signed_in_pages import BASE, application_of, browsers_of
from tests.support.soft_authenticator import SoftAuthenticator

RP_ID = "esante.example"


@dataclass
class SignIn:
    """The objects, and browsers."""

    access: object
    directory: Directory
    passkeys: Passkeys
    activation: Activation
    accounts: Accounts
    holders: Holders
    ceremonies: Ceremonies
    sessions: OwnSessions
    visit: object
    doctor: Requester

    async def browser(self, requester=None, **how):
        """A browser; with a requester signed in just now, with a passkey unless `how` says otherwise."""
        browser = await self.visit()
        if requester is not None:
            found = with_passkey(requester)
            found = replace(found, authentication=replace(found.authentication, **how))
            value = await self.access.sessions.create(principal_of(found))
            browser.http.cookies.set("__Host-esante_session", value)
        return browser

    async def enrolled(self, house, holder=None):
        """A person with a passkey: (requester, authenticator, browser that is signed in)."""
        patient = holder or await house.open_patient()
        code = await self.activation.issue_first(house.operator, self.holder(patient))
        browser = await self.visit()
        number = await self.number(house, patient)
        device = await self.enrol(browser, code, number)
        return patient, device, browser

    async def number(self, house, patient):
        found = await self.holders.identifiers(patient.kind, patient.id)
        return next(iter(found), "")

    @staticmethod
    def holder(requester):
        from esante.identity.signin.accounts.holders import holder_of

        return holder_of(requester)

    async def enrol(self, browser, code, number, status=303, **changes):
        """Enter a code and add the first passkey; return its authenticator."""
        answer = await browser.http.post("/activate", data={"code": code, "number": number})
        assert answer.status_code == 303, answer.text
        page = await browser.get("/activate/passkey")
        (form,) = page.xpath("//form[@data-passkey='create']")
        device = SoftAuthenticator(BASE, RP_ID)
        passkey = device.create(form.get("data-options"), **changes)
        answer = await browser.http.post("/activate/passkey", data={"passkey": passkey, "name": "My phone"})
        assert answer.status_code == status, answer.text
        return device

    async def options(self, browser, token=""):
        """The options for a signature."""
        headers = {"x-csrf-token": token} if token else {}
        answer = await browser.http.post("/signin/passkey/options", data={}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def sign_in(self, browser, device, to="/", **changes):
        """Sign in with a passkey; return the response."""
        passkey = device.sign(await self.options(browser), **changes)
        return await browser.http.post("/signin/passkey", data={"passkey": passkey, "next": to})


@pytest.fixture
async def provider_settings():
    """The sign-in services of the application, by their keys."""
    return {}


@pytest.fixture
async def signin(db, journal, access, directory, house, provider_settings):
    await db.fetch(f"DELETE FROM {attempt_store.ATTEMPT.name}")
    ceremonies, holders = Ceremonies(db, access), Holders(db, directory)
    passkeys = Passkeys(db, journal, access, holders, ceremonies, BASE)
    activation = Activation(db, journal, access, holders, ceremonies, passkeys)
    accounts = Accounts(db, journal, access, holders, activation, BASE)
    providers = Providers(access, directory, holders, ceremonies, dict(provider_settings), BASE)
    sessions = OwnSessions(db, journal, access.sessions)
    routes = [
        *SignInPages(access, directory, holders, passkeys, activation, providers).routes(),
        *AccountPages(access, passkeys, sessions).routes(),
        *OperatorPages(access, directory, accounts, activation, passkeys).routes(),
    ]
    async with browsers_of(application_of(access, routes)) as visit:
        yield SignIn(
            access, directory, passkeys, activation, accounts, holders, ceremonies, sessions, visit, house.doctor
        )
