"""The read filter: what a requester may read of a record, as conditions that a database applies.

It says for all items of a record at once what `decide` says for each, so that nothing is fetched that may not be read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from esante.core.time_zone import day_of
from esante.identity.access.model import Action, Confidentiality, Consent, Item, Opposition, Purpose, Requester
from esante.identity.access.regulation.policy_set import RulesInForce, policy_set
from esante.identity.access.representation.rules import acts_alone_in_all, opposed_to_representatives
from esante.identity.access.rules import acting_profession, decide


@dataclass(frozen=True, slots=True)
class ReadFilter:
    """Which items a requester may read.

    `everything`: all of them. `labels`: those with one of these labels (`label_of`), whoever wrote them. `author` and
    `organization`: those that the requester wrote, that is the items written by `author`, and those that come from
    one of the two. None of these includes an item that one of the oppositions `withheld` covers.
    """

    everything: bool = False
    labels: tuple[str, ...] = ()
    author: UUID | None = None
    organization: UUID | None = None
    withheld: tuple[Opposition, ...] = ()

    @property
    def is_own_only(self) -> bool:
        """Whether the requester reads at most what they wrote themselves."""
        return not self.everything and not self.labels


def label_of(confidentiality: str, category: str) -> str:
    """Return the label of an item: all that the decision depends on beside who wrote it."""
    return f"{confidentiality}/{category}"


def read_filter(
    consent: Consent, requester: Requester, purpose: Purpose, at: datetime, action: Action = Action.READ
) -> ReadFilter:
    """Return the items of the record of `consent` that `decide` lets `requester` read, or list (`action`)."""

    def is_allowed(item: Item) -> bool:
        return decide(consent, requester, action, item, purpose, at).allowed

    own = is_allowed(Item(category="", author_id=requester.id))
    if requester.kind == "patient":
        if own and not (requester.id == consent.holder_id and acts_alone_in_all(consent, day_of(at))):
            return _filter_by_class(consent, requester, at, is_allowed)
        return ReadFilter(everything=own, author=requester.id if own else None)
    # Of a class, the decision asks only whether the matrix lets the profession read it: one stands for all.
    day = day_of(at)
    rules = (consent.rules or policy_set()).on(day)
    classes = _readable_classes(rules, acting_profession(consent, requester, rules, day))
    levels = tuple(
        level for level in Confidentiality if classes and is_allowed(Item(category=classes[0], confidentiality=level))
    )
    return ReadFilter(
        labels=_labels(classes, levels),
        author=requester.id if own else None,
        organization=requester.organization_id if own else None,
    )


def _filter_by_class(
    consent: Consent, requester: Requester, at: datetime, is_allowed: Callable[[Item], bool]
) -> ReadFilter:
    """Return the filter of a patient who is represented, or of who acts for them: each label is decided."""
    withheld = () if requester.id == consent.holder_id else tuple(opposed_to_representatives(consent))
    classes = (consent.rules or policy_set()).at(at).categories
    every = [(level, class_) for level in Confidentiality for class_ in classes]
    labels = tuple(label_of(*one) for one in every if is_allowed(Item(category=one[1], confidentiality=one[0])))
    if len(labels) == len(every):
        return ReadFilter(everything=True, author=requester.id, withheld=withheld)
    return ReadFilter(labels=labels, withheld=withheld)


@lru_cache(maxsize=256)
def _readable_classes(rules: RulesInForce, profession: str) -> tuple[str, ...]:
    """Return the document classes that the matrix lets a profession (or function) read."""
    return tuple(class_ for (who, class_), right in rules.rights.items() if who == profession and right.read)


@lru_cache(maxsize=256)
def _labels(classes: tuple[str, ...], levels: tuple[Confidentiality, ...]) -> tuple[str, ...]:
    return tuple(label_of(level, class_) for level in levels for class_ in classes)
