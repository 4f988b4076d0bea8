"""Public data sets for densities, anomalies, images and codes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from destructors.datasets._fetch import Source, digest, find_local, get

__all__ = ["load_anomaly", "load_cop", "load_density", "load_mnist", "load_mushroom"]

_ADBENCH = "https://github.com/Minqi824/ADBench/raw/main/adbench/datasets/Classical"
# Number in the collection, and checksum of X (float64) and y (int8).
_ANOMALY = {
    "annthyroid": (
        2,
        "f094b7e07a8d16d9f0355f39d0353d8d02ff3d06b26575fef02579680c7f8520",
    ),
    "breastw": (4, "0b9670df12148191d925301377e90b4caa30a3e4511ac7baa9da1c61e733403c"),
    "cardio": (6, "ba5c5a510e50c15659b102de3bb666c7c3267ab78d7a143a2cc43dd29724cd9d"),
    "Ionosphere": (
        18,
        "5b9a52dd4c87d1e6052a52a221c62d71ab9fc2c8344f4c09e47590ec43e8d088",
    ),
    "landsat": (19, "7b25a244ce44a70013437e0c32e12173b16ca11f6451979ece2116cd8f032cb2"),
    "magic.gamma": (
        22,
        "0ec370a86ca0c1a3fce2a19f591c7eb823a5c8c263f627582f24d5552a0764ec",
    ),
    "mammography": (
        23,
        "5911a5934def5d2890d7d5f0a0a997b4f788dbbffdcaba7482cd00e3bdd3da19",
    ),
    "pendigits": (
        28,
        "50c2eb7dd674b06199711a9228449cb4e03b25ae5abbc47896977a5f99dbee03",
    ),
    "Pima": (29, "c7a74961f2e1294ad8d49cdf11c29406d0bba151ac9a14dfa2c4ec088d1c33d6"),
    "satimage-2": (
        31,
        "f3e795e68d7dbc85c603bcf821dfb3f24357952719b9b17e542c3ba07c323826",
    ),
    "shuttle": (32, "7b6a1b32c8cc3b91e883f489818980316d5ce0ff192e3f5960ae5ccf518af3a9"),
    "thyroid": (38, "1edd51e274646760fcd8969ddcfb5e44a15eec3a90aa0454be8b54eae7a47886"),
    "vowels": (40, "e6f92d24dc30a805d7a70a5774e6db054e0d36fa24d60397929a148350ddbd5e"),
    "Waveform": (
        41,
        "b7333651bbc5c84535fe6a5e06dda7460e13bb40caa464428f4320ca8dcd72fa",
    ),
    "Wilt": (44, "ad77833a47f78b7aca76911dbdcbc92a83c77ea3810531e38b2c59a477ef4c08"),
}
# The set of the collection that each is made of; where there is none, the source has
# no checksum to tell it by.
_DENSITY = {
    "wilt": "Wilt",
    "magic": "magic.gamma",
    "satellite": "landsat",
    "shuttle": "shuttle",
    "protein": None,
}
_COP_FOLDER = "https://github.com/inouye-lab/Discrete-Tree-Flows/raw/main/data"
_COP = {
    "COP-H": Source(
        "discrete/coup_data_4_2.npy",
        f"{_COP_FOLDER}/coup_data_4_2.npy",
        "9b3416ada505709ef5797a73c8a27fc9a0d021df3c01c014fbed3924894b95d4",
    ),
    "COP-M": Source(
        "discrete/coup_data_4_2_moderate_corr.npy",
        f"{_COP_FOLDER}/coup_data_4_2_moderate_corr.npy",
        "ecbd337dfe7382f958ec728e5ed7a1192e372111320b933e6bb7a4450fb481bd",
    ),
    "COP-W": Source(
        "discrete/coup_data_4_2_weak_corr.npy",
        f"{_COP_FOLDER}/coup_data_4_2_weak_corr.npy",
        "1c65d3efaf5ce50b8b2741891596b1d46a2dc5fcd127d051deb17ee6f6ace76c",
    ),
}
_MUSHROOM = Source(
    "discrete/mushroom.csv",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/mushroom/"
    "agaricus-lepiota.data",
    "1b20ecdf25f1e446d94afaa3f2d3455a48deb7baaa7d117d936ba95a2b6f6329",
)
_MUSHROOM_NAMES = (
    "poisonous,cap-shape,cap-surface,cap-color,bruises?,odor,gill-attachment,"
    "gill-spacing,gill-size,gill-color,stalk-shape,stalk-root,"
    "stalk-surface-above-ring,stalk-surface-below-ring,stalk-color-above-ring,"
    "stalk-color-below-ring,veil-type,veil-color,ring-number,ring-type,"
    "spore-print-color,population,habitat"
)
_MNIST = Source(
    "images/mnist.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "5a4d4600f9ae243d0ab9ee1ff6d948035e6f85a423fdfacf899262ac3ca6f325",
)


def load_density(name: str) -> Bunch:
    """Load a data set for density estimation: training, validation and test rows.

    Columns with repeated values are dequantized by uniform noise as wide as their
    smallest gap, rows are shuffled and parted 80/10/10, and all are standardised by
    mean and standard deviation of the training rows. Report the mean log density of the
    test rows, in nats, in this space.

    Parameters
    ----------
    name : {"wilt", "magic", "satellite", "shuttle", "protein"}
        Which.

    Returns
    -------
    data : Bunch
        ``train``, ``val``, ``test`` : ndarray of shape (n_samples, n_features);
        ``DESCR`` : str.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    OSError
        If it is neither in the folder that the environment variable
        ``DESTRUCTORS_DATA`` names nor in scikit-learn's data home, and cannot be
        fetched. "protein" has to be in that folder.

    Notes
    -----
    Read from ``DESTRUCTORS_DATA/density/<name>.npz``. Without it, the same is made of
    the source (see `load_anomaly`), but with other noise and another shuffle: scores
    agree as those of two random splits do.
    """
    member = _choose(name, _DENSITY, "density data set")
    path = f"density/{name}.npz"
    if local := find_local(path):
        with np.load(local) as parts:
            return Bunch(
                **{part: parts[part] for part in ("train", "val", "test")},
                DESCR=f"{name}, from {path}",
            )
    if member is None:
        source = Source(path, "", "")
        return get(source, _read_nothing, digest)
    return Bunch(**_prepare(load_anomaly(member).data), DESCR=f"{name}, from ADBench")


def load_anomaly(name: str) -> Bunch:
    """Load a data set for anomaly detection from the ADBench collection.

    Parameters
    ----------
    name : str
        Such as "annthyroid" or "satimage-2"; a wrong name lists all.

    Returns
    -------
    data : Bunch
        ``data`` : ndarray of shape (n_samples, n_features), as published;
        ``target`` : ndarray of int of shape (n_samples,), 1 for an anomaly;
        ``DESCR`` : str.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    OSError
        If it is neither in the folder that the environment variable
        ``DESTRUCTORS_DATA`` names (as ``anomaly/<name>.npz``) nor in scikit-learn's
        data home, and cannot be fetched.

    References
    ----------
    S. Han, X. Hu, H. Huang, M. Jiang and Y. Zhao, *ADBench: anomaly detection
    benchmark*, NeurIPS 2022.
    """
    number, sha256 = _choose(name, _ANOMALY, "anomaly data set")
    source = Source(f"anomaly/{name}.npz", f"{_ADBENCH}/{number}_{name}.npz", sha256)
    X, y = get(source, _read_anomaly, digest)
    return Bunch(data=X, target=y.astype(np.intp), DESCR=f"{name}, from ADBench")


def load_mnist() -> Bunch:
    """Load the MNIST handwritten digits, in their original order.

    The usual density protocol trains on the first 50,000 training images, validates on
    the last 10,000, dequantizes by ``(x + u) / 256`` and reports nats and bits per
    dimension.

    Returns
    -------
    data : Bunch
        ``X_train`` : ndarray of uint8 of shape (60000, 784), ``y_train``, ``X_test`` :
        ndarray of uint8 of shape (10000, 784), ``y_test``; ``DESCR`` : str.

    Raises
    ------
    OSError
        If it is neither in the folder that the environment variable
        ``DESTRUCTORS_DATA`` names (as ``images/mnist.npz``) nor in scikit-learn's data
        home, and cannot be fetched.
    """
    arrays = get(_MNIST, _read_mnist, digest)
    names = ("X_train", "y_train", "X_test", "y_test")
    return Bunch(**dict(zip(names, arrays, strict=True)), DESCR="MNIST")


def load_mushroom() -> Bunch:
    """Load the UCI Mushroom data as integer codes.

    Returns
    -------
    data : Bunch
        ``data`` : ndarray of int of shape (8124, 23), codes ``0 … k_j - 1``, the class
        (edible or poisonous) in the first column; ``feature_names`` : list of str;
        ``categories`` : list of list of str, what each code stands for; ``DESCR`` :
        str.

    Raises
    ------
    OSError
        If it is neither in the folder that the environment variable
        ``DESTRUCTORS_DATA`` names (as ``discrete/mushroom.csv``) nor in scikit-learn's
        data home, and cannot be fetched.
    """
    [letters] = get(_MUSHROOM, _read_mushroom, digest)
    codes, categories = np.empty(letters.shape, dtype=np.intp), []
    for j, column in enumerate(letters.T):
        values, codes[:, j] = np.unique(column, return_inverse=True)
        categories.append([chr(value) for value in values])
    return Bunch(
        data=codes,
        feature_names=_MUSHROOM_NAMES.split(","),
        categories=categories,
        DESCR="UCI Mushroom",
    )


def load_cop(name: str) -> Bunch:
    """Load a binary data set with couples of copies, from the discrete tree flows.

    Parameters
    ----------
    name : {"COP-H", "COP-M", "COP-W"}
        With high, moderate or weak correlation.

    Returns
    -------
    data : Bunch
        ``data`` : ndarray of int of shape (10000, 4), zeros and ones; ``DESCR`` : str.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    OSError
        If it is neither in the folder that the environment variable
        ``DESTRUCTORS_DATA`` names (in ``discrete/``) nor in scikit-learn's data home,
        and cannot be fetched.

    References
    ----------
    M. Elkady, J. Lim and D. I. Inouye, *Discrete tree flows via tree-structured
    permutations*, ICML 2022.
    """
    source = _choose(name, _COP, "COP data set")
    [codes] = get(source, _read_cop, digest)
    return Bunch(data=codes.astype(np.intp), DESCR=f"{name}, from discrete tree flows")


# ---------------------------------------------------------------- files


def _read_nothing(path: Path) -> list[NDArray]:
    raise OSError(f"{path} cannot be read.")


def _read_anomaly(path: Path) -> list[NDArray]:
    with np.load(path) as arrays:
        return [arrays["X"].astype(np.float64), arrays["y"].ravel().astype(np.int8)]


def _read_mnist(path: Path) -> list[NDArray]:
    with np.load(path) as arrays:
        # Keras calls them x_train and so on, and keeps images square.
        found = {name.lower(): arrays[name] for name in arrays.files}
    names = ("x_train", "y_train", "x_test", "y_test")
    parts = [found[name].astype(np.uint8) for name in names]
    return [part.reshape(len(part), -1) if part.ndim > 1 else part for part in parts]


def _read_mushroom(path: Path) -> list[NDArray]:
    rows = [line.split(",") for line in path.read_text().split()]
    if ",".join(rows[0]) == _MUSHROOM_NAMES:
        del rows[0]
    return [np.array(rows, dtype="S1").view(np.uint8)]


def _read_cop(path: Path) -> list[NDArray]:
    return [np.load(path).astype(np.int64)]


# ---------------------------------------------------------------- helpers


def _choose(name: str, known: Mapping[str, Any], what: str) -> Any:
    if name not in known:
        raise ValueError(
            f"There is no {what} {name!r}; choose from {', '.join(known)}."
        )
    return known[name]


def _prepare(X: NDArray) -> dict[str, NDArray]:
    """Dequantize, shuffle, part and standardise."""
    rng = np.random.default_rng(0)
    X = X.copy()
    for column in X.T:
        values = np.unique(column)
        if 1 < len(values) < len(column):
            column += np.diff(values).min() * rng.uniform(size=len(column))
    X = rng.permutation(X)
    train, val, test = np.split(X, [int(0.8 * len(X)), int(0.9 * len(X))])
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale == 0] = 1.0
    parts = {"train": train, "val": val, "test": test}
    return {name: (part - mean) / scale for name, part in parts.items()}
