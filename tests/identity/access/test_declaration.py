"""What access control adds to the platform: it is served only where every document class has a legal category."""

from types import SimpleNamespace

import pytest

from esante.identity.access.declaration import SERVICE
from esante.packages import declared_services

LABELS = {key: label for service in declared_services("") for key, label in service.categories.items()}


async def test_platform_whose_classes_are_all_assigned_is_served():
    await SERVICE.admit(SimpleNamespace(categories=LABELS))


async def test_class_without_legal_category_is_refused_by_name():
    with pytest.raises(RuntimeError, match="assigns no legal category to the document class horoscope"):
        await SERVICE.admit(SimpleNamespace(categories=LABELS | {"horoscope": "Horoscope"}))


async def test_assigned_class_that_no_service_has_is_refused_by_name():
    without = {key: label for key, label in LABELS.items() if key != "dispensing"}
    with pytest.raises(RuntimeError, match="assigns the document class dispensing, which no service has"):
        await SERVICE.admit(SimpleNamespace(categories=without))
