"""`esante healthnet check` and `reach`: without a network and without a database."""

import pytest
from click.testing import CliRunner

from esante.services.healthnet.cli import healthnet

SITES = "site,kind,profession,quarantined\nA-1,practice,doctor,\nA-2,practice,doctor,true\nL-1,laboratory,,\nP-1,platform,,false\n"


@pytest.fixture
def command(tmp_path):
    """Run the command with a list of sites, which may be another one."""

    def run(*arguments, sites=SITES):
        (tmp_path / "sites.csv").write_text(sites)
        if sites:
            arguments = [*arguments, "--sites", str(tmp_path / "sites.csv")]
        return CliRunner().invoke(healthnet, [*map(str, arguments)])

    return run


def test_packaged_policy_holds_and_is_said_to_be_unverified(command):
    done = command("check", sites="")
    assert (done.exit_code, "6 invariants hold" in done.output, "not verified" in done.output) == (0, True, True)


def test_packaged_policy_is_compiled_for_the_sites(command):
    done = command("check")
    # 2 practices to the laboratory; 2 to the platform by 3 services, the quarantined one without `record`; L-1 by 3.
    assert "4 sites, 10 edges." in done.output


@pytest.mark.parametrize(
    ("source", "target", "service", "status", "words"),
    [
        ("A-1", "L-1", "laboratory-results", 0, "policy.yaml:55: rule results"),
        ("A-2", "L-1", "laboratory-results", 0, "rule results"),
        ("A-2", "P-1", "record", 1, "in quarantine"),
        ("A-1", "A-2", "record", 1, "does not offer"),
        ("A-1", "A-1", "record", 1, "the same site"),
        ("practice/dietitian", "L-1", "laboratory-results", 1, "rule no-results-for-therapists"),
        ("hospital", "hospital", "images", 0, "rule image-exchange"),
        ("pharmacy", "hospital", "images", 1, "no rule allows it"),
        ("practice/doctor+quarantined", "platform", "messaging", 0, "national-services"),
        ("nobody", "L-1", "record", 2, "is no site"),
        ("hospital/doctor", "L-1", "record", 2, "is not a profession of a hospital"),
        ("hospital+closed", "L-1", "record", 2, "write +quarantined"),
        ("A-1", "L-1", "telnet", 2, "unknown: one of laboratory-results"),
    ],
)
def test_reach_says_whether_and_by_which_rule(command, source, target, service, status, words):
    done = command("reach", source, target, service)
    assert (done.exit_code, words in done.output) == (status, True), done.output


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A-1,practice,doctor", "has 3 values in place of 4"),
        ("A 1,practice,doctor,", "is no key of a site"),
        ("P-1,platform,,", "stands here twice"),
        ("A-3,shop,,", "kind of site 'shop' is unknown"),
        ("A-3,hospital,doctor,", "is not one of a hospital"),
        ("A-3,hospital,,maybe", "is neither true nor false"),
        ('A-3,"hosp"ital,,', "is no CSV"),
    ],
)
def test_faulty_list_of_sites_is_refused_with_line_and_remedy(command, line, reason):
    done = command("check", sites=SITES + line + "\n")
    assert done.exit_code == 1
    assert "sites.csv:6: " in done.output
    assert reason in done.output


def test_list_without_columns_is_refused(command):
    assert "write site,kind,profession,quarantined" in command("check", sites="A-1,practice,doctor,\n").output


def test_sites_that_do_not_fit_the_policy_are_named(command, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        "language: 1\ntitle: T\ngroups:\n  core: {kind: platform, sites: [P-1, P-2]}\n  all: {all: true}\n"
        "services:\n  s: {title: S, offered-by: core, ports: tcp/1}\nrules:\n  r: {allow: all}\n"
        "invariants:\n  i: {always: all, reach: core, by: s}\n"
    )
    done = command("check", path, sites="site,kind,profession,quarantined\nP-1,hospital,,\n")
    assert done.exit_code == 1
    assert "policy.yaml:4: group core names site P-2, which does not exist" in done.output
    assert "policy.yaml:4: site P-1 is a hospital" in done.output
    assert "policy.yaml:11: invariant i: no site of its targets offers s" in done.output
