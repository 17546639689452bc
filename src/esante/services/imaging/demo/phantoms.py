"""Pixels of examinations: bodies made of ellipses, so that no picture is of anybody."""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.int16]
"""Rows x columns."""
Volume = npt.NDArray[np.int16]
"""Slices x rows x columns, in Hounsfield units where it is of a CT."""
_SIZE = 256


def head_volume(seed: int, *, lesion: bool, slices: int = 12) -> Volume:
    """Return axial slices of a head: skull, brain, ventricles, and a lesion on one side."""
    found = []
    for height in np.linspace(-0.75, 0.75, slices):
        scale = float(np.sqrt(1 - height**2))
        x, y = _grid(_SIZE)
        image = np.full((_SIZE, _SIZE), -1000.0)
        image[_ellipse(x, y, 0, 0, 0.72 * scale, 0.92 * scale)] = 40
        image[_ellipse(x, y, 0, 0, 0.69 * scale, 0.89 * scale)] = 900
        image[_ellipse(x, y, 0, 0, 0.62 * scale, 0.82 * scale)] = 34
        for side in (-1, 1):
            width = 0.08 * max(0.0, 1 - 2 * abs(height))
            image[_ellipse(x, y, side * 0.13, 0.05, width, 0.3 * scale, side * 0.3)] = 6
        if lesion:
            image[_ellipse(x, y, 0.35, -0.3, 0.16 * scale, 0.12 * scale)] = 20
        found.append(image)
    return _noisy(np.stack(found), seed, 7)


def thorax_volume(seed: int, *, lesion: bool, slices: int = 14, rows: int = _SIZE) -> Volume:
    """Return axial slices of a thorax: lungs, heart, aorta, spine, ribs, and a nodule in one lung."""
    found = []
    x, y = _grid(rows)
    for height in np.linspace(-0.9, 0.9, slices):
        width = 0.92 - 0.12 * height**2
        image = np.full((rows, rows), -1000.0)
        image[_ellipse(x, y, 0, 0, width, 0.66)] = 40
        shell = _ellipse(x, y, 0, 0, width - 0.07, 0.59) & ~_ellipse(x, y, 0, 0, width - 0.12, 0.54)
        image[shell & (np.sin(26 * height + 5 * np.abs(x)) > 0.55)] = 500
        for side in (-1, 1):
            image[_ellipse(x, y, side * 0.42, -0.02, 0.34 - 0.1 * max(height, 0), 0.46)] = -820
        image[_ellipse(x, y, 0.14, -0.2, 0.27 * (1 - height**2), 0.25)] = 48
        image[_ellipse(x, y, 0.1, 0.28, 0.07, 0.07)] = 60
        image[_ellipse(x, y, 0, 0.44, 0.12, 0.12)] = 450
        if lesion and abs(height) < 0.25:
            image[_ellipse(x, y, -0.45, 0.1, 0.09, 0.09)] = 30
        found.append(image)
    return _noisy(np.stack(found), seed, 14)


def chest_radiograph(seed: int, *, lesion: bool) -> Image:
    """Return a frontal radiograph: the thorax seen through."""
    through = (thorax_volume(seed, lesion=lesion, slices=256, rows=128).astype(np.float32) + 1000).sum(axis=1)
    wide = np.repeat(np.repeat(through, 4, axis=1), 2, axis=0)
    return _scaled(wide[::-1], 4000)


def knee_volume(seed: int, *, lesion: bool, slices: int = 16) -> Volume:
    """Return sagittal slices of a knee as a magnetic resonance shows it: bright marrow, dark cortex and menisci."""
    found = []
    x, y = _grid(_SIZE)
    for height in np.linspace(-0.8, 0.8, slices):
        scale = float(np.sqrt(1 - height**2))
        image = np.zeros((_SIZE, _SIZE))
        image[_ellipse(x, y, 0, 0, 0.75 * scale, 1.3)] = 300
        for centre, radius in ((-0.62, 0.55), (0.66, 0.6)):
            image[_ellipse(x, y, 0.05, centre, 0.45 * scale, radius)] = 60
            image[_ellipse(x, y, 0.05, centre, 0.42 * scale, radius - 0.03)] = 760
        image[_ellipse(x, y, -0.52, -0.15, 0.1 * scale, 0.2)] = 700
        for side in (-0.22, 0.3):
            image[_ellipse(x, y, side, 0.0, 0.12, 0.04)] = 40
        if lesion:
            image[_ellipse(x, y, 0.3, 0.0, 0.012, 0.05, 0.5)] = 900
        found.append(image)
    return _noisy(np.stack(found), seed, 12)


def mammogram(seed: int, *, left: bool, lesion: bool) -> Image:
    """Return one view of a breast, with dense tissue and a mass."""
    x, y = _grid(512)
    chance = np.random.default_rng(seed)
    coarse = np.kron(chance.random((16, 16)), np.ones((32, 32)))
    breast = _ellipse(x, y, -1, 0, 1.2, 0.85)
    image = np.where(breast, 900 + 900 * coarse * np.exp(-2 * ((x + 0.7) ** 2 + y**2)), 0)
    if lesion:
        image[_ellipse(x, y, -0.55, -0.3, 0.07, 0.05)] = 2400
    for axis in (0, 1):
        image = np.mean([np.roll(image, shift, axis=axis) for shift in range(-10, 11)], axis=0)
    image[:, -12:] = 0
    return _noisy(image if left else image[:, ::-1], seed, 20, least=0)


def _grid(size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the x and y of each pixel from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return x, y


def _ellipse(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    at_x: float,
    at_y: float,
    width: float,
    height: float,
    angle: float = 0,
) -> npt.NDArray[np.bool_]:
    """Return which pixels lie in an ellipse of these half axes, turned by an angle in radians."""
    if width <= 0 or height <= 0:
        return np.zeros(x.shape, dtype=bool)
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = (x - at_x) * cos + (y - at_y) * sin, (y - at_y) * cos - (x - at_x) * sin
    return np.asarray((along / width) ** 2 + (across / height) ** 2 <= 1)


def _noisy(image: npt.NDArray[np.float64], seed: int, deviation: float, least: int = -1024) -> Volume:
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + noise, least, 4000).astype(np.int16)


def _scaled(image: npt.NDArray[np.float32], most: int) -> Image:
    low, high = float(image.min()), float(image.max())
    return ((image - low) / (high - low) * most).astype(np.int16)
