"""Where numba cannot be imported trees are the same, and one warning says so."""

import json
import subprocess
import sys

import numpy as np
import pytest

from destructors.tree import BoostedTreeDestructor, TreeDestructor

MODELS = {
    "tree": TreeDestructor(),
    "random": TreeDestructor(
        splitter="random", max_features=1, min_gain=0.0, random_state=0
    ),
    "look-ahead": TreeDestructor(splitter="look-ahead", min_samples_leaf=0),
    "boosted": BoostedTreeDestructor(max_iter=12, max_bins=16, random_state=0),
    "subsample": BoostedTreeDestructor(
        max_iter=6, subsample=0.7, max_features=2, max_leaf_nodes=20, random_state=0
    ),
}

SCRIPT = """
import json, sys, warnings
sys.modules["numba"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from tests.tree.test_without_numba import MODELS, results
    found = results()
print(json.dumps([found, [str(warning.message) for warning in caught]]))
"""


def results():
    """Everything that the models say of some rows, as lists."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    X[:, 1] += X[:, 0] ** 2
    X[0] = [9.0, 0.0, -9.0]
    weight = rng.uniform(0.5, 2.0, 600)
    found = {}
    for name, model in MODELS.items():
        model.fit(X, sample_weight=weight)
        Z, log_det = model.transform_and_log_det(X)
        back, _ = model.inverse_and_log_det(Z)
        splits = model.map_[1].splits
        found[name] = {
            "node": splits["node"].tolist(),
            "feature": splits["feature"].tolist(),
            "t_in": splits["t_in"].tolist(),
            "latent": Z.tolist(),
            "log_det": log_det.tolist(),
            "back": back.tolist(),
            "importances": model.feature_importances_.tolist(),
        }
    return found


@pytest.fixture(scope="module")
def without_numba():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def test_one_warning(without_numba):
    [message] = without_numba[1]
    assert "numba cannot be imported" in message


@pytest.mark.parametrize("name", MODELS)
def test_results_are_the_same(without_numba, name):
    ours, theirs = results()[name], without_numba[0][name]
    assert len(ours["node"]) > 3
    for integers in ("node", "feature", "t_in"):
        assert ours[integers] == theirs[integers]
    for floats in ("latent", "log_det", "back", "importances"):
        np.testing.assert_allclose(ours[floats], theirs[floats], rtol=0, atol=1e-12)
