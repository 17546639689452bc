"""A synthetic Luxembourg: invented persons, professionals and documents, the same for the same seed and day."""

from esante.demo.accounts import become, everyone, find, people_json, personas, token_for
from esante.demo.demo_clients import APP_ID, APP_PATH, CLIENT_ID, CLINIC_ID, key_file, register_apps
from esante.demo.documents.rendering import documents_of
from esante.demo.load import load
from esante.demo.model import Citizen, DemoDocument, World
from esante.demo.pages import routes as page_routes
from esante.demo.population.world import PERSONS, SEED, world

__all__ = [
    "APP_ID",
    "APP_PATH",
    "CLIENT_ID",
    "CLINIC_ID",
    "PERSONS",
    "SEED",
    "Citizen",
    "DemoDocument",
    "World",
    "become",
    "documents_of",
    "everyone",
    "find",
    "key_file",
    "load",
    "page_routes",
    "people_json",
    "personas",
    "register_apps",
    "token_for",
    "world",
]
