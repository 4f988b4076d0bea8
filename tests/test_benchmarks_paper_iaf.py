"""The job that runs the experiments of papers again."""

import json

import numpy as np
import pytest

from benchmarks import paper_iaf
from benchmarks.__main__ import main
from benchmarks.sinkhorn import sinkhorn_cost
from destructors.metrics import wasserstein_distance


def test_moons_and_circles_beside_the_reference(tmp_path, capsys):
    words = ["paper", "iaf", "--only", "moons-circles", "--quick"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "moons-circles: two moons and two circles" in printed
    assert "reference INB (K = 2), 3 layers: test .0291" in printed
    figures = json.loads((tmp_path / "iaf.json").read_text())["results"]
    figures = figures["moons-circles"]
    assert figures["translation"] < 0.1 * figures["before"]
    assert figures["round_trip"] < 1e-8


def test_digits_are_drawn(tmp_path, capsys, monkeypatch):
    """With random images, as the real ones may not be there."""
    rng = np.random.default_rng(0)
    draw = lambda quick: tuple(
        [rng.uniform(0.01, 0.5 + 0.4 * k, size=(40, 784)) for k in (0, 1)]
        for _ in range(3)
    )
    experiment = paper_iaf.Experiment(
        "noise", draw, {"max_iter": 1, "cv": None}, images=True
    )
    monkeypatch.setitem(paper_iaf.EXPERIMENTS, "digits-2", experiment)
    main(["paper", "iaf", "--only", "digits-2", "--output", str(tmp_path)])
    assert (tmp_path / "iaf-digits-2.png").stat().st_size > 1000
    assert "reference INB, 50 layers: translation 21.4" in capsys.readouterr().out


def test_unknown_names(capsys):
    for words in (["paper", "gan"], ["paper", "iaf", "--only", "squares"]):
        with pytest.raises(SystemExit):
            main(words)
    assert "'squares' is unknown; choose from moons-circles" in capsys.readouterr().err


def test_sinkhorn_comes_close_to_the_exact_cost():
    """Well within its iterations on rows this close, and a little above."""
    X, Y = np.random.default_rng(0).normal(size=(2, 50, 2))
    exact = wasserstein_distance(X, Y)
    given = sinkhorn_cost(X, Y, regularization=0.05, max_iter=2000, tol=1e-9)
    assert exact <= given < exact + 0.1
