"""Hand-over: who may receive what, and what never leaves."""

import json
import zipfile
from io import BytesIO

import pytest

from esante.core.web import Problem
from esante.services.soc.alerts.model import Evidence, Origin
from esante.services.soc.cases.model import Tlp
from esante.services.soc.handover.recipients import handover_rules

SECRET = "SECRET-SUBJECT"


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def marked_case(world, name, tlp):
    """Return a case with a marking, and alerts of two origins."""
    tenant, contact = await world.member(name)
    evidence = (
        Evidence(field="SourceIp", value="192.0.2.7"),
        Evidence(field="User", value=SECRET),
        Evidence(field="CommandLine", value="vssadmin delete shadows"),
    )
    case = await world.case(tenant.tenant_id, "sigma", subject=SECRET, evidence=evidence, techniques=("T1490",))
    secret = (Evidence(field="SourceIp", value="198.51.100.9"),)
    [alert] = await world.raise_alerts(
        tenant.tenant_id, "health", subject=SECRET, evidence=secret, origin=Origin.HEALTH
    )
    await world.triage.join(world.anna, case.case_id, [alert.alert_id])
    await world.cases.change(world.anna, case.case_id, title=case.title, severity=3, tlp=tlp, playbook="")
    return case, contact


async def package(world, case, recipient="circl"):
    """Make a package; return its files by their ends."""
    made = await world.handovers.make(world.anna, case.case_id, recipient, "de")
    _, zipped = await world.handovers.read(world.anna, case.case_id, made.handover_id)
    with zipfile.ZipFile(BytesIO(zipped)) as archive:
        return {name.partition(".")[2]: archive.read(name) for name in archive.namelist()}


def test_no_recipient_may_receive_what_is_red_or_for_the_organisation_only():
    assert all(one.most.is_within(Tlp.AMBER) and not one.verified for one in handover_rules().recipient)


@pytest.mark.parametrize("tlp", ["amber+strict", "red"])
async def test_case_with_a_narrow_marking_is_not_handed_over(world, tlp):
    case, _ = await marked_case(world, f"Hôpital {tlp}", tlp)
    assert await world.handovers.recipients(world.anna, await world.cases.case(world.anna, case.case_id)) == []
    assert await refused(world.handovers.make(world.anna, case.case_id, "circl", "fr")) == 409
    assert await world.handovers.of_case(world.anna, case.case_id) == []
    assert not [one for one in await world.journalled("soc.case_handed_over") if str(case.case_id) in one]


async def test_notes_above_the_marking_internal_notes_and_subjects_never_leave(world):
    case, contact = await marked_case(world, "Hôpital B", "green")
    for tlp in Tlp:
        await world.cases.note(contact, case.case_id, f"A note that is {tlp.mark}.", tlp)
    await world.cases.note(world.anna, case.case_id, "An internal note.", "clear", is_internal=True)
    files = await package(world, case)
    content = json.loads(files["json"])
    assert [one["tlp"] for one in content["notes"]] == ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER"]
    for data in (files["json"], files["misp.json"]):
        assert SECRET.encode() not in data and b"internal" not in data and b"198.51.100.9" not in data
    assert [(one["type"], one["value"]) for one in content["indicators"]] == [
        ("ip-src", "192.0.2.7"),
        ("text", "vssadmin delete shadows"),
    ]
    assert files["pdf"].startswith(b"%PDF-") and len(content["evidence"]) == 2


async def test_event_of_misp_has_marking_techniques_and_attributes(world):
    case, _ = await marked_case(world, "Hôpital C", "amber")
    event = json.loads((await package(world, case))["misp.json"])["Event"]
    assert {one["name"] for one in event["Tag"]} == {"tlp:amber", 'misp-galaxy:mitre-attack-pattern="T1490"'}
    assert [(one["type"], one["to_ids"]) for one in event["Attribute"]] == [("ip-src", True), ("text", False)]
    assert event["threat_level_id"] == "1" and not event["published"]
    again = json.loads((await package(world, case))["misp.json"])["Event"]
    assert again["uuid"] == event["uuid"]


async def test_recipient_that_is_not_competent_is_refused(world):
    case, _ = await marked_case(world, "Cabinet D", "green")
    organization = await world.directory.organization(
        (await world.tenants.tenant(world.anna, case.tenant_id)).organization_id
    )
    expected = {"circl", "govcert"} if organization.kind == "hospital" else {"circl"}
    case = await world.cases.case(world.anna, case.case_id)
    assert {one.key for one in await world.handovers.recipients(world.anna, case)} == expected
    if organization.kind != "hospital":
        assert await refused(world.handovers.make(world.anna, case.case_id, "govcert", "fr")) == 409
    assert await refused(world.handovers.make(world.anna, case.case_id, "nobody", "fr")) == 400


async def test_contact_makes_and_reads_no_package(world):
    case, contact = await marked_case(world, "Hôpital E", "clear")
    made = await world.handovers.make(world.anna, case.case_id, "circl", "fr")
    assert await refused(world.handovers.make(contact, case.case_id, "circl", "fr")) == 403
    assert await refused(world.handovers.read(contact, case.case_id, made.handover_id)) == 403
    read = [one for one in await world.journalled("soc.case_handed_over") if made.sha256.hex() in one]
    assert len(read) == 1
