"""The job that measures densities of one column given others."""

import json

import numpy as np
import pytest
from scipy import stats

from benchmarks import conditional
from benchmarks.__main__ import main


def test_conditional_prints_and_writes_its_figures(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(conditional, "_N_TRAIN", 150)
    monkeypatch.setattr(conditional, "_N_TEST", 100)
    models = ["ConditionalDensity", "quantile boosting"]
    words = ["--datasets", "skewed", "--models", *models, "--output", str(tmp_path)]
    assert main(["conditional", *words]) == 0
    content = json.loads((tmp_path / "conditional.json").read_text())
    assert [row["model"] for row in content["results"]] == models
    assert all(0.0 <= row["coverage"] <= 1.0 for row in content["results"])
    assert all(row["log_density"] < row["truth"] for row in content["results"])
    assert "quantile boosting" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(conditional.GENERATED))
def test_the_density_of_what_is_generated_is_known(name):
    X, y, log_density = conditional.GENERATED[name](np.random.default_rng(0), 4000)
    # What is known is better than a Gaussian about the mean.
    assert X.shape == (4000, 3)
    assert log_density.mean() > stats.norm(y.mean(), y.std()).logpdf(y).mean()
