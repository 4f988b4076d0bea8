"""The job of samples: what can be told apart is, and what cannot is not."""

import json

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.samples import measure
from benchmarks.split import Split
from destructors.linear import Whitening


def normal(n_samples, seed):
    x = np.random.default_rng(seed).normal(size=(n_samples, 2))
    return np.c_[x[:, 0], x[:, 0] + 0.3 * x[:, 1]]


def test_samples_of_the_truth_are_not_told_from_test_rows():
    data = Split(normal(2000, 0), normal(400, 1), normal(400, 2))
    found = measure(Whitening(), data, 2)
    assert abs(found["area"] - 0.5) < 0.06
    assert abs(found["floor"] - 0.5) < 0.06


def test_samples_of_another_density_are():
    ring = [
        x / np.linalg.norm(x, axis=1)[:, None] for x in np.split(normal(2400, 0), 3)
    ]
    found = measure(Whitening(), Split(*ring), 2)
    assert found["area"] > 0.8
    assert abs(found["floor"] - 0.5) < 0.1


def test_a_run_writes_what_it_prints(tmp_path, capsys):
    words = ["samples", "--datasets", "wine", "--models", "gaussian", "--draws", "1"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    assert "floor" in capsys.readouterr().out
    (result,) = json.loads((tmp_path / "samples.json").read_text())["results"]
    assert result["set"] == "wine"
    assert result["test rows"] == 36


@pytest.mark.parametrize("words", [["--draws", "0"], ["--models", "no-model"]])
def test_nonsense_is_refused(tmp_path, words):
    with pytest.raises(SystemExit, match="2"):
        main(["samples", *words, "--datasets", "wine", "--output", str(tmp_path)])
