"""The job of the deep density destructors: what it prints and writes."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.stats import multivariate_normal

from benchmarks import paper_ddd
from benchmarks.__main__ import main
from benchmarks.circles import draw_published_circles
from destructors.metrics import bits_per_dim


def test_circles(tmp_path, capsys):
    words = ["paper", "ddd", "--quick", "--only", "Gaussian", "random linear"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("random linear")]
    assert line.split()[2:4] == ["-3.695", "152"]
    results = json.loads((tmp_path / "ddd.json").read_text(encoding="utf-8"))["results"]
    assert -4.7 < results["Gaussian"]["score"] < -4.2
    assert results["random linear"]["n_layers"] <= 3


def test_images(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    stroke = rng.integers(2, size=(150, 16)) * 200
    X = stroke + rng.integers(30, size=(150, 16))
    parts = tuple((part + 0.5) / 256 for part in np.split(X, 3))
    monkeypatch.setattr(paper_ddd, "_SIDE", 4)
    monkeypatch.setattr(paper_ddd, "load_pixels", lambda n, m: parts)
    monkeypatch.setattr(paper_ddd, "find_local", lambda path: path)
    words = ["paper", "ddd", "--quick", "--only", "deep copula", "pixel mixture"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    [line] = [line for line in lines if line.startswith("deep copula  ")]
    assert line.split()[2] == "-1060.3"
    [line] = [line for line in lines if line.startswith("pixel mixture  ")]
    assert line.split()[2] == "-"
    assert imread(tmp_path / "ddd_samples.png").std() > 0.05


def test_without_mnist_it_is_named(monkeypatch, capsys):
    monkeypatch.setattr(paper_ddd, "find_local", lambda path: None)
    with pytest.raises(SystemExit):
        main(["paper", "ddd", "--only", "deep copula"])
    assert "images/mnist.npz" in capsys.readouterr().err


def test_logit_space_is_that_of_pixels():
    X = np.array([[0.1, 0.9]])
    alpha, step = 1e-6, 1e-6
    logit = lambda x: np.log(s := alpha + (1 - 2 * alpha) * x) - np.log1p(-s)
    slope = (logit(X + step) - logit(X - step)) / (2 * step)
    log_det = paper_ddd.logit_log_det(X, alpha)
    np.testing.assert_allclose(log_det, np.log(slope).sum(axis=1), atol=1e-6)
    # Bits are those of pixels in both spaces.
    score = np.array([3.0])
    assert bits_per_dim(score - log_det, 2, log_det=log_det) == bits_per_dim(score, 2)


def test_circles_are_the_very_rows_of_the_published_table():
    """The authors' own test states what a Gaussian scores on them, to the last digit
    (``scripts/test_toy_experiment.py`` of their code)."""
    train, test, truth = draw_published_circles()
    assert train.shape == test.shape == (1000, 2)
    model = multivariate_normal(train.mean(axis=0), np.cov(train.T, ddof=0))
    assert model.logpdf(train).mean() == pytest.approx(-4.436517571477813, abs=1e-12)
    assert model.logpdf(test).mean() == pytest.approx(-4.440092999888506, abs=1e-12)
    error = truth.std() / np.sqrt(1000)
    assert truth.mean() == pytest.approx(-3.257, abs=3 * error)
