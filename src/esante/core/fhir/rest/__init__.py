"""FHIR R4 over HTTP: requests, responses, search parameters, preconditions, negotiation, batches, `$validate`.

- `read_resource`, `require_whole`, `convert_posted_search`: bodies of requests.
- `fhir_response`, `searchset`: responses.
- `SearchParams`, `parse_date_range`, `parse_token`: the search parameters of a request.
- `require_known_parameters`, `part_of`: the parameters of reads and writes.
- `etag`, `is_not_modified`, `require_match`, `return_preference`: conditional requests and Prefer.
- `ContentNegotiation`: ASGI middleware for Accept, `_format` and `_pretty`.
- `parse_bundle`, `decode_bundle`, `EntryAddresses`, `LinkReplacer`: batches and transactions.
- `apply_json_patch`: JSON Patch.
- `validate_routes`, `validate_capability`, `supported_profiles`: the operation `$validate`.
"""

from esante.core.fhir.rest.bundle_links import EntryAddresses, LinkReplacer, LinkTarget, find_conditional_references
from esante.core.fhir.rest.bundle_parser import BundleEntry, parse_bundle
from esante.core.fhir.rest.bundle_scan import CountedEntry, NotFhir, decode_bundle
from esante.core.fhir.rest.capability_statement import merge_capabilities
from esante.core.fhir.rest.general_parameters import (
    FORMAT_PARAMETERS,
    PART_PARAMETERS,
    part_of,
    require_known_parameters,
)
from esante.core.fhir.rest.json_patch import JSON_PATCH, apply_json_patch
from esante.core.fhir.rest.negotiation import FORMATS, ContentNegotiation
from esante.core.fhir.rest.preconditions import (
    etag,
    handling_preference,
    http_date,
    is_not_modified,
    require_match,
    return_preference,
)
from esante.core.fhir.rest.requests import convert_posted_search, read_resource, require_fhir_json, require_whole
from esante.core.fhir.rest.responses import fhir_response, searchset
from esante.core.fhir.rest.search_params import (
    DateRange,
    SearchParams,
    ignored_parameters,
    parse_date_range,
    parse_token,
)
from esante.core.fhir.rest.validate_operation import supported_profiles, validate_capability, validate_routes
from esante.core.fhir.search import DEFAULT_COUNT, MAX_COUNT

__all__ = [
    "DEFAULT_COUNT",
    "FORMATS",
    "FORMAT_PARAMETERS",
    "JSON_PATCH",
    "MAX_COUNT",
    "PART_PARAMETERS",
    "BundleEntry",
    "ContentNegotiation",
    "CountedEntry",
    "DateRange",
    "EntryAddresses",
    "LinkReplacer",
    "LinkTarget",
    "NotFhir",
    "SearchParams",
    "apply_json_patch",
    "convert_posted_search",
    "decode_bundle",
    "etag",
    "fhir_response",
    "find_conditional_references",
    "handling_preference",
    "http_date",
    "ignored_parameters",
    "is_not_modified",
    "merge_capabilities",
    "parse_bundle",
    "parse_date_range",
    "parse_token",
    "part_of",
    "read_resource",
    "require_fhir_json",
    "require_known_parameters",
    "require_match",
    "require_whole",
    "return_preference",
    "searchset",
    "supported_profiles",
    "validate_capability",
    "validate_routes",
]
