"""Rules of Questionnaire that its constraints do not state.

Source: FHIR R4, Questionnaire.item.enableWhen.question.
"""

from collections.abc import Iterator

from esante.core.fhir.model import ElementPath, Finding
from esante.core.types import Json


def check_questionnaire(resource: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for each condition of an item on a question that cannot decide about it."""
    items = list(_items(resource, path))
    known = {each.get("linkId") for each, _ in items}
    for item, where in items:
        inside = {each.get("linkId") for each, _ in _items(item, where)} | {item.get("linkId")}
        for index, condition in enumerate(item.get("enableWhen", ())):
            question = condition.get("question")
            place = (*where, "enableWhen", index, "question")
            if isinstance(question, str) and question not in known:
                yield _error(
                    place, f'No item has the linkId "{question[:80]}". Name a question of this Questionnaire.'
                )
            elif question in inside:
                yield _error(place, "The condition of an item cannot depend on the item itself or on one inside it.")


def _items(owner: Json, path: ElementPath) -> Iterator[tuple[Json, ElementPath]]:
    """Yield the items below an object, at any depth."""
    for index, item in enumerate(owner.get("item", ())):
        yield item, (*path, "item", index)
        yield from _items(item, (*path, "item", index))


def _error(path: ElementPath, text: str) -> Finding:
    return Finding("error", "business-rule", path, text)
