"""The platform without the demo, from an empty database: an operator by command, a person by letter, with passkeys."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pypdfium2
import pytest
from playwright.async_api import Browser

from tests.support.passkeys import add_authenticator
from tests.support.processes import Server, run_esante
from tests.support.visitors import PHONE, Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

CODE = re.compile(r"(?:[2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}")
MATRICULE = "1975052512347"


@pytest.fixture(scope="module")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server over an empty database, without the demo, at the address where passkeys work."""
    data = tmp_path_factory.mktemp("empty") / "data"
    server = Server(data)
    server.base = f"http://localhost:{server.port}"
    server.start()
    yield server
    server.stop()
    shutil.rmtree(data, ignore_errors=True)


async def activate(visitor: Visitor, code: str, number: str, name: str) -> None:
    """Enter a code, and make the first passkey."""
    await visitor.open("/signin")
    await visitor.page.locator("a[href='/activate']").click()
    await visitor.page.locator("[name=code]").fill(code.lower())
    await visitor.page.locator("[name=number]").fill(number)
    await visitor.page.locator("main form button").click()
    await visitor.page.wait_for_url("**/activate/passkey")
    await visitor.page.locator("[name=name]").fill(name)
    await visitor.page.locator("form[data-passkey] button").click()
    await visitor.page.wait_for_url(f"{visitor.base}/")


async def sign_in(visitor: Visitor) -> None:
    """Sign in with a passkey."""
    await visitor.open("/signin")
    await visitor.page.locator("form[data-passkey] button").click()
    await visitor.page.wait_for_url(f"{visitor.base}/")


async def register_person(operator: Visitor) -> None:
    """Register a person, by the form of the operator."""
    await operator.open("/operator/accounts/register")
    for name, value in {
        "given": "Léa",
        "family": "Neumann",
        "birth_date": "1975-05-25",
        "matricule": MATRICULE,
        "line": "2, rue du Test",
        "postal_code": "L-1234",
        "city": "Luxembourg",
    }.items():
        await operator.page.locator(f"[name={name}]").fill(value)
    await operator.page.locator("[name=sex]").select_option("female")
    await operator.page.locator("[name=language]").select_option("fr")
    await operator.page.locator("main form button").click()
    await operator.page.wait_for_url("**/motive?**")
    await operator.page.locator("[name=purpose]").first.check()
    await operator.page.locator("[name=reference]").fill("Courrier 1")
    await operator.page.locator("main form button").click()
    await operator.page.wait_for_url("**/operator/accounts/patient/**")


def code_of(pdf: Path) -> str:
    """Return the code in a letter."""
    document = pypdfium2.PdfDocument(pdf)
    found = CODE.search(document[0].get_textpage().get_text_bounded())
    assert found is not None
    return found[0]


async def test_person_enrols_from_an_empty_database(empty: Server, browser: Browser, tmp_path: Path) -> None:
    done = run_esante("operator", "invite", "Olga Weber", "--data", empty.data)
    code = CODE.search(done.stdout)
    assert code is not None
    async with (
        open_visitor(browser, empty.base, "de") as operator,
        open_visitor(browser, empty.base, "fr", viewport=PHONE) as person,
    ):
        await add_authenticator(operator)
        await activate(operator, code[0], "", "Büro")
        await register_person(operator)
        letter = await download_file(operator, operator.button("Make the activation letter"), tmp_path)

        device = await add_authenticator(person)
        await activate(person, code_of(letter), "1975 0525 12347", "Téléphone")
        assert "Léa Neumann" in await person.page.locator("main").inner_text()
        await person.open("/sharing")
        assert "Ouvert" in await person.text()
        await person.open("/account")
        shown = await person.text()
        assert "Téléphone" in shown and person.translate("this device") in shown

        await person.page.context.clear_cookies()
        await sign_in(person)
        assert "Léa Neumann" in await person.page.locator("main").inner_text()
        assert len(await device.credentials()) == 1
        assert (operator.console_errors, person.console_errors) == ([], [])
        assert code_of(letter) not in empty.log and MATRICULE not in empty.log

        key, _, name = run_esante("operator", "list", "--data", empty.data).stdout.strip().partition("  ")
        assert name.startswith("Olga Weber")
        assert run_esante("operator", "end", "x", "--data", empty.data, check=False).returncode == 1
        run_esante("operator", "end", key, "--data", empty.data)
        async with asyncio.timeout(30):
            while "/signin" not in operator.page.url:
                await operator.open("/operator/accounts")
