"""Raw events and the OCSF events that they should become, as the OCSF project publishes them."""

import json
import re

from esante.services.soc import normalize

COMPARED = re.compile(
    r"class_uid|activity_id|type_uid|time|severity_id|status_id|(src|dst)_endpoint\.(ip|port)|(actor\.)?user\.(name|uid)"
    r"|metadata\.(uid|event_code)|api\.operation|query\.hostname|email\.(subject|message_uid)|entity\.(name|uid)"
    r"|finding_info\.uid"
)
"""What says which event it is, when, and between whom."""
OLDER_VERSION = {
    "AWS_v1.0.0-rc.2_CloudTrail_API Activity_samples_generic_api_activity": {
        "class_uid",
        "type_uid",
        "actor.user.uid",
    },
    "AWS_v1.0.0-rc.2_CloudTrail_Authentication_samples_authentication": {"actor.user.uid", "user.uid"},
    "AWS_v1.0.0-rc.2_Route53_samples_route53": {"activity_id", "type_uid"},
    "AWS_v1.0.0-rc.2_Security Hub_samples_Security Hub": {"class_uid", "activity_id", "type_uid"},
    "Falco_samples_falco": {"class_uid", "type_uid"},
    "IBM_QRadar SIEM_samples_offense": {"class_uid"},
}
"""Classes, activities and choices of ids that later versions of the schema and of the samples have otherwise."""
NOT_OF_THE_RAW_EVENT = {
    "GitHub_v1.3.0_Github Audit Logs_Account Change_samples_account_change": {"src_endpoint.ip"},
    "GitHub_v1.3.0_Github Audit Logs_Entity Management_samples_entity_management": {"metadata.event_code"},
    **{
        f"Microsoft_O365_Exchange_messagetrace_v1.4.0_samples_messagetrace_{kind}": {"metadata.uid"}
        for kind in ("Expanded", "FilteredAsSpam", "None", "Quarantined")
    },
    "Okta_v1.3.0_System Logs_Authentication_samples_authentication": {"metadata.event_code"},
    **{f"Zeek_v1.3.0_{kind}_log_samples_{kind}_log": {"time"} for kind in ("conn", "ftp", "rdp", "ssh")},
    "Zeek_v1.4.0_conn_log_samples_conn_log": {"time"},
}
"""What the expected event has and the raw event has not: made up ids, addresses, other times, a misspelling."""


def flat(value, prefix=""):
    found = {}
    for name, content in value.items():
        found |= flat(content, f"{prefix}{name}.") if isinstance(content, dict) else {f"{prefix}{name}": content}
    return found


def raw_event(path):
    """The first event of a raw file: JSON, a row under the names of its columns, or a line of text."""
    text = path.read_text("utf-8")
    if text.startswith("{"):
        return json.dumps(json.JSONDecoder().raw_decode(text)[0]).encode()
    if text.startswith("account_id,"):
        names, row = (line.split(",") for line in text.splitlines()[:2])
        return json.dumps(dict(zip(names, row, strict=True))).encode()
    return text.encode()


def expected_event(path):
    """The event that it should become; some of the files have commas before closing brackets, or further events."""
    text = re.sub(r",(\s*[}\]])", r"\1", path.read_text("utf-8"))
    return flat(json.JSONDecoder().raw_decode(text.strip())[0])


def seconds(milliseconds_or_seconds):
    return int(milliseconds_or_seconds / (1000 if milliseconds_or_seconds > 1e11 else 1))


def test_pairs_become_the_event_that_they_should_but_for_named_differences(shared_data, capsys):
    differences, pairs = {}, 0
    for path in sorted((shared_data / "ocsf").glob("*.raw")):
        pairs += 1
        event, expected = flat(normalize(raw_event(path))), expected_event(path.with_suffix(".ocsf"))
        found = set()
        for name, value in expected.items():
            got = event.get(name)
            if COMPARED.fullmatch(name) and (seconds(got or 0) != seconds(value) if name == "time" else got != value):
                found.add(name)
        if found:
            differences[path.stem] = found
    with capsys.disabled():
        print(f"\n{pairs - len(differences)} of {pairs} OCSF pairs agree; {len(OLDER_VERSION)} are of older versions,")
        print(f"{len(NOT_OF_THE_RAW_EVENT)} hold what the raw event has not:", *sorted(differences), sep="\n  ")
    assert pairs >= 33
    assert differences == OLDER_VERSION | NOT_OF_THE_RAW_EVENT
