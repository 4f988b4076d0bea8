"""Data for density estimation: train, validation and test rows, mostly standardised.

What scikit-learn bundles and what is generated is always there. The five larger sets
are read from the folder that the environment variable ``DESTRUCTORS_DATA`` names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_sample_image,
    load_wine,
)

from benchmarks import generated
from benchmarks.registry import Entry, by_name, modules

__all__ = ["DATASETS", "QUICK", "Split"]

_N_GENERATED = 10_000
_N_PIXELS = 20_000


@dataclass(frozen=True)
class Split:
    """The three parts; in units of the training mean and deviation but for circles.

    Attributes
    ----------
    train, val, test : ndarray of shape (n_samples, n_features)
        Fit on the first, choose on the second, report on the third. Where the second
        is empty, models hold out some of their training rows instead.
    truth : ndarray of shape (n_test_samples,) or None
        True log density of the test rows, in nats, where it is known.
    """

    train: NDArray
    val: NDArray
    test: NDArray
    truth: NDArray | None = None

    def head(self, n_samples: int) -> Split:
        """Keep the first rows: ``n_samples`` to train on, a third of that elsewhere."""
        n_held_out = n_samples // 3
        truth = None if self.truth is None else self.truth[:n_held_out]
        return replace(
            self,
            train=self.train[:n_samples],
            val=self.val[:n_held_out],
            test=self.test[:n_held_out],
            truth=truth,
        )


# ------------------------------------------------------------------ preparation


def _split(
    X: NDArray, log_density: Callable[[NDArray], NDArray] | None = None
) -> Split:
    """Shuffle, part 60/20/20 and standardise."""
    X = np.random.default_rng(0).permutation(X)
    train, val, test = np.split(X, [int(0.6 * len(X)), int(0.8 * len(X))])
    mean, scale = train.mean(axis=0), train.std(axis=0)
    # Densities change with the unit of measurement, by the Jacobian of the scaling.
    truth = None if log_density is None else log_density(test) + np.log(scale).sum()
    train, val, test = ((part - mean) / scale for part in (train, val, test))
    return Split(train, val, test, truth)


def _dequantize(X: NDArray) -> NDArray:
    """Add uniform noise, as wide as the smallest gap, to columns with ties."""
    rng = np.random.default_rng(0)
    X = np.array(X, dtype=np.float64)
    for column in X.T:
        values = np.unique(column)
        if len(values) < len(column):
            column += np.diff(values).min() * rng.uniform(size=len(column))
    return X


# ------------------------------------------------------------------ bundled


def _diabetes() -> Split:
    data = load_diabetes(scaled=False)
    # sex has two values, and s4 is the ratio of two other columns.
    kept = [j for j, name in enumerate(data.feature_names) if name not in ("sex", "s4")]
    return _split(_dequantize(data.data[:, kept]))


def _breast_cancer() -> Split:
    X = load_breast_cancer().data
    # Where no concavity was seen, six columns are exactly zero.
    return _split(_dequantize(X[(X > 0).all(axis=1)]))


def _wine() -> Split:
    return _split(_dequantize(load_wine().data))


def _digits() -> Split:
    images = load_digits().data.reshape(-1, 4, 2, 4, 2)
    return _split(_dequantize(images.sum(axis=(2, 4)).reshape(-1, 16)))


def _image_colors() -> Split:
    pixels = load_sample_image("china.jpg").reshape(-1, 3)
    rows = np.random.default_rng(0).choice(len(pixels), _N_PIXELS, replace=False)
    return _split(_dequantize(pixels[rows]))


def _image_patches() -> Split:
    grey = load_sample_image("flower.jpg").sum(axis=2)
    height, width = (3 * (side // 3) for side in grey.shape)
    patches = grey[:height, :width].reshape(height // 3, 3, width // 3, 3)
    patches = patches.swapaxes(1, 2).reshape(-1, 9)
    rows = np.random.default_rng(0).choice(len(patches), _N_PIXELS, replace=False)
    return _split(_dequantize(patches[rows]))


# ------------------------------------------------------------------ other sources


def _generate(make: Callable[..., generated.Generated]) -> Split:
    return _split(*make(np.random.default_rng(0), _N_GENERATED))


def _circles() -> Split:
    """Split as published: 1,000 rows for all of the fit, in their own units."""
    X, log_density = generated.circles(np.random.default_rng(0), 2000)
    train, test = X[:1000], X[1000:]
    return Split(train, X[:0], test, log_density(test))


def _read(name: str) -> Split:
    with np.load(_folder() / f"{name}.npz") as parts:
        return Split(parts["train"], parts["val"], parts["test"])


def _folder() -> Path:
    return Path(os.environ.get("DESTRUCTORS_DATA", "")) / "density"


def _file_missing(name: str) -> str:
    if not os.environ.get("DESTRUCTORS_DATA"):
        return f"needs DESTRUCTORS_DATA set to a folder with density/{name}.npz"
    path = _folder() / f"{name}.npz"
    return "" if path.is_file() else f"needs {path}"


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
            Entry(make.__name__, partial(_generate, make), about, "generated")
            for make, about in [
                (generated.rings, "three rings, 10,000 × 2"),
                (generated.neal_funnel, "Neal's funnel, 10,000 × 5"),
                (generated.student_t, "Student t, 3 degrees of freedom, 10,000 × 5"),
                (generated.normal_mixture, "six normals, 10,000 × 8"),
                (generated.gaussian_copula, "skew marginals, 10,000 × 6"),
            ]
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
                partial(_file_missing, name),
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
