"""The benchmark of densities on files and classes of one's own."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from destructors.linear import Whitening


class Own(Whitening):
    """A model that is named by its import path."""


OWN = f"{__name__}:Own"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["size", "price"])
    X.assign(label="u").to_csv("mine.csv", index=False)
    np.save("rows.npy", X.to_numpy())
    parts = {"train": X[:100], "val": X[100:150], "test": X[150:]}
    (tmp_path / "density").mkdir()
    np.savez("density/parted.npz", **{k: v.to_numpy() for k, v in parts.items()})
    return tmp_path


def results(folder):
    document = json.loads((folder / "results" / "density.json").read_text())
    return {(row["dataset"], row["model"]): row for row in document["results"]}


def test_files_and_models_of_ones_own(folder, monkeypatch):
    monkeypatch.setenv("DESTRUCTORS_DATA", str(folder))
    job = ["--data", "mine.csv", "--target", "label", "--datasets", "parted"]
    assert main([*job, "--models", "gaussian", OWN]) == 0
    found = results(folder)
    assert set(found) == {
        (data, model) for data in ("mine", "parted") for model in ("gaussian", OWN)
    }
    ours, theirs = found["mine", OWN], found["mine", "gaussian"]
    assert ours["log_likelihood"] == theirs["log_likelihood"]
    assert found["parted", OWN]["n_train"] == 100


def test_arrays_need_no_names(folder):
    assert main(["--data", "rows.npy", "--models", "gaussian"]) == 0
    assert results(folder)["rows", "gaussian"]["n_features"] == 2


def test_an_interrupted_run_resumes(folder, capsys):
    job = ["--data", "rows.npy", "--models", "gaussian"]
    assert main(job) == 0
    first = results(folder)["rows", "gaussian"]
    assert main([*job, OWN, "--resume"]) == 0
    found = results(folder)
    assert found["rows", "gaussian"] == first
    assert ("rows", OWN) in found
    with pytest.raises(SystemExit, match="2"):
        main([*job, "--resume", "--random-state", "1"])
    assert "leave out --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.csv"], "there is no file none.csv"),
        (["--models", "nowhere:Model"], "cannot be imported"),
        (["--models", "math:pi"], "can be called"),
        (["--max-time", "-3"], "-3 is not above 0"),
        (["--threads", "0"], "integer of at least 1"),
        (["--random-state", "-1"], "integer of at least 0"),
    ],
)
def test_nonsense_is_refused(folder, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "mine.csv"], "columns label are no numbers"),
        (["--data", "mine.csv", "--target", "kind"], "no column 'kind'"),
        (["--data", "rows.npy", "--target", "kind"], "no names of columns"),
    ],
)
def test_rows_that_cannot_be_modelled_are_told(folder, capsys, arguments, message):
    assert main([*arguments, "--models", "gaussian"]) == 1
    assert message in capsys.readouterr().out
