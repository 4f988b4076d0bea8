"""The neural flows that the density job can compare with, and doing without them."""

import csv
import importlib.util
import json
import sys
from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest

from benchmarks import density
from benchmarks.__main__ import main
from benchmarks.models import MODELS

ABSENT = [name for name in ("torch", "zuko") if importlib.util.find_spec(name) is None]
needs_extra = pytest.mark.skipif(
    bool(ABSENT), reason=f"{' and '.join(ABSENT)} not installed (extra 'bench')"
)
FLOWS = ["maf", "nsf"]


def models_in(folder):
    with open(folder / "density.csv", encoding="utf-8", newline="") as file:
        return [row["model"] for row in csv.DictReader(file)]


# ------------------------------------------------------------------ without the extra


@pytest.fixture
def no_extra(monkeypatch):
    for name in ("torch", "zuko"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    "options",
    [["--models", "gaussian", "--peers"], ["--models", "gaussian", "maf", "nsf"]],
)
def test_run_says_what_is_missing_and_goes_on(no_extra, options, tmp_path, capsys):
    arguments = ["--datasets", "diabetes", *options, "--output", str(tmp_path)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for name in FLOWS:
        assert f"{name} is left out: it needs torch and zuko (pip install" in printed
    assert models_in(tmp_path) == ["gaussian"]


def test_only_the_missing_one_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "torch" or None
    )
    options = ["--models", "gaussian", "nsf", "--output", str(tmp_path)]
    assert main(["--datasets", "diabetes", *options]) == 0
    assert "nsf is left out: it needs torch (pip" in capsys.readouterr().out


def test_nothing_left_to_run_is_an_error(no_extra, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--models", "nsf"])
    assert exit_.value.code == 2
    assert "'nsf' needs torch and zuko (pip install" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], set()),
        (["--peers"], set(FLOWS)),
        (["--models", "gaussian", "nsf"], {"nsf"}),
        (["--models", "nsf", "--peers"], set(FLOWS)),
    ],
)
def test_neural_flows_run_only_if_asked_for(monkeypatch, options, expected):
    everything = {n: replace(e, missing=lambda: "") for n, e in MODELS.items()}
    monkeypatch.setattr(density, "MODELS", everything)
    monkeypatch.setitem(sys.modules, "torch", MagicMock())
    chosen = []
    monkeypatch.setattr(
        density, "_evaluate_all", lambda datasets, models, *_: chosen.extend(models)
    )
    assert main(["--datasets", "wine", *options]) == 0
    names = [entry.name for entry in chosen]
    assert set(names) & set(FLOWS) == expected
    assert len(names) == len(set(names))
    if "--models" not in options:
        assert set(names) - set(FLOWS) == set(MODELS) - set(FLOWS)


# ------------------------------------------------------------------ with the extra


@pytest.fixture
def neural_flow():
    """Make flows that are small enough to train in a second or so."""
    if ABSENT:
        pytest.skip(f"{' and '.join(ABSENT)} not installed (extra 'bench')")
    from benchmarks.neural import NeuralFlow

    def make(flow, random_state=0, **parameters):
        small = {
            "n_transforms": 2,
            "hidden_features": (32,),
            "learning_rate": 5e-3,
            "patience": 9,
        }
        return NeuralFlow(flow, random_state, **{**small, **parameters})

    return make


def bent(n_samples, seed):
    """Draw a normal bent along a parabola, and its log density."""
    first, noise = np.random.default_rng(seed).standard_normal((2, n_samples))
    log_density = -(first**2 + noise**2) / 2 - np.log(2 * np.pi) - np.log(0.3)
    return np.stack([first, 0.5 * first**2 + 0.3 * noise], axis=1), log_density


@pytest.fixture(scope="module")
def parts():
    return [bent(n, seed)[0] for seed, n in enumerate((2000, 500))]


@pytest.mark.parametrize("flow", FLOWS)
def test_density_is_learned_and_integrates_to_one(neural_flow, parts, flow):
    train, val = parts
    model = neural_flow(flow).fit(train, X_val=val)
    test, truth = bent(2000, seed=2)
    gap = truth - model.score_samples(test)
    assert gap.mean() == pytest.approx(0.0, abs=0.1)
    x = np.arange(-6.0, 6.0, 0.03)
    y = np.arange(-4.0, 16.0, 0.03)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    mass = np.exp(model.score_samples(grid)).sum() * 0.03**2
    assert mass == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("flow", FLOWS)
def test_samples_follow_the_density(neural_flow, parts, flow):
    train, val = parts
    model = neural_flow(flow).fit(train, X_val=val)
    X = model.sample(4000, random_state=1)
    assert X.shape == (4000, 2)
    np.testing.assert_array_equal(X, model.sample(4000, random_state=1))
    # The mean of 1 / p over the rows in a box is the volume of the box over its mass.
    low, high = np.array([-0.5, -0.2]), np.array([0.5, 0.4])
    inside = X[((low < X) & (high > X)).all(axis=1)]
    ratios = np.exp(-model.score_samples(inside)) / np.prod(high - low)
    error = np.sqrt((ratios**2).sum()) / len(X)
    assert error < 0.1
    assert ratios.sum() / len(X) == pytest.approx(1.0, abs=4 * error)


def test_training_stops_early_with_the_weights_of_the_best_epoch(neural_flow, parts):
    train, val = parts
    model = neural_flow("nsf", batch_size=64).fit(train[:200], X_val=val)
    scores = model.validation_score_
    best = model.n_iter_
    assert len(scores) == best + model.patience
    assert scores[best - 1] >= max(scores) - model.tol
    # Few rows are overfitted: the last weights are worse than the best.
    assert scores[-1] < scores[best - 1] - model.tol
    assert model.score_samples(val).mean() == pytest.approx(scores[best - 1], abs=1e-6)
    assert model.size_ == f"{len(scores)} epochs, best {best}"


def test_caps_are_told(neural_flow, parts):
    train, val = parts
    model = neural_flow("maf", max_epochs=2).fit(train, X_val=val)
    assert model.size_ == "2 epochs, best 2, stopped by max_epochs"
    model = neural_flow("maf").fit(train, X_val=val, max_time=0.0)
    assert model.size_ == "1 epochs, best 1, stopped by max_time"


def test_fit_depends_on_its_seed_alone(neural_flow, parts):
    import torch

    train, val = parts

    def scores(random_state):
        model = neural_flow("nsf", random_state, max_epochs=1)
        return model.fit(train, X_val=val).score_samples(val)

    before = torch.random.get_rng_state()
    first = scores(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(7)
    np.testing.assert_array_equal(scores(0), first)
    assert not np.array_equal(scores(1), first)


def test_without_validation_rows_some_are_held_out(neural_flow, parts):
    train, _ = parts
    model = neural_flow("maf", max_epochs=1).fit(train)
    [score] = model.validation_score_
    # Neither all rows nor a part of another size: 400 of 2,000.
    from benchmarks.peers import hold_out

    _, held_out = hold_out(train, None)
    assert held_out.shape == (400, 2)
    assert model.score_samples(held_out).mean() == pytest.approx(score, abs=1e-6)


@pytest.mark.filterwarnings("ignore:overflow")
def test_validation_that_is_never_finite_is_an_error(neural_flow, parts):
    train, val = parts
    with pytest.raises(FloatingPointError, match="never finite"):
        neural_flow("maf").fit(train[:200], X_val=np.vstack([val, [[1e38, 1e38]]]))


@needs_extra
def test_job_measures_neural_flows(tmp_path, capsys):
    import torch

    n_threads = torch.get_num_threads()
    arguments = ["--datasets", "circles", "--quick", "--max-time", "0"]
    arguments += ["--models", "gaussian", "--peers", "--output", str(tmp_path)]
    try:
        assert main(arguments) == 0
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(n_threads)
    document = json.loads((tmp_path / "density.json").read_text(encoding="utf-8"))
    assert document["environment"]["versions"]["torch"] == torch.__version__
    assert document["arguments"]["max_time"] == 0
    results = {result["model"]: result for result in document["results"]}
    assert list(results) == ["true density", "gaussian", "maf", "nsf"]
    for name in FLOWS:
        result = results[name]
        assert np.isfinite(result["log_likelihood"])
        assert result["log_likelihood"] < results["true density"]["log_likelihood"]
        assert result["sample_rows_per_second"] > 0
        assert result["fit_seconds"] > 0
        assert result["size"] == "1 epochs, best 1, stopped by max_time"
    assert "stopped by max_time" in capsys.readouterr().out
