"""The packaged catalogue: complete, with its sources."""

from datetime import date

import pytest

from esante.identity.directory import catalogue


def test_catalogue_entries_have_label_and_source():
    lists = catalogue()
    terms = [*lists.professions.values(), *lists.organization_kinds.values(), *lists.specialities.values()]
    assert all(entry.legal_source and entry.label for entry in [*terms, *lists.systems])
    assert {"doctor", "nurse", "admin"} <= set(lists.professions)
    assert {"hospital", "prevention"} <= set(lists.organization_kinds)
    assert isinstance(lists.dated, date)
    with pytest.raises(KeyError):
        lists.system("passport")
