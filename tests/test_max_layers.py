"""Scores by the first layers only."""

import numpy as np
import pytest

from destructors.flows import RBIG
from destructors.tree import BoostedTreeDestructor

X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
MODELS = [RBIG(max_iter=4), BoostedTreeDestructor(max_iter=4)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_scores_by_few_layers_are_those_of_the_stage(model):
    model.set_params(early_stopping=False, random_state=0).fit(X)
    for n_layers, scores in enumerate(model.staged_score_samples(X), 1):
        few = model.score_samples(X, max_layers=n_layers)
        np.testing.assert_allclose(few, scores, rtol=1e-9, atol=1e-9)
    every = model.score_samples(X)
    np.testing.assert_array_equal(model.score_samples(X, max_layers=100), every)
    np.testing.assert_allclose(scores, every, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="max_layers must be None or an integer"):
        model.score_samples(X, max_layers=0)
