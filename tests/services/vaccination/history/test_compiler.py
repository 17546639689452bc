"""The vaccination history in the record: always current, once, and only what everybody may see."""

import io

import orjson
import pypdfium2
import pytest

from esante.core.fhir import check
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Compiled, Filters, Status
from esante.services.vaccination.history import compiler, store
from tests.support.clinical_resources import transaction_of  # noqa: F401
