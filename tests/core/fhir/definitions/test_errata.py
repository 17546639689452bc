"""The errata of R4."""

from esante.core.fhir.definitions import errata


def test_every_erratum_has_reason_source_and_date():
    for erratum in (*errata.CONSTRAINTS, *errata.SEARCH_PARAMETERS):
        assert erratum.why
        assert erratum.source
        assert erratum.verified
