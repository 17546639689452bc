"""Search parameters in the CapabilityStatement."""

from esante.core.fhir.search import parameters_of, parse_query, supported_parameters


def test_supported_parameters_and_modifiers_can_be_parsed():
    values = {"date": "2026", "number": "1", "quantity": "1"}
    for type_ in ("Observation", "DocumentReference", "Practitioner", "Bundle"):
        supported = supported_parameters(type_)
        assert {each.name for each in supported} == set(parameters_of(type_))
        for each in supported:
            assert each.definition.startswith("http://hl7.org/fhir/SearchParameter/")
            modifiers = each.documentation.rpartition("Modifiers: ")[2].rstrip(".").split(", ")
            for modifier in {"", *modifiers} - {"missing", "in", "not-in", "of-type", "[type]"}:
                if each.type != "composite":
                    name = f"{each.name}:{modifier}".rstrip(":")
                    assert parse_query(type_, [(name, values.get(each.type, "a"))], strict=True).conditions
