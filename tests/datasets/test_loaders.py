"""Loaders: the local folder, the data home, a source with a checksum, and advice."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import fetch_file, get_data_home

from destructors.datasets import (
    _loaders,
    load_anomaly,
    load_cop,
    load_density,
    load_mnist,
    load_mushroom,
)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Make files that are "public": on this disk, as there is no network in tests.

    There is no local folder, and the data home is empty.
    """
    monkeypatch.delenv("DESTRUCTORS_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "home"))
    monkeypatch.setattr(_loaders, "fetch_file", partial(fetch_file, delay=0))

    def make(path, write):
        public = tmp_path / Path(path).name
        write(public)
        url = public.as_uri().replace("file://", "file://localhost")
        checksum = hashlib.sha256(public.read_bytes()).hexdigest()
        monkeypatch.setitem(_loaders.SOURCES, path, (checksum, url))

    return make


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, size=(20, 4))


@pytest.fixture
def cop(source, codes, tmp_path):
    """Put a data set on this disk in the place of a public one."""
    source(_loaders._COP["COP-H"], partial(np.save, arr=codes))
    return tmp_path / "coup_data_4_2.npy"


# ---------------------------------------------------------------- fetching


def test_fetched_once_then_kept(cop, codes):
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)
    cop.unlink()
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)


def test_the_local_folder_comes_first(cop, codes, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTRUCTORS_DATA", str(tmp_path / "local"))
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)
    own = tmp_path / "local" / "discrete" / "coup_data_4_2.npy"
    own.parent.mkdir(parents=True)
    np.save(own, 1 - codes)
    np.testing.assert_array_equal(load_cop("COP-H").data, 1 - codes)


def test_another_checksum_is_refused(cop, codes):
    np.save(cop, 1 - codes)
    with pytest.raises(OSError, match=r"SHA256 .* differs .*DESTRUCTORS_DATA"):
        load_cop("COP-H")
    # Nothing of it is kept.
    assert not [path for path in Path(get_data_home()).rglob("*") if path.is_file()]


def test_a_damaged_copy_is_fetched_again(cop, codes, tmp_path):
    load_cop("COP-H")
    kept = tmp_path / "home" / "destructors" / "discrete" / "coup_data_4_2.npy"
    np.save(kept, 1 - codes)
    with pytest.warns(UserWarning, match="re-downloading"):
        np.testing.assert_array_equal(load_cop("COP-H").data, codes)


def test_nothing_there_is_tried_again_and_gives_advice(cop):
    cop.unlink()
    message = "cannot be fetched .*found at DESTRUCTORS_DATA/discrete/coup_data_4_2.npy"
    with (
        pytest.warns(UserWarning, match="Retry downloading"),
        pytest.raises(OSError, match=message),
    ):
        load_cop("COP-H")


def test_no_public_address_gives_advice(source):
    message = (
        "protein.npz cannot be fetched .* public address.*DESTRUCTORS_DATA/density"
    )
    with pytest.raises(OSError, match=message):
        load_density("protein")


def test_anomaly_and_density_from_the_source(source):
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 9, 200), rng.normal(size=200), np.full(200, 2.0)]
    y = (rng.uniform(size=200) < 0.1).astype(float)
    source("anomaly/Wilt.npz", partial(np.savez, X=X, y=y))
    data = load_anomaly("Wilt")
    np.testing.assert_array_equal(data.data, X)
    np.testing.assert_array_equal(data.target, y)
    parts = load_density("wilt")
    assert [len(parts[name]) for name in ("train", "val", "test")] == [160, 20, 20]
    np.testing.assert_allclose(parts.train.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(parts.train.std(axis=0)[:2], 1.0)
    # No value repeats: integers are dequantized.
    assert len(np.unique(parts.train[:, 0])) == 160


def test_mnist_in_the_layout_of_keras(source):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(12, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, size=12).astype(np.uint8)
    write = partial(
        np.savez,
        x_train=images[:8],
        y_train=labels[:8],
        x_test=images[8:],
        y_test=labels[8:],
    )
    source("images/mnist.npz", write)
    data = load_mnist()
    np.testing.assert_array_equal(data.X_train, images[:8].reshape(8, 784))
    np.testing.assert_array_equal(data.y_test, labels[8:])


@pytest.mark.parametrize("header", [False, True])
def test_mushroom_with_and_without_header(source, header):
    letters = np.random.default_rng(0).choice(list("abc?"), size=(10, 23))
    lines = [",".join(row) for row in letters]
    if header:
        lines.insert(0, _loaders._MUSHROOM_NAMES)
    write = partial(Path.write_text, data="\n".join(lines) + "\n")
    source("discrete/mushroom.csv", write)
    data = load_mushroom()
    assert data.feature_names[:2] == ["poisonous", "cap-shape"]
    for j, categories in enumerate(data.categories):
        np.testing.assert_array_equal(
            np.array(categories)[data.data[:, j]], letters[:, j]
        )


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("load", [load_anomaly, load_cop, load_density])
def test_unknown_names_list_the_known(load):
    with pytest.raises(ValueError, match=r"There is no .* 'iris'; choose from .*,"):
        load("iris")


# ---------------------------------------------------------------- real data


def real(path, load):
    if _loaders.find_local(path) is None:
        pytest.skip(f"needs DESTRUCTORS_DATA with {path}")
    return load()


# Rows, columns and anomalies, as the collection has them.
@pytest.mark.parametrize(
    ("name", "shape", "n_anomalies"),
    [
        ("annthyroid", (7200, 6), 534),
        ("breastw", (683, 9), 239),
        ("cardio", (1831, 21), 176),
        ("Ionosphere", (351, 32), 126),
        ("landsat", (6435, 36), 1333),
        ("magic.gamma", (19020, 10), 6688),
        ("mammography", (11183, 6), 260),
        ("pendigits", (6870, 16), 156),
        ("Pima", (768, 8), 268),
        ("satimage-2", (5803, 36), 71),
        ("shuttle", (49097, 9), 3511),
        ("thyroid", (3772, 6), 93),
        ("vowels", (1456, 12), 50),
        ("Waveform", (3443, 21), 100),
        ("Wilt", (4819, 5), 257),
    ],
)
def test_local_anomaly_data_are_those_of_the_collection(name, shape, n_anomalies):
    data = real(f"anomaly/{name}.npz", partial(load_anomaly, name))
    assert data.data.shape == shape
    assert np.isfinite(data.data).all()
    np.testing.assert_array_equal(
        np.bincount(data.target), [shape[0] - n_anomalies, n_anomalies]
    )


@pytest.mark.parametrize("name", _loaders._DENSITY)
def test_local_density_data(name):
    data = real(f"density/{name}.npz", partial(load_density, name))
    np.testing.assert_allclose(data.train.mean(axis=0), 0.0, atol=1e-9)
    assert data.train.shape[1] == data.val.shape[1] == data.test.shape[1]


@pytest.mark.parametrize(("name", "path"), _loaders._COP.items())
def test_local_copies_have_the_checksum(name, path):
    data = real(path, partial(load_cop, name))
    assert data.data.shape == (10_000, 4)
    found = hashlib.sha256(_loaders.find(path).read_bytes()).hexdigest()
    assert found == _loaders.SOURCES[path][0]


def test_local_mushroom_has_the_checksum_below_its_header():
    path = "discrete/mushroom.csv"
    data = real(path, load_mushroom)
    assert data.data.shape == (8124, 23)
    assert data.data.max() + 1 == max(map(len, data.categories))
    _, _, rows = _loaders.find(path).read_bytes().partition(b"\n")
    assert hashlib.sha256(rows).hexdigest() == _loaders.SOURCES[path][0]


def test_local_images():
    data = real("images/mnist.npz", load_mnist)
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    # The number of images of each digit, as everyone has them.
    np.testing.assert_array_equal(
        np.bincount(data.y_train),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    )
    assert data.X_train.mean() == pytest.approx(33.318, abs=1e-3)
