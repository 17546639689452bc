"""The check of a proof in Chromium, on the page and under its Content-Security-Policy."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import ANOTHER, PATIENT
from tests.support.proof_vectors import FOLDER, assert_verdict
from tests.support.visitors import PHONE, Visitor, download_file, open_visitor
from tests.support.witness_process import NAME

pytestmark = pytest.mark.browser

VERIFY = """async (vectors) => {
    const { verifyProof } = await import("/static/journal/proof_verifier.js");
    const verdicts = {};
    for (const [name, { text, proof, key, witnesses }] of Object.entries(vectors)) {
        try {
            verdicts[name] = { code: "verified", ...await verifyProof(text ?? JSON.stringify(proof), { key, witnesses }) };
        } catch (error) {
            verdicts[name] = { code: error.code, ...error.details };
        }
    }
    return verdicts;
}"""


async def test_chromium_gives_the_verdict_of_each_vector(demo: DemoServer, browser: Browser) -> None:
    vectors = {path.stem: json.loads(path.read_text("ascii")) for path in FOLDER.glob("*.json")}
    async with open_visitor(browser, demo.base, "en") as patient:
        await patient.sign_in(PATIENT)
        await patient.open("/log/proof")
        found = await patient.page.evaluate(VERIFY, vectors)
        assert patient.console_errors == []
    for name, vector in vectors.items():
        assert_verdict(vector, found[name], name)


async def prepare_proof(visitor: Visitor) -> None:
    """Ask for a proof in the portal, and wait until the page shows without a reload that it is ready."""
    await visitor.open("/log/proof")
    await visitor.page.get_by_role("button", name="Prepare").click()
    await visitor.button("Check the proof").wait_for()


async def test_patient_checks_the_proof_on_its_page_with_the_witness_and_offline(
    demo: DemoServer, browser: Browser, tmp_path: Path
) -> None:
    async with open_visitor(browser, demo.base, "en", viewport=PHONE) as patient:
        await patient.sign_in(PATIENT)
        await prepare_proof(patient)
        await patient.button("Check the proof").click()
        await patient.page.get_by_text("Your access history is complete and unaltered.").wait_for()
        shown = await patient.page.locator("#check-result").inner_text()
        assert f"{NAME}: the first " in shown
        proof = await download_file(patient, patient.link("Download the proof"), tmp_path)
        entries = len(json.loads(proof.read_text("utf-8"))["entries"])
        assert f"Entries\n{entries}\n" in shown.replace("\u202f", "")

        await patient.page.context.set_offline(True)
        chooser = patient.page.locator("[data-check-file]")
        await chooser.set_input_files(proof)
        await patient.page.get_by_text("Your access history is complete and unaltered.").wait_for()
        changed = json.loads(proof.read_text("utf-8"))
        changed["entries"][2]["type"] = "access.another"
        proof.write_text(json.dumps(changed), "utf-8")
        await chooser.set_input_files(proof)
        await patient.page.get_by_text("Entry 3 was changed, or is not in the sealed log.").wait_for()
        assert not await patient.page.get_by_text("Your access history is complete and unaltered.").is_visible()
        assert [text for text in patient.console_errors if "ERR_INTERNET_DISCONNECTED" not in text] == []


async def test_saved_proof_of_another_person_is_named_as_that(
    demo: DemoServer, browser: Browser, tmp_path: Path
) -> None:
    async with open_visitor(browser, demo.base, "en") as one, open_visitor(browser, demo.base, "en") as other:
        await one.sign_in(PATIENT)
        await prepare_proof(one)
        proof = await download_file(one, one.link("Download the proof"), tmp_path)
        await other.sign_in(ANOTHER)
        await other.open("/log/proof")
        await other.page.locator("[data-check-file]").set_input_files(proof)
        await other.page.get_by_text("This proof is about another person.").wait_for()
        assert other.console_errors == []


async def test_browser_without_the_kind_of_signature_is_pointed_to_the_program(
    demo: DemoServer, browser: Browser
) -> None:
    async with open_visitor(browser, demo.base, "en") as patient:
        await patient.page.add_init_script(
            "const found = crypto.subtle.importKey.bind(crypto.subtle);"
            "crypto.subtle.importKey = (format, key, algorithm, ...more) => algorithm.name === 'Ed25519'"
            " ? Promise.reject(new DOMException('unknown', 'NotSupportedError'))"
            " : found(format, key, algorithm, ...more);"
        )
        await patient.sign_in(PATIENT)
        await prepare_proof(patient)
        await patient.button("Check the proof").click()
        await patient.page.get_by_text("This browser cannot check this kind of signature.").wait_for()
        assert await patient.link("Download the verification program").is_visible()
