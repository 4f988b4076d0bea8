"""Density trees whose splits are those of a scikit-learn tree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._affine import Affine
from destructors.maps._cube import to_cube
from destructors.maps._tree_kernels import SPLIT


def learn_given(
    tree: Any, units: Affine, Z: NDArray, weight: NDArray
) -> tuple[NDArray, NDArray]:
    """Return a tree whose splits are given, with probabilities that are learned.

    Parameters
    ----------
    tree : estimator
        A fitted scikit-learn tree.
    units : Affine
        What brings its features to standard units.
    Z : ndarray of shape (n_samples, n_features)
        Rows in standard units.
    weight : ndarray of shape (n_samples,)
        Their weights.

    Returns
    -------
    splits : ndarray of shape (n_splits,), dtype SPLIT
        A split that leaves one side empty, or too thin for its digits, is left out.
    gains : ndarray of shape (n_splits,)
        Log-likelihood that each split brings, in nats times weight.

    Raises
    ------
    ValueError
        If the tree is not fitted, or on another number of features.
    """
    structure, d = getattr(tree, "tree_", None), Z.shape[1]
    if structure is None:
        raise ValueError(
            f"tree must be a fitted scikit-learn tree; {tree!r} is not fitted."
        )
    if structure.n_features != d:
        raise ValueError(
            f"tree was fitted on {structure.n_features} features, but X has {d}."
        )
    thresholds, inner = structure.threshold.copy(), structure.feature >= 0
    used = structure.feature[inner]
    thresholds[inner] = (thresholds[inner] - units.location[used]) / units.scale[used]
    # Single precision numbers, as the tree will hold them, to calculate with in double.
    U, cuts = to_cube(Z), to_cube(thresholds).astype(np.float32).astype(np.float64)
    splits: list[tuple[int, int, float, float]] = []
    gains: list[float] = []
    # Per node: its place there and here, its rows, its box and the image of the box.
    box = np.repeat([[0.0], [1.0]], d, axis=1)
    todo = [(0, 0, np.arange(len(U)), box, box)]
    while todo:
        place, node, rows, box, image = todo.pop()
        f, cut = structure.feature[place], cuts[place]
        children = structure.children_left[place], structure.children_right[place]
        if f < 0:
            continue
        (low, high), (low_image, high_image) = box[:, f], image[:, f]
        if not low < cut < high:
            # The cut misses the box, or lies beyond the cube.
            todo.append((children[int(cut <= low)], node, rows, box, image))
            continue
        is_below = U[rows, f] < cut
        v = (cut - low) / (high - low)
        mass, below = weight[rows].sum(), weight[rows[is_below]].sum()
        # One row's worth of uniform mass keeps an empty part of the box possible.
        p = (below + v) / (mass + 1.0)
        cut_image = float(np.float32(low_image + p * (high_image - low_image)))
        if not low_image < cut_image < high_image:
            continue
        gain = below * np.log(p / v) + (mass - below) * np.log((1.0 - p) / (1.0 - v))
        gains.append(gain)
        splits.append((node, f, cut, cut_image))
        for side, kept in enumerate((is_below, ~is_below)):
            part, part_image = box.copy(), image.copy()
            part[1 - side, f], part_image[1 - side, f] = cut, cut_image
            child = 2 * len(splits) - 1 + side
            todo.append((children[side], child, rows[kept], part, part_image))
    return np.array(splits, SPLIT), np.array(gains)
