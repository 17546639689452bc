"""A kit is a folder: one that is added runs, at the command line too, and no code of the framework changes."""

import orjson
import pytest
from click.testing import CliRunner

from esante.core.web import LANGUAGES
from esante.services.conformance.kits import catalogue
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.cli import conformance
from esante.services.conformance.kits.model import Kit
from tests.support.sample_kits import use_sample_kits


def test_added_folder_is_a_kit_and_a_command() -> None:
    assert "sample" not in kits()
    with use_sample_kits():
        kit = kits()["sample"]
        assert (kit.version, [one.id for one in kit.requirements]) == ("1.0", ["S-01", "S-02"])
        shown = CliRunner().invoke(conformance, ["sample", "--help"]).output
        assert "2 requirements" in shown and "--token" in shown and "@FILE" in shown
    assert "sample" not in kits()


def test_options_reach_the_kit_from_the_command_line() -> None:
    given = ("--token", "t0ken", "--patient-id", "1", "--patient-name", "A^B", "--json")
    done = CliRunner().invoke(conformance, ["dicomweb", "--target", "http://127.0.0.1:9/dicomweb", *given])
    outcomes = {one["requirement"]: one["verdict"] for one in orjson.loads(done.stdout)["outcomes"]}
    assert (done.exit_code, outcomes["DW-02"]) == (1, "failed")


def test_kit_that_uses_an_option_that_nobody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with use_sample_kits():
        read = catalogue._read_toml
        more = {"requirements.toml": {"uses": ["nothing"]}, "options.toml": {}}
        monkeypatch.setattr(catalogue, "_read_toml", lambda folder, name: read(folder, name) | more[name])
        with pytest.raises(ValueError, match=r"no such shared option: \['nothing'\]"):
            catalogue.kits()


@pytest.mark.parametrize("kit", kits().values(), ids=lambda kit: kit.name)
def test_every_kit_has_titles_in_all_languages(kit: Kit) -> None:
    for titles in (kit.titles, *(one.titles for one in (*kit.requirements, *kit.options))):
        assert set(titles) == set(LANGUAGES) and all(titles.values())


def test_kit_with_a_requirement_without_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with use_sample_kits():
        from esante.services.conformance.kits.sample.checks import CHECKS  # type: ignore[import-not-found]

        monkeypatch.delitem(CHECKS, "S-02")
        with pytest.raises(ValueError, match=r"sample: .*S-02"):
            catalogue.kits()
