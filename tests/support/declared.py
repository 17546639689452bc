"""What the packages of the program declare, for tests that open no platform."""

from esante.contract import NoticeKind, Topic
from esante.packages import declared_services

SERVICES = declared_services()
NOTICE_KINDS: list[NoticeKind] = [kind for service in SERVICES for kind in service.notices]
DECLARED_TOPICS: list[Topic] = [topic for service in SERVICES for topic in service.topics]
