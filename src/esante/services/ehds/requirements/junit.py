"""Runs of tests as pytest writes them down (JUnit XML)."""

import re
from collections import defaultdict
from datetime import UTC, datetime

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.services.ehds.requirements.model import Outcome, TestRun
from esante.services.ehds.requirements.rules import combine

MAX_MARKUP, LONGEST_REVISION = 2_000_000, 64
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")


class NoTestRun(ValueError):
    """A file that is no run of tests; the text says what is wrong."""


def read_run(data: bytes, revision: str) -> TestRun:
    """Return the run in a JUnit XML file, of a revision of the program. Raises: `NoTestRun`.

    A case that failed or broke counts as failed; of a function with several cases, one that failed decides.
    """
    if not _REVISION.fullmatch(revision) or len(revision) > LONGEST_REVISION:
        raise NoTestRun(f"a revision has letters, digits and . + _ - and {LONGEST_REVISION} characters at most")
    try:
        root = parse_xml(data, max_markup=MAX_MARKUP)
    except BrokenXml as error:
        raise NoTestRun(f"this is no JUnit XML: {error}") from error
    found: defaultdict[str, list[Outcome]] = defaultdict(list)
    for case in root.iter("testcase"):
        tags = {child.tag for child in case}
        failed, skipped = tags & {"failure", "error"}, "skipped" in tags
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
        found[name].append(Outcome.FAILED if failed else Outcome.SKIPPED if skipped else Outcome.PASSED)
    if not found:
        raise NoTestRun("the file has no test cases")
    began = next((suite.get("timestamp", "") for suite in root.iter("testsuite")), "")
    try:
        ran_at = datetime.fromisoformat(began)
    except ValueError:
        raise NoTestRun("the file does not say when the run began (testsuite/@timestamp)") from None
    if ran_at.tzinfo is None:
        ran_at = ran_at.astimezone()
    return TestRun(ran_at.astimezone(UTC), revision, {name: combine(each) for name, each in found.items()})
