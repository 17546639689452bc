"""The DCAT-AP catalogue."""

from dataclasses import replace

import rdflib
from pyshacl import validate
from rdflib.compare import isomorphic

from esante.core.open_data import encode_jsonld, encode_turtle
from esante.services.bulletin.publication.dcat import Edition, build_catalogue
from tests.support.bulletin_issue import BASE, sample_issue


def test_catalogue_is_same_in_both_formats_and_conforms_to_dcat_ap(issue_files):
    named = [
        replace(file, path=file.path)
        for file in issue_files.values()
        if not file.path.name.endswith(("ttl", "jsonld"))
    ]
    issue = sample_issue()
    edition = Edition("2026-10", 1, "provisional", issue.released_at, named)
    node = build_catalogue([edition], BASE)
    by_turtle = rdflib.Graph().parse(data=encode_turtle(node), format="turtle")
    by_json = rdflib.Graph().parse(data=encode_jsonld(node), format="json-ld")
    assert isomorphic(by_turtle, by_json)
    good, _, report = validate(by_turtle, shacl_graph=SHAPES, shacl_graph_format="turtle")
    assert good, report
    bad = rdflib.Graph().parse(data=encode_turtle(node).replace(b"dct:publisher", b"dct:source"), format="turtle")
    assert not validate(bad, shacl_graph=SHAPES, shacl_graph_format="turtle")[0]


# The mandatory properties of DCAT-AP 3.0.0 (sections Catalogue, Dataset, Distribution, Agent) and what they must be.
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix spdx: <http://spdx.org/rdf/terms#> .
[] a sh:NodeShape ; sh:targetClass dcat:Catalog ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ], [ sh:path dct:description ; sh:minCount 1 ],
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ], [ sh:path dcat:dataset ; sh:class dcat:Dataset ] .
[] a sh:NodeShape ; sh:targetClass dcat:Dataset ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ], [ sh:path dct:description ; sh:minCount 1 ; sh:uniqueLang true ],
    [ sh:path dct:publisher ; sh:maxCount 1 ; sh:class foaf:Agent ], [ sh:path dct:accrualPeriodicity ; sh:maxCount 1 ; sh:nodeKind sh:IRI ],
    [ sh:path dct:temporal ; sh:class dct:PeriodOfTime ], [ sh:path dcat:distribution ; sh:class dcat:Distribution ] .
[] a sh:NodeShape ; sh:targetClass dcat:Distribution ;
  sh:property [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ], [ sh:path dct:license ; sh:maxCount 1 ; sh:nodeKind sh:IRI ],
    [ sh:path dct:format ; sh:maxCount 1 ; sh:nodeKind sh:IRI ], [ sh:path dcat:byteSize ; sh:maxCount 1 ; sh:datatype xsd:nonNegativeInteger ],
    [ sh:path spdx:checksum ; sh:maxCount 1 ; sh:class spdx:Checksum ] .
[] a sh:NodeShape ; sh:targetClass foaf:Agent ; sh:property [ sh:path foaf:name ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .
"""
