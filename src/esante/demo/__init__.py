"""A synthetic Luxembourg: invented persons, professionals and documents, reproducible by seed and day."""

from esante.demo.accounts import (
    find_account,
    find_requester,
    issue_token,
    list_accounts,
    list_people,
    list_personas,
)
from esante.demo.demo_clients import (
    CLINIC_APP_ID,
    HOSPITAL_CLIENT_ID,
    SAMPLE_APP_ID,
    SAMPLE_APP_PATH,
    private_key_path,
    register_apps,
)
from esante.demo.documents.rendering import render_documents
from esante.demo.load import load
from esante.demo.model import Citizen, DemoDocument, World
from esante.demo.pages import routes as page_routes
from esante.demo.population.world import PERSONS, SEED, build_world

__all__ = [
    "CLINIC_APP_ID",
    "HOSPITAL_CLIENT_ID",
    "PERSONS",
    "SAMPLE_APP_ID",
    "SAMPLE_APP_PATH",
    "SEED",
    "Citizen",
    "DemoDocument",
    "World",
    "build_world",
    "find_account",
    "find_requester",
    "issue_token",
    "list_accounts",
    "list_people",
    "list_personas",
    "load",
    "page_routes",
    "private_key_path",
    "register_apps",
    "render_documents",
]
