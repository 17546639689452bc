"""The pages for everybody: help topics of all packages, the privacy notice, the accessibility statement."""

from datetime import timedelta

import pytest

from esante.core.time_zone import today
from esante.packages import PACKAGES, declared_services
from esante.portal.information import HELP_ROLES, HelpTopic, accessibility_statement, read_topics, topics_for
from esante.portal.navigation import EVERYONE

TOPICS = read_topics(PACKAGES)


def test_topics_of_all_packages_have_a_known_role():
    assert {topic.role for topic in TOPICS} <= {*HELP_ROLES, EVERYONE}
    assert len({topic.label for topic in TOPICS}) == len(TOPICS) > 15


@pytest.mark.parametrize("role", HELP_ROLES)
def test_every_role_finds_topics_of_its_own_before_those_for_everyone(role):
    found = topics_for(TOPICS, role, "", str)
    assert found[0].role == role
    assert {topic.role for topic in found} == {role, EVERYONE}


def test_topics_are_found_by_words_of_the_translation():
    topic = HelpTopic(role="patient", label="How?", display="Like this.", order=1)
    german = {"How?": "Wie geht das?", "Like this.": "So geht das."}.get
    assert topics_for([topic], "patient", "GEHT so", german) == [topic]
    assert topics_for([topic], "patient", "how", german) == []
    assert topics_for([topic], "operator", "", german) == []


def test_data_kept_have_a_time_or_last_as_long_as_the_record():
    kept = {one.what: one.how_long(today()) for service in declared_services() for one in service.kept}
    assert len(kept) >= 9
    assert all(how_long is None or how_long > timedelta(0) for how_long in kept.values())
    (history,) = [one for service in declared_services() for one in service.kept if "access history" in one.what]
    assert history.with_data  # RGD of 6 December 2019 (A909), art. 8
    assert history.how_long(today()) > timedelta(days=3 * 365)  # EHDS, article 9: three years at least


def test_accessibility_statement_has_what_the_model_statement_asks_for():
    statement = accessibility_statement()
    assert {"standard", "prepared", "reviewed", "check", "gap", "unchecked"} <= statement.keys()
    assert all(gap["criterion"] for gap in statement["gap"])
