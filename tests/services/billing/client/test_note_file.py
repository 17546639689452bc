"""The client's own reading of a note against the platform's: the same request, package and code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.billing.client import NoteFileError
from esante.services.billing.client.note_file import read_note_file
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.note.package import unpack
from esante.services.billing.note.pdf import code_text
from tests.support.billing_server import note_file

amounts = st.decimals("0.01", "99999.99", places=2).map(str)
codes = st.from_regex(r"9[0-9]{7}", fullmatch=True)
matricules = st.from_regex(r"[12][0-9]{12}", fullmatch=True)


@settings(max_examples=50)
@given(matricule=matricules, code=codes, gross=amounts, note_id=st.uuids())
def test_code_and_package_are_those_of_the_platform(matricule, code, gross, note_id):
    body = note_file(matricule, code=code, gross=gross, id=note_id)
    found, note = read_note_file(body), read_note(body).note
    assert found.code == code_text(note)
    name, content = unpack(found.package())
    assert (content, str(note_id) in name) == (body, True)
    assert (found.matricule, found.provider_code, found.total) == (matricule, code, note.total)
    assert found.request["idMemoireHonoraire"] == str(note_id)
    (line,) = found.request["lignes"]
    assert line["acte"] == {"codeActe": note.lines[0].act.code, "nombre": 1}
    assert line["dateDebutPrestation"] == note.lines[0].period.start.isoformat()


def test_lines_get_the_same_ids_each_time():
    body = note_file("1980051000001", gross="1.00")
    first, second = (read_note_file(body).request["lignes"][0] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "name", ["UUID", "matricule", "codePrestataire", "dateMemoireHonoraires", "codeActe", "sousTotal"]
)
def test_missing_element_is_named(name):
    body = note_file("1980051000001", gross="1.00")
    start, end = body.index(f"<{name}>".encode()), body.index(f"</{name}>".encode())
    with pytest.raises(NoteFileError, match=name):
        read_note_file(body[:start] + body[end + len(name) + 3 :])
