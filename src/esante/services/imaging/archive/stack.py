"""The pictures of a study as a viewer goes through them: series by series, instance by instance, frame by frame."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from esante.core.types import Json
from esante.services.imaging.archive.levels import has_picture
from esante.services.imaging.modality_words import MODALITIES
from esante.services.imaging.model import Instance, Series

_FRAMES, _DESCRIPTION, _NUMBER = "00280008", "0008103E", "00200011"


@dataclass(frozen=True, slots=True)
class Stack:
    """A series with its pictures: the UID of each instance that has some, and how many.

    `description` is what the device wrote, "" for nothing; `others`: instances that are no pictures.
    """

    series: Series
    pictures: tuple[tuple[str, int], ...]
    others: int

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return sum(frames for _, frames in self.pictures)

    @property
    def words(self) -> str:
        """The words (a msgid) for its modality, "" where there are none."""
        return MODALITIES.get(self.series.modality, "")

    @property
    def description(self) -> str:
        """What the device wrote about it."""
        return str(first_value(self.series.attributes, _DESCRIPTION) or "")

    def place(self, position: int) -> tuple[str, int]:
        """Return the instance and the frame at a position, both from 1. Raises: IndexError."""
        for instance_uid, frames in self.pictures:
            if position <= frames:
                return instance_uid, position
            position -= frames
        raise IndexError(position)

    def url(self, path: str, position: int, window: str = "") -> str:
        """Return the address of the picture at a position, in a window (value of the parameter, "": as recorded).

        `path`: that of the study.
        """
        instance_uid, frame = self.place(position)
        address = f"{path}/series/{self.series.series_uid}/instances/{instance_uid}/frames/{frame}/rendered"
        return f"{address}?window={window}" if window else address


def stacks_of(series: Sequence[Series], instances: Sequence[Instance]) -> list[Stack]:
    """Return the series of a study with their pictures, by their numbers."""
    by_series: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_series[instance.series_uid].append(instance)
    stacks = []
    for one in sorted(series, key=_number):
        of_series = by_series[one.series_uid]
        pictures = tuple((each.instance_uid, frames) for each in of_series if (frames := _frames(each)))
        stacks.append(Stack(one, pictures, len(of_series) - len(pictures)))
    return stacks


def first_value(attributes: Json, tag: str) -> object:
    """Return the first value of an element in DICOM JSON, or None."""
    return next(iter(attributes.get(tag, {}).get("Value", ())), None)


def _frames(instance: Instance) -> int:
    """Return how many pictures an instance has: none without rows."""
    if not has_picture(instance.attributes):
        return 0
    frames = first_value(instance.attributes, _FRAMES)
    return frames if isinstance(frames, int) and frames > 0 else 1


def _number(series: Series) -> tuple[int, str]:
    number = first_value(series.attributes, _NUMBER)
    return (number if isinstance(number, int) else 1_000_000), series.series_uid
