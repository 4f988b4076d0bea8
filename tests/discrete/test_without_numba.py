"""Where numba cannot be imported permutations are the same."""

import json
import subprocess
import sys

import numpy as np
import pytest

from destructors.discrete import TreePermutation

MODELS = {
    "glp": TreePermutation(max_depth=4),
    "random": TreePermutation(splitter="random", max_depth=4, random_state=0),
    "chow-liu": TreePermutation(base="chow-liu", max_depth=2, max_candidates=4),
}

SCRIPT = """
import json, sys, warnings
sys.modules["numba"] = None
warnings.simplefilter("ignore")
from tests.discrete.test_without_numba import results
print(json.dumps(results()))
"""


def results():
    """Everything that the models say of some rows, as lists."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, size=(300, 4))
    X[:, 2] = (X[:, 0] + X[:, 1] + (rng.uniform(size=300) < 0.2)) % 4
    found = {}
    for name, model in MODELS.items():
        model.fit(X, sample_weight=rng.uniform(0.5, 2.0, 300))
        Z = model.transform(X)
        found[name] = {
            "n_leaves": len(model.tree_),
            "latent": Z.tolist(),
            "back": model.inverse_transform(Z).tolist(),
            "scores": model.score_samples(X).tolist(),
        }
    return found


@pytest.fixture(scope="module")
def without_numba():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", MODELS)
def test_results_are_the_same(without_numba, name):
    ours, theirs = results()[name], without_numba[name]
    assert ours["n_leaves"] > 2
    for codes in ("n_leaves", "latent", "back"):
        assert ours[codes] == theirs[codes]
    np.testing.assert_allclose(ours["scores"], theirs["scores"], rtol=1e-10)
