"""The settings of image sharing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingSettings:
    """What an operator decides about images.

    imaging_share_days  days for which a link to images works, unless the person chooses another time
    """

    imaging_share_days: int = 90
