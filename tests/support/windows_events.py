"""Windows events of the real inputs."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml


def json_values(text: str) -> Iterator[dict]:
    """Yield the JSON values of a text, one after another."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        while at < len(text) and text[at].isspace():
            at += 1


def regression_events(shared_data: Path) -> Iterator[tuple[str, int | None, list[dict]]]:
    """Yield rule id, stated number of hits (None: at least one), and events of each regression test of SigmaHQ."""
    for info in sorted((shared_data / "sigma" / "regression").glob("*/info.yml")):
        stated = yaml.safe_load(info.read_text("utf-8"))
        for path in info.parent.glob("*.json"):
            test = stated["regression_tests_info"][0]
            yield (
                stated["rule_metadata"][0]["id"],
                test.get("match_count"),
                list(json_values(path.read_text("utf-8-sig"))),
            )


def zipped_events(shared_data: Path) -> Iterator[dict]:
    """Yield the events of the recorded attacks."""
    for path in sorted((shared_data / "windows-attacks").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield from map(json.loads, archive.read(name).decode().splitlines())
