"""The calibration job: its measures, and what it prints and writes."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import calibration
from benchmarks.__main__ import main
from destructors.linear import Whitening


def test_a_right_model_is_calibrated():
    job = calibration.Job("gaussian", "gauss", 4000, 0, 20_000)
    found = calibration.measure(Whitening(), job)
    assert abs(found["divergence"]) < 0.005
    assert np.isnan(found["optimism"])
    assert min(found["latent_p_value"], found["sample_p_value"]) > 0.01
    for level in calibration.LEVELS:
        assert abs(found[f"coverage_{level:g}"] - level) < 0.02


def test_a_wrong_model_is_found_out():
    job = calibration.Job("gaussian", "9-grid", 4000, 0, 20_000)
    found = calibration.measure(Whitening(), job)
    assert found["divergence"] > 1.0
    assert max(found["latent_p_value"], found["sample_p_value"]) < 0.05
    assert abs(found["coverage_0.5"] - 0.5) > 0.05


@pytest.mark.parametrize("law", calibration.LAWS)
def test_laws_give_rows_and_their_log_densities(law):
    X, log_density = calibration.LAWS[law](200, random_state=0)
    again, _ = calibration.LAWS[law](200, random_state=0)
    assert len(X) == len(log_density) == 200
    np.testing.assert_array_equal(X, again)


def test_equal_laws_are_rejected_at_the_nominal_rate():
    rng = np.random.default_rng(0)
    p_values = [
        calibration.alike(*rng.normal(size=(2, 60, 2)), seed) for seed in range(200)
    ]
    assert 0.01 < np.mean(np.array(p_values) <= 0.05) < 0.11


def test_decay_is_the_slope_in_logarithms():
    sizes = np.array([250, 1000, 4000])
    points = pd.DataFrame({"n_samples": sizes, "divergence": 3.0 * sizes**-0.8})
    points = points.assign(
        model="m", law="l", seed=0, n_fresh=9, latent_p_value=1.0, sample_p_value=1.0
    )
    assert calibration.decay(points) == {("m", "l"): pytest.approx(-0.8)}


def test_the_job_writes_its_figures(tmp_path, capsys):
    names = ["--quick", "--models", "gaussian", "copula", "--laws", "gauss", "banana"]
    assert main(["calibration", *names, "--output", str(tmp_path)]) == 0
    points = pd.read_csv(tmp_path / "calibration.csv")
    assert len(points) == 2 * 2 * 2
    document = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
    assert len(document["summary"]) == 8
    assert {entry["model"] for entry in document["decay"]} <= {"gaussian", "copula"}
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert "banana" in capsys.readouterr().out
