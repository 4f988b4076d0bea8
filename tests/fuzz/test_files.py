"""Damaged files: a few hundred here; `python -m tests.fuzz.mutate` for more."""

import os
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

import destructors
from destructors.estimators import DensityClassifier
from destructors.linear import Whitening
from destructors.maps import Affine
from tests.fuzz.files import BOOSTED, save_models
from tests.fuzz.mutate import run

FEW = ["spline", "tree", "permutation", "mixture", "regression", "frame", "labels"]
FEW += ["detector", "classifier", "imputer", "conditional", "boosted"]


@pytest.mark.skipif(sys.platform != "linux", reason="bounds the memory of a process")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_damaged_files_are_refused_or_hold_a_density(tmp_path, capsys):
    counts = run(range(200), 0, save_models(tmp_path, FEW))
    assert not counts["violation"], capsys.readouterr().out
    assert counts["refused"] > 100
    assert counts["loaded"] > 20


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_files_that_are_of_no_use_as_they_were_saved_are_no_finding(tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="as it was saved"):
        run(range(3), 0, [path])


def test_small_files_that_unpack_to_large_ones(tmp_path):
    [path] = save_models(tmp_path, ["spline"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.npy", bytes(2**21))
    with pytest.raises(ValueError, match="max_bytes"):
        destructors.load(path, max_bytes=2**20)
    assert destructors.load(path, max_bytes=2**22).n_features == 3


@pytest.mark.parametrize("letter", [0xD800, 0x110000, 2**32 - 1])
def test_texts_that_are_no_text_are_refused(letter, tmp_path):
    """NumPy and Python take any numbers for letters; a frame may not."""
    [path] = save_models(tmp_path, ["frame"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    [name] = [name for name, array in arrays.items() if array.dtype.kind == "U"]
    arrays[name].view(np.uint32)[1] = letter
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="what is no text"):
        destructors.load(path)


def test_no_module_is_imported_by_the_name_in_a_file(tmp_path):
    [path] = save_models(tmp_path, ["frame"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    text = arrays["header"].tobytes().replace(b'"pandas"', b'"this"')
    arrays["header"] = np.frombuffer(text, np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="Schema do not fit"):
        destructors.load(path)
    assert "this" not in sys.modules
    assert os.listdir(tmp_path) == ["frame.npz"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble", "uint8", "bool"])
def test_numbers_of_another_type_are_refused_before_kernels_are_compiled_for_them(
    dtype, tmp_path
):
    [path] = save_models(tmp_path, ["spline"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name = next(name for name, x in arrays.items() if x.dtype == np.float64)
    np.savez(path, **{**arrays, name: arrays[name].astype(dtype)})
    with pytest.raises(ValueError, match="of another dtype"):
        destructors.load(path)


def test_records_are_refused_before_kernels_are_compiled_for_them(tmp_path):
    [path] = save_models(tmp_path, ["spline"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name = next(name for name, x in arrays.items() if x.dtype == np.float64)
    records = arrays[name].view([("x", np.float64)])
    np.savez(path, **{**arrays, name: records})
    with pytest.raises(ValueError, match="of another dtype"):
        destructors.load(path)


@pytest.mark.parametrize("name", BOOSTED)
def test_files_of_boosted_mixtures_hold_trees(name, tmp_path):
    """Else none would be changed."""
    [path] = save_models(tmp_path, [name])
    with np.load(path) as file:
        header = file["header"].tobytes().decode()
        nodes = [file[n] for n in file.files if file[n].dtype == np.int32]
    assert '"BoostedRosenblatt"' in header
    assert any(len(each) > 10 for each in nodes)


def test_what_could_not_be_read_again_is_not_saved(tmp_path):
    zeros, ones = np.zeros(2, np.float32), np.ones(2)
    X = np.random.default_rng(0).normal(size=(60, 2))
    density = Whitening().fit(X).to_density()
    density = replace(density, map=Affine(zeros, ones))
    with pytest.raises(TypeError, match=r"location .* float64"):
        destructors.save(density, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
    density = replace(density, map=Affine(zeros.astype(float), ones))
    destructors.save(density, tmp_path / "model.npz")
    assert destructors.load(tmp_path / "model.npz").map == density.map


def test_what_a_user_gave_keeps_its_type(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(np.float16)
    model = DensityClassifier(Whitening()).fit(X, y)
    destructors.save(model, tmp_path / "model.npz")
    loaded = destructors.load(tmp_path / "model.npz")
    assert loaded.predict(X).dtype == np.float16


def test_conditional_densities_that_do_not_come_back_are_refused(tmp_path):
    """Latents of zero alone came back from beside a slope of 1e226."""
    [path] = save_models(tmp_path, ["conditional"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    slopes = {name: a for name, a in arrays.items() if a.shape == (22,) and a[0] > 0}
    refused = 0
    for name, array in slopes.items():
        array = array.copy()
        array[0] = 1.6e226
        np.savez(path, **{**arrays, name: array})
        try:
            loaded = destructors.load(path)
        except ValueError:
            refused += 1
        else:
            rows = np.zeros((2, loaded.n_features))
            assert np.isfinite(loaded.predict(rows)).all()
    assert refused > 0
