"""Requests to co-sign are read as the specification writes them, and refused in any other form."""

import base64

import pytest

from esante.core.witness.submission import parse_submission, parse_tree_head
from tests.support.witnessed_log import WitnessedLog

LOG = WitnessedLog(7)
BODY = LOG.body(5, 7).decode()
SPECIFIED = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""
"""The example of C2SP tlog-witness."""


def test_example_of_the_specification_is_read():
    found = parse_submission(SPECIFIED.encode())
    assert (found.old, len(found.proof), found.head.size) == (20852014, 4, 20852163)
    assert found.head.origin == "example.com/behind-the-sofa"
    assert found.note == SPECIFIED.partition("\n\n")[2]
    assert found.text == found.note.partition("\n\n")[0] + "\n"


def test_checkpoint_with_extension_lines_is_read():
    note = LOG.note(7, "sealed 2026-03-01", "another line")
    assert parse_submission(LOG.body(0, 7, note=note)).head == parse_tree_head(LOG.text(7))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 5",
        BODY.replace("old 5", "old 05"),
        BODY.replace("old 5", "old -5"),
        BODY.replace("old 5", "old +5"),
        BODY.replace("old 5", "old 5 "),
        BODY.replace("old 5", "old 5\r"),
        BODY.replace("old 5", "old"),
        BODY.replace("old 5", "old " + "9" * 20),
        BODY.replace("old 5", "size 5"),
        BODY.replace("old 5\n", "old 5\nAAAA\n"),
        BODY.replace("old 5\n", "old 5\nnot base64\n"),
        BODY.replace("old 5\n", "old 5\n" + (base64.b64encode(b"x" * 32).decode() + "\n") * 64),
        BODY.replace("\n7\n", "\n07\n"),
        BODY.replace("\n7\n", "\nseven\n"),
        BODY.replace("\n7\n", "\n\n"),
        BODY.replace("\n— ", "\n- "),
        BODY.partition("\n— ")[0],
        BODY.removesuffix("\n"),
        BODY.replace("\n\n", "\n"),
        f"{BODY}\n",
        f"{BODY}\x00",
    ],
)
def test_malformed_request_is_refused(body):
    with pytest.raises(ValueError, match=r"\S"):
        parse_submission(body.encode())


def test_text_that_is_not_utf_8_is_refused():
    with pytest.raises(ValueError, match="utf-8"):
        parse_submission(b"old 5\n\n\xff")
