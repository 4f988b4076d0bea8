"""Where the pixels of an image stand among the features of a row."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

# What estimators take as ``image_shape``.
IMAGE_SHAPE = ["array-like", None]


def pixel_positions(image_shape: Sequence[int] | None, n_features: int) -> NDArray:
    """Return the feature of each value of an image.

    Parameters
    ----------
    image_shape : sequence of int or None
        ``(height, width)`` or ``(height, width, n_channels)``; None for a line of
        ``n_features`` pixels.
    n_features : int
        Number of features of a row.

    Returns
    -------
    positions : ndarray of int of shape (height, width, n_channels)

    Raises
    ------
    ValueError
        If it is no shape, or that of an image of another size.
    """
    shape = (1, n_features) if image_shape is None else tuple(image_shape)
    if len(shape) not in (2, 3) or not all(
        isinstance(side, Integral) and side > 0 for side in shape
    ):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, n_channels) in "
            f"pixels, got {image_shape!r}."
        )
    size = int(np.prod([int(side) for side in shape]))
    if size != n_features:
        raise ValueError(
            f"image_shape={shape} has {size} values, but X has {n_features} "
            "feature(s): give the shape of the images that its rows are, channels last."
        )
    return np.arange(size).reshape(*shape[:2], -1)


def read_pair(name: str, given: Sequence[int], least: int | None = None) -> list[int]:
    """Return a pair of numbers, of rows and of columns of pixels.

    Raises
    ------
    ValueError
        If it is no pair of integers, or one is less than ``least``.
    """
    pair = list(given)
    whole = len(pair) == 2 and all(isinstance(number, Integral) for number in pair)
    if whole and (least is None or min(pair) >= least):
        return [int(number) for number in pair]
    bound = "" if least is None else f" of at least {least}"
    raise ValueError(
        f"{name} must be two integers{bound}, of rows and of columns; got {given!r}."
    )
