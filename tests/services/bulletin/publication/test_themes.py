"""Themes."""

from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.themes import group_by_theme


def test_every_indicator_has_one_theme():
    found = [one.id for theme in group_by_theme(declared_indicators().indicator) for one in theme.indicators]
    assert sorted(found) == sorted(one.id for one in declared_indicators().indicator)
