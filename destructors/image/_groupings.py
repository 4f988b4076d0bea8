"""Groupings: which features stand together in a group."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from destructors._compat import Interval
from destructors.image._shape import IMAGE_SHAPE, pixel_positions, read_pair


class Grouping(BaseEstimator, metaclass=ABCMeta):
    """Base of what says which features stand together.

    A subclass gives `make_groups`. Like an estimator it has parameters, but nothing is
    fitted: it knows positions only.

    See Also
    --------
    FeatureGroups : Fits a destructor to each group.
    """

    _parameter_constraints: ClassVar[dict] = {}

    @abstractmethod
    def make_groups(
        self, n_features: int, random_state: np.random.RandomState
    ) -> list[NDArray]:
        """Return groups of features.

        Parameters
        ----------
        n_features : int
            Number of features.
        random_state : RandomState
            Source of randomness, for groups that are drawn.

        Returns
        -------
        groups : list of ndarray of int of shape (n_groups, group_size)
            Positions of features, a group a row. Groups in one array are alike: the
            same place in each stands for the same thing. No feature is in two groups.

        Raises
        ------
        ValueError
            If a parameter does not fit so many features.
        """


class RandomFeaturePairs(Grouping):
    """Pairs of features that are drawn; of an odd number one is left alone.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import RandomFeaturePairs
    >>> [pairs] = RandomFeaturePairs().make_groups(7, np.random.RandomState(0))
    >>> pairs.shape
    (3, 2)
    """

    def make_groups(
        self, n_features: int, random_state: np.random.RandomState
    ) -> list[NDArray]:
        """Return pairs of features; see `Grouping.make_groups`."""
        order = random_state.permutation(n_features)
        return [order[: n_features - n_features % 2].reshape(-1, 2)]


class ImageFeaturePairs(Grouping):
    """Pairs of pixels, one ``direction`` apart, of the same channel.

    Going from pixel to pixel in that direction, every other step is within a pair. So
    with ``offset`` 0 and 1 each pixel is paired with the one before it and the one
    after it in two layers, and in eight layers with its eight neighbours.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    direction : tuple of (int, int), default=(0, 1)
        Rows and columns from a pixel to its partner: ``(0, 1)`` is to the right and
        ``(1, -1)`` down to the left.
    offset : {0, 1}, default=0
        Which of the steps are within pairs: the even or the odd ones.
    wrap : bool, default=True
        Whether the image goes on at the opposite side. Otherwise pixels without a
        partner are left alone; so is one of an odd cycle in any case.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, the experiment on
    MNIST, where pairs of pixels in eight directions are destroyed one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import ImageFeaturePairs
    >>> pairs = ImageFeaturePairs((2, 4), offset=1)
    >>> pairs.make_groups(8, np.random.RandomState(0))
    [array([[1, 2],
           [3, 0],
           [5, 6],
           [7, 4]])]
    """

    # Those to the neighbours; the others are the same pairs, seen from the other pixel.
    DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": IMAGE_SHAPE,
        "direction": ["array-like"],
        "offset": [Interval(Integral, 0, 1, closed="both")],
        "wrap": ["boolean"],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        direction: Sequence[int] = (0, 1),
        offset: int = 0,
        wrap: bool = True,
    ):
        self.image_shape = image_shape
        self.direction = direction
        self.offset = offset
        self.wrap = wrap

    def make_groups(
        self, n_features: int, random_state: np.random.RandomState
    ) -> list[NDArray]:
        """Return pairs of pixels; see `Grouping.make_groups`."""
        positions = pixel_positions(self.image_shape, n_features)
        height, width = positions.shape[:2]
        down, right = read_pair("direction", self.direction)
        step = np.array([down, right])
        if not step.any():
            raise ValueError("direction=(0, 0) leads from a pixel to itself.")
        sides, pairs = np.array([height, width]), []
        # Chains of pixels that follow one another; with wrap they close to cycles.
        seen = np.zeros((height, width), dtype=bool)
        for start in np.ndindex(height, width):
            before = np.array(start) - step
            has_before = ((before >= 0) & (before < sides)).all()
            if seen[start] or (has_before and not self.wrap):
                continue
            chain, at = [], np.array(start)
            while (self.wrap or ((at >= 0) & (at < sides)).all()) and not seen[
                tuple(at % sides)
            ]:
                at = at % sides
                seen[tuple(at)] = True
                chain.append(tuple(at))
                at = at + step
            if self.offset and self.wrap and len(chain) % 2 == 0:
                chain = [*chain[1:], chain[0]]
            elif self.offset:
                chain = chain[1:]
            pairs += list(zip(chain[::2], chain[1::2], strict=False))
        if not pairs:
            return [np.empty((0, 2), dtype=np.intp)]
        rows, columns = np.moveaxis(np.array(pairs), -1, 0)
        groups = positions[rows, columns]  # (n_pairs, 2, n_channels)
        return [np.ascontiguousarray(groups.swapaxes(1, 2).reshape(-1, 2))]


class ImagePatches(Grouping):
    """Patches of neighbouring pixels, of all channels, that tile the image.

    Layers whose ``offset`` differs see across each other's borders.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    patch_shape : tuple of (int, int), default=(4, 4)
        Rows and columns of a patch; those of the image, where that is smaller.
    offset : tuple of (int, int), default=(0, 0)
        Rows and columns by which all patches are moved down and to the right.
    wrap : bool, default=True
        Whether a patch that is moved over the border goes on at the opposite side.
        Otherwise patches end there. Where sides are no multiples of those of a patch,
        the last ones are smaller in any case.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import ImagePatches
    >>> whole, rest = ImagePatches((2, 5), patch_shape=(2, 2)).make_groups(
    ...     10, np.random.RandomState(0)
    ... )
    >>> whole
    array([[0, 1, 5, 6],
           [2, 3, 7, 8]])
    >>> rest
    array([[4, 9]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": IMAGE_SHAPE,
        "patch_shape": ["array-like"],
        "offset": ["array-like"],
        "wrap": ["boolean"],
    }

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        *,
        patch_shape: Sequence[int] = (4, 4),
        offset: Sequence[int] = (0, 0),
        wrap: bool = True,
    ):
        self.image_shape = image_shape
        self.patch_shape = patch_shape
        self.offset = offset
        self.wrap = wrap

    def make_groups(
        self, n_features: int, random_state: np.random.RandomState
    ) -> list[NDArray]:
        """Return patches, those of one size together; see `Grouping.make_groups`."""
        positions = pixel_positions(self.image_shape, n_features)
        sizes = read_pair("patch_shape", self.patch_shape, 1)
        offsets = read_pair("offset", self.offset)
        rows, columns = (
            _cut_side(side, size, offset, self.wrap)
            for side, size, offset in zip(
                positions.shape[:2], sizes, offsets, strict=True
            )
        )
        alike: dict[tuple[int, int], list[NDArray]] = {}
        for row in rows:
            for column in columns:
                patch = positions[np.ix_(row, column)].ravel()
                alike.setdefault((len(row), len(column)), []).append(patch)
        return [np.array(patches) for patches in alike.values()]


def _cut_side(side: int, size: int, offset: int, wrap: bool) -> list[NDArray]:
    """Return the positions along one side that each patch takes."""
    if size >= side and wrap:
        return [np.arange(side)]
    first = offset % size
    if wrap:
        return np.split((np.arange(side) + offset) % side, range(size, side, size))
    parts = np.split(np.arange(side), range(first, side, size))
    return [part for part in parts if len(part)]


def check_grouping(groups: Any) -> Grouping:
    """Return a grouping whose parameters have been validated.

    Raises
    ------
    TypeError, ValueError
        If it is none, or has a parameter of no use.
    """
    if not isinstance(groups, Grouping):
        raise TypeError(
            "groups must be a grouping such as RandomFeaturePairs() or ImagePatches(), "
            f"got {groups!r}."
        )
    groups._validate_params()
    return groups
