"""The playbooks (data/playbooks.toml): which steps a case of a kind has, who does them, and by when."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.web import N_
from esante.services.soc.alerts.model import Origin
from esante.services.soc.cases.model import Task

Phase = Literal["detection", "containment", "investigation", "remediation", "evidence", "communication"]
PHASE_NAMES: Mapping[str, str] = {
    "detection": N_("Detection"),
    "containment": N_("Containment"),
    "investigation": N_("Investigation"),
    "remediation": N_("Remediation"),
    "evidence": N_("Evidence"),
    "communication": N_("Communication"),
}
"""The phases of the rulebooks in words (msgids)."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step: `label` is a msgid, `minutes` its time from the opening of the case."""

    key: str
    phase: Phase
    who: Literal["agency", "member"]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=200_000)]
    label: str


class Playbook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playbook: `label` and `display` (what happened, in plain words) are msgids."""

    key: str
    label: str
    display: str
    techniques: tuple[str, ...]
    origins: tuple[Origin, ...]
    steps: tuple[str, ...]
    legal_source: str
    verified: bool


class Playbooks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The playbooks and their steps."""

    step: tuple[Step, ...]
    playbook: tuple[Playbook, ...]

    @property
    def steps(self) -> Mapping[str, Step]:
        """The steps by key."""
        return {one.key: one for one in self.step}

    @property
    def by_key(self) -> Mapping[str, Playbook]:
        """The playbooks by key."""
        return {one.key: one for one in self.playbook}

    def proposed(self, techniques: Iterable[str], origins: Iterable[Origin]) -> str:
        """Return the key of the first playbook for some alerts, "" for none."""
        found, sources = tuple(techniques), set(origins)
        for one in self.playbook:
            if any(technique.startswith(one.techniques) for technique in found if one.techniques):
                return one.key
        return next((one.key for one in self.playbook if sources & {*one.origins}), "")

    def tasks(self, key: str, case_id: UUID, at: datetime) -> list[Task]:
        """Return the tasks of a playbook for a case that was opened at a moment."""
        steps = self.steps
        return [
            Task(
                case_id=case_id,
                step=step,
                position=position,
                who=steps[step].who,
                due_at=at + timedelta(minutes=steps[step].minutes),
            )
            for position, step in enumerate(self.by_key[key].steps)
        ]


def parse_playbooks(text: str) -> Playbooks:
    """Return the playbooks of a TOML text. Raises: ValueError, also for a step that is unknown or twice."""
    try:
        found = msgspec.convert(tomllib.loads(text), Playbooks)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    known = found.steps
    for one in found.playbook:
        if unknown := [key for key in one.steps if key not in known]:
            raise ValueError(f"{one.key}: unknown steps: {', '.join(unknown)}")
        if len({*one.steps}) != len(one.steps):
            raise ValueError(f"{one.key}: a step stands there twice")
    return found


@cache
def packaged_playbooks() -> Playbooks:
    """Return the playbooks of the program."""
    return parse_playbooks(packaged_text("esante.services.soc", "playbooks.toml"))
