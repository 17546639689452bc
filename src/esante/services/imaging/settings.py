"""The settings of image sharing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingSettings:
    """What an operator decides about images.

    imaging_share_days  days for which a link to images works, unless the person chooses another time
    imaging_networks    networks beside the public internet in which archives of hospitals are (CIDR, spaces)
    imaging_cache       MiB on disk, in each process, of images that were retrieved from them
    """

    imaging_share_days: int = 90
    imaging_networks: str = ""
    imaging_cache: int = 4_096
