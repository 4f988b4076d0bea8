"""Loaders: the local folder, the data home, a server with a checksum, and advice."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.datasets import get_data_home

from destructors.datasets import (
    _fetch,
    _loaders,
    load_anomaly,
    load_cop,
    load_density,
    load_mnist,
    load_mushroom,
)


class QuietHandler(SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def log_message(self, *args):
        self.requests.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine; no local folder, and an empty data home."""
    folder = tmp_path / "served"
    folder.mkdir()
    QuietHandler.requests = []
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.delenv("DESTRUCTORS_DATA", raising=False)
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "home"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, size=(20, 4))


@pytest.fixture
def cop(server, codes, monkeypatch):
    """A data set of the server in the place of a public one."""
    folder, url = server
    np.save(folder / "cop.npy", codes)
    source = _fetch.Source(
        "discrete/cop.npy", f"{url}/cop.npy", _fetch.digest([codes.astype(np.int64)])
    )
    monkeypatch.setitem(_loaders._COP, "COP-H", source)
    return folder / "cop.npy"


# ---------------------------------------------------------------- fetching


def test_fetched_once_then_kept(cop, codes):
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)
    cop.unlink()
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)
    assert QuietHandler.requests == ["/cop.npy"]


def test_another_checksum_is_refused(cop, codes):
    np.save(cop, 1 - codes)
    with pytest.raises(OSError, match=r"has the checksum .*DESTRUCTORS_DATA"):
        load_cop("COP-H")
    cop.write_text("<html>moved</html>")
    with pytest.raises(OSError, match="is not what it was"):
        load_cop("COP-H")
    # Nothing of it is kept.
    assert not [path for path in Path(get_data_home()).rglob("*") if path.is_file()]


def test_a_damaged_copy_is_fetched_again(cop, codes, tmp_path):
    load_cop("COP-H")
    kept = tmp_path / "home" / "destructors" / "discrete" / "cop.npy"
    np.save(kept, 1 - codes)
    np.testing.assert_array_equal(load_cop("COP-H").data, codes)


def test_nothing_there_gives_advice(server, monkeypatch):
    _, url = server
    for address in (f"{url}/missing.npy", "http://127.0.0.1:9/cop.npy"):
        source = _fetch.Source("discrete/cop.npy", address, "0")
        monkeypatch.setitem(_loaders._COP, "COP-H", source)
        message = "cannot be fetched .*found at DESTRUCTORS_DATA/discrete/cop.npy"
        with pytest.raises(OSError, match=message):
            load_cop("COP-H")
    with pytest.raises(OSError, match=r"density/protein.npz has no public address"):
        load_density("protein")


def test_anomaly_and_density_from_the_server(server, monkeypatch):
    folder, url = server
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 9, 200), rng.normal(size=200), np.full(200, 2.0)]
    y = (rng.uniform(size=200) < 0.1).astype(float)
    np.savez(folder / "44_Wilt.npz", X=X, y=y)
    sha256 = _fetch.digest([X, y.astype(np.int8)])
    monkeypatch.setattr(_loaders, "_ADBENCH", url)
    monkeypatch.setitem(_loaders._ANOMALY, "Wilt", (44, sha256))
    data = load_anomaly("Wilt")
    np.testing.assert_array_equal(data.data, X)
    np.testing.assert_array_equal(data.target, y)
    parts = load_density("wilt")
    assert [len(parts[name]) for name in ("train", "val", "test")] == [160, 20, 20]
    np.testing.assert_allclose(parts.train.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(parts.train.std(axis=0)[:2], 1.0)
    # No value repeats: integers are dequantized.
    assert len(np.unique(parts.train[:, 0])) == 160


def test_mnist_in_the_layout_of_keras(server, monkeypatch):
    folder, url = server
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(12, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, size=12).astype(np.uint8)
    np.savez(
        folder / "mnist.npz",
        x_train=images[:8],
        y_train=labels[:8],
        x_test=images[8:],
        y_test=labels[8:],
    )
    flat = images.reshape(12, 784)
    sha256 = _fetch.digest([flat[:8], labels[:8], flat[8:], labels[8:]])
    source = _fetch.Source("images/mnist.npz", f"{url}/mnist.npz", sha256)
    monkeypatch.setattr(_loaders, "_MNIST", source)
    data = load_mnist()
    np.testing.assert_array_equal(data.X_train, flat[:8])
    np.testing.assert_array_equal(data.y_test, labels[8:])


@pytest.mark.parametrize("header", [False, True])
def test_mushroom_with_and_without_header(server, monkeypatch, header):
    folder, url = server
    letters = np.random.default_rng(0).choice(list("abc"), size=(10, 23))
    lines = [",".join(row) for row in letters]
    if header:
        lines.insert(0, _loaders._MUSHROOM_NAMES)
    (folder / "mushroom").write_text("\n".join(lines) + "\n")
    sha256 = _fetch.digest([letters.astype("S1").view(np.uint8)])
    source = _fetch.Source("discrete/mushroom.csv", f"{url}/mushroom", sha256)
    monkeypatch.setattr(_loaders, "_MUSHROOM", source)
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
    if _fetch.find_local(path) is None:
        pytest.skip(f"needs DESTRUCTORS_DATA with {path}")
    return load()


@pytest.mark.parametrize("name", _loaders._ANOMALY)
def test_local_anomaly_data_have_the_checksum(name):
    path = f"anomaly/{name}.npz"
    data = real(path, partial(load_anomaly, name))
    assert set(np.unique(data.target)) == {0, 1}
    arrays = [data.data, data.target.astype(np.int8)]
    assert _fetch.digest(arrays) == _loaders._ANOMALY[name][1]


@pytest.mark.parametrize("name", _loaders._DENSITY)
def test_local_density_data(name):
    data = real(f"density/{name}.npz", partial(load_density, name))
    np.testing.assert_allclose(data.train.mean(axis=0), 0.0, atol=1e-9)
    assert data.train.shape[1] == data.val.shape[1] == data.test.shape[1]


def test_local_codes_have_the_checksum():
    for name, source in _loaders._COP.items():
        data = real(source.path, partial(load_cop, name))
        assert data.data.shape == (10_000, 4)
        assert _fetch.digest([data.data.astype(np.int64)]) == source.sha256
    data = real(_loaders._MUSHROOM.path, load_mushroom)
    assert data.data.shape == (8124, 23)
    assert data.data.max() + 1 == max(map(len, data.categories))


def test_local_images_have_the_checksum():
    data = real(_loaders._MNIST.path, load_mnist)
    arrays = [data[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    assert _fetch.digest(arrays) == _loaders._MNIST.sha256
