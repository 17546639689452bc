"""Properties: unique ids, keys of dispensations, what is read from hostile bytes, professions by role."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.time_zone import today
from esante.services.exchange.connector import offers_on
from esante.services.exchange.connector.dispensation import dispensation_key, read_dispensation
from esante.services.exchange.connector.forms import parse_unique_id, unique_id
from esante.services.exchange.connector.model import Form
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.model import NotUsable
from tests.support.exchange_abroad import doctor_abroad

_IDS = st.builds(InstanceId, st.text(max_size=20), st.text(max_size=20))


@given(st.uuids(), st.sampled_from(Form))
def test_unique_id_names_one_document_in_one_form(key: UUID, form: Form) -> None:
    assert parse_unique_id(unique_id(key, form)) == (key, form)


@given(st.text(max_size=60))
def test_any_text_is_a_unique_id_or_names_nothing(text: str) -> None:
    key, form = parse_unique_id(text)
    assert key.int == 0 or unique_id(key, form) == text


@given(st.text(max_size=20), _IDS, st.text(max_size=20), _IDS)
def test_key_is_the_same_for_the_same_ids_only(document: str, one: InstanceId, other_document: str, other: InstanceId):
    nul = "\0"
    if any(nul in text for text in (document, other_document, one.root, other.root)):
        return  # no id of XML has it
    same = (document, one) == (other_document, other)
    assert (dispensation_key(document, one) == dispensation_key(other_document, other)) is same


@given(st.binary(max_size=300))
def test_bytes_that_are_no_dispensation_are_refused(data: bytes) -> None:
    with pytest.raises(NotUsable):
        read_dispensation(data)


@given(st.text(max_size=8))
def test_role_that_is_not_listed_has_no_profession(role: str) -> None:
    listed = {"221", "2221", "2222", "2261", "2262", "2264", "2265", "2266", "2267", "3211", "3213"}
    assert bool(doctor_abroad(role).profession) is (role in listed)


def test_offers_have_types_of_their_own() -> None:
    types = [type_ for offer in offers_on(today()) for type_ in offer.types]
    assert len(types) == len(set(types))
