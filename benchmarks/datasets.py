"""Data for density estimation, by name.

What scikit-learn bundles and what is generated is always there. The five larger sets
are read from the folder that the environment variable ``DESTRUCTORS_DATA`` names, and
only from there: figures are of the rows in it, not of another split of the source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_sample_image,
    load_wine,
)

from benchmarks.generated import (
    gaussian_copula,
    neal_funnel,
    normal_mixture,
    student_t,
)
from benchmarks.registry import Entry, by_name, modules
from benchmarks.split import Split, split
from destructors.datasets import load_density, make_concentric_circles, make_rings
from destructors.datasets._loaders import dequantize, find_local

__all__ = ["DATASETS", "QUICK"]

_N_GENERATED = 10_000
_N_PIXELS = 20_000


# ------------------------------------------------------------------ bundled


def _dequantize_and_split(X: NDArray) -> Split:
    return split(dequantize(X, np.random.default_rng(0)))


def _diabetes() -> Split:
    data = load_diabetes(scaled=False)
    # sex has two values, and s4 is the ratio of two other columns.
    kept = [j for j, name in enumerate(data.feature_names) if name not in ("sex", "s4")]
    return _dequantize_and_split(data.data[:, kept])


def _breast_cancer() -> Split:
    X = load_breast_cancer().data
    # Where no concavity was seen, six columns are exactly zero.
    return _dequantize_and_split(X[(X > 0).all(axis=1)])


def _wine() -> Split:
    return _dequantize_and_split(load_wine().data)


def _digits() -> Split:
    images = load_digits().data.reshape(-1, 4, 2, 4, 2)
    return _dequantize_and_split(images.sum(axis=(2, 4)).reshape(-1, 16))


def _image_colors() -> Split:
    pixels = load_sample_image("china.jpg").reshape(-1, 3)
    rows = np.random.default_rng(0).choice(len(pixels), _N_PIXELS, replace=False)
    return _dequantize_and_split(pixels[rows])


def _image_patches() -> Split:
    grey = load_sample_image("flower.jpg").sum(axis=2)
    height, width = (3 * (side // 3) for side in grey.shape)
    patches = grey[:height, :width].reshape(height // 3, 3, width // 3, 3)
    patches = patches.swapaxes(1, 2).reshape(-1, 9)
    rows = np.random.default_rng(0).choice(len(patches), _N_PIXELS, replace=False)
    return _dequantize_and_split(patches[rows])


# ------------------------------------------------------------------ other sources


_GENERATED: dict[str, tuple[Callable[..., tuple[NDArray, NDArray]], str]] = {
    "rings": (
        partial(make_rings, return_log_density=True),
        "three rings, 10,000 × 2",
    ),
    "neal_funnel": (neal_funnel, "Neal's funnel, 10,000 × 5"),
    "student_t": (student_t, "Student t, 3 degrees of freedom, 10,000 × 5"),
    "normal_mixture": (normal_mixture, "six normals, 10,000 × 8"),
    "gaussian_copula": (gaussian_copula, "skew marginals, 10,000 × 6"),
}


def _generate(make: Callable[..., tuple[NDArray, NDArray]]) -> Split:
    return split(*make(_N_GENERATED, random_state=0))


def _circles() -> Split:
    """Split as published: 1,000 rows for all of the fit, in their own units."""
    X, log_density = make_concentric_circles(
        2000, random_state=0, return_log_density=True
    )
    return Split(X[:1000], X[:0], X[1000:], log_density[1000:])


def _read(name: str) -> Split:
    data = load_density(name)
    return Split(data.train, data.val, data.test)


def _miss_file(name: str) -> str:
    path = f"density/{name}.npz"
    if find_local(path):
        return ""
    return f"needs DESTRUCTORS_DATA set to a folder with {path}"


_needs_pillow = modules("PIL", install="pillow")

DATASETS = by_name(
    [
        Entry("wine", _wine, "chemistry of wines, 178 × 13", "bundled"),
        Entry("diabetes", _diabetes, "patients, 442 × 8", "bundled"),
        Entry("breast_cancer", _breast_cancer, "cell nuclei, 556 × 30", "bundled"),
        Entry("digits", _digits, "digits as 4 × 4 pixels, 1,797 × 16", "bundled"),
        Entry(
            "image_colors",
            _image_colors,
            "RGB pixels of a photo, 20,000 × 3",
            "bundled",
            _needs_pillow,
        ),
        Entry(
            "image_patches",
            _image_patches,
            "3 × 3 grey patches of a photo, 20,000 × 9",
            "bundled",
            _needs_pillow,
        ),
        *(
            Entry(name, partial(_generate, make), about, "generated")
            for name, (make, about) in _GENERATED.items()
        ),
        Entry(
            "circles",
            _circles,
            "four rings in their own units, 2,000 × 2, half of them to test",
            "generated",
        ),
        *(
            Entry(
                name,
                partial(_read, name),
                about,
                "DESTRUCTORS_DATA",
                partial(_miss_file, name),
            )
            for name, about in [
                ("wilt", "UCI Wilt, 4,821 × 5"),
                ("magic", "UCI MAGIC gamma telescope, 19,020 × 10"),
                ("satellite", "UCI Statlog Landsat, 6,435 × 36"),
                ("protein", "UCI protein tertiary structure, 45,730 × 10"),
                ("shuttle", "UCI Statlog Shuttle, 49,097 × 9"),
            ]
        ),
    ]
)

QUICK = ["diabetes", "rings", "gaussian_copula"]
