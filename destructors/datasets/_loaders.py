"""Public data sets for densities, anomalies, images and codes."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_file, get_data_home
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.utils import Bunch

_FOLDER = "DESTRUCTORS_DATA"
_LISTED = Path(__file__).with_name("sources.txt").read_text().splitlines()
# Checksum and address of each public file, by its path below the local folder and the
# data home. Addresses on GitHub name a commit, so that what is there cannot change.
SOURCES = {path: (sha256, url) for path, sha256, url in map(str.split, _LISTED)}
_ANOMALY = [Path(path).stem for path in SOURCES if path.startswith("anomaly/")]
_COP = {
    "COP-H": "discrete/coup_data_4_2.npy",
    "COP-M": "discrete/coup_data_4_2_moderate_corr.npy",
    "COP-W": "discrete/coup_data_4_2_weak_corr.npy",
}
_BINARY = ("nltcs", "plants", "baudio", "accidents", "dna", "bbc")
# The set of the collection that each is made of, where it is of one.
_DENSITY = {
    "wilt": "Wilt",
    "magic": "magic.gamma",
    "satellite": "landsat",
    "shuttle": "shuttle",
    "protein": None,
}
_MUSHROOM_NAMES = (
    "poisonous,cap-shape,cap-surface,cap-color,bruises?,odor,gill-attachment,"
    "gill-spacing,gill-size,gill-color,stalk-shape,stalk-root,"
    "stalk-surface-above-ring,stalk-surface-below-ring,stalk-color-above-ring,"
    "stalk-color-below-ring,veil-type,veil-color,ring-number,ring-type,"
    "spore-print-color,population,habitat"
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
    _check_name(name, _DENSITY, "density data set")
    path, member = f"density/{name}.npz", _DENSITY[name]
    if member is not None and not find_local(path):
        return Bunch(**_part(load_anomaly(member).data), DESCR=f"{name}, from ADBench")
    with np.load(find(path)) as arrays:
        parts = {key: arrays[key] for key in ("train", "val", "test")}
    return Bunch(**parts, DESCR=f"{name}, from {path}")


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
    _check_name(name, _ANOMALY, "anomaly data set")
    with np.load(find(f"anomaly/{name}.npz")) as arrays:
        return Bunch(
            data=arrays["X"].astype(np.float64),
            target=arrays["y"].ravel().astype(np.intp),
            DESCR=f"{name}, from ADBench",
        )


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
    with np.load(find("images/mnist.npz")) as arrays:
        # Keras calls them x_train and so on, and keeps images square.
        found = {name.replace("x_", "X_"): arrays[name] for name in arrays.files}
    for name in ("X_train", "X_test"):
        found[name] = found[name].reshape(-1, 784)
    return Bunch(**found, DESCR="MNIST")


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
    rows = np.loadtxt(find("discrete/mushroom.csv"), dtype=str, delimiter=",")
    names = _MUSHROOM_NAMES.split(",")
    if rows[0].tolist() == names:
        rows = rows[1:]
    encoder = OrdinalEncoder(dtype=np.intp)
    return Bunch(
        data=encoder.fit_transform(rows),
        feature_names=names,
        categories=[values.tolist() for values in encoder.categories_],
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
    _check_name(name, _COP, "COP data set")
    codes = np.load(find(_COP[name]))
    return Bunch(data=codes.astype(np.intp), DESCR=f"{name}, from discrete tree flows")


def load_binary(name: str) -> Bunch:
    """Load a binary data set of the literature on tractable models, as it is parted.

    Parameters
    ----------
    name : {"nltcs", "plants", "baudio", "accidents", "dna", "bbc"}
        Which.

    Returns
    -------
    data : Bunch
        ``train``, ``val``, ``test`` : ndarray of int of shape (n_samples, n_features),
        zeros and ones; ``DESCR`` : str.

    Raises
    ------
    ValueError
        If there is no data set of that name.
    OSError
        If it is not in the folder that the environment variable ``DESTRUCTORS_DATA``
        names, as ``discrete/debd/<name>.npz``.

    References
    ----------
    J. Van Haaren and J. Davis, *Markov network structure learning: a randomized feature
    generation approach*, AAAI 2012.
    """
    _check_name(name, _BINARY, "binary data set")
    path = f"discrete/debd/{name}.npz"
    with np.load(find(path)) as arrays:
        parts = {
            key: arrays[member].astype(np.intp)
            for key, member in (("train", "train"), ("val", "valid"), ("test", "test"))
        }
    return Bunch(**parts, DESCR=f"{name}, from {path}")


def _check_name(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        listed = ", ".join(known)
        raise ValueError(f"There is no {what} {name!r}; choose from {listed}.")


def find_local(path: str) -> Path | None:
    """Return where a file is in the folder that DESTRUCTORS_DATA names, if there."""
    found = Path(os.environ.get(_FOLDER, ""), path)
    return found if os.environ.get(_FOLDER) and found.is_file() else None


def find(path: str) -> Path:
    """Return where a file is: in the local folder, else in the data home.

    What is not in the data home, or has another checksum there, is fetched into it. A
    file of the local folder is taken as it is: its owner may have packed it anew.

    Raises
    ------
    OSError
        If the file is in neither place and cannot be fetched, or what comes has another
        checksum.
    """
    if local := find_local(path):
        return local
    sha256, url = SOURCES.get(path, ("", ""))
    try:
        if not url:
            raise OSError("it has no public address")
        kept = Path(get_data_home(), "destructors", path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        return fetch_file(
            url, folder=kept.parent, local_filename=kept.name, sha256=sha256
        )
    except OSError as error:
        raise OSError(
            f"{path} cannot be fetched from {url or 'the web'} ({error}). Put the file "
            f"into a folder and set the environment variable {_FOLDER} to that folder, "
            f"so that it is found at {_FOLDER}/{path}."
        ) from error


def dequantize(X: NDArray, rng: np.random.Generator) -> NDArray:
    """Return rows with uniform noise in columns whose values repeat.

    The noise is as wide as the smallest gap between values of the column: a density has
    no place for point masses.
    """
    X = np.array(X, dtype=np.float64)
    for column in X.T:
        values = np.unique(column)
        if 1 < len(values) < len(column):
            column += np.diff(values).min() * rng.uniform(size=len(column))
    return X


def _part(X: NDArray) -> dict[str, NDArray]:
    """Return dequantized, shuffled and standardised rows, 80/10/10."""
    rng = np.random.default_rng(0)
    X = rng.permutation(dequantize(X, rng))
    train, val, test = np.split(X, [int(0.8 * len(X)), int(0.9 * len(X))])
    scaler = StandardScaler().fit(train)
    parts = {"train": train, "val": val, "test": test}
    return {name: scaler.transform(rows) for name, rows in parts.items()}
