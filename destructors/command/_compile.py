"""The kernels that fits need, compiled before the first fit."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from destructors.command._jobs import MODELS
from destructors.estimators import OutlierDetector
from destructors.flows import AlignmentFlow
from destructors.mixture import GaussianMixtureDestructor

__all__ = ["use_models"]


def use_models() -> None:
    """Use each model once, on few rows: what that calls is compiled, and kept."""
    with warnings.catch_warnings():
        # Whether such small fits are good ones is not the question.
        warnings.simplefilter("ignore")
        for model, X, given in _list_fits(np.random.default_rng(0)):
            if "random_state" in model.get_params():
                model.set_params(random_state=0)
            model.fit(X, **given)
            if hasattr(model, "score_samples"):
                model.score_samples(X)
            if hasattr(model, "sample"):
                model.sample(5)
            if hasattr(model, "inverse_transform"):
                model.inverse_transform(model.transform(X, **given), **given)


def _list_fits(rng: np.random.Generator) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """List models, their rows, and what else ``fit`` takes."""
    X = rng.standard_normal((400, 5))
    X[:, 1:] += 0.5 * X[:, :-1] ** 2
    codes = np.clip(X, -2.0, 2.0).round().astype(int)
    for name, model in MODELS.items():
        yield model(), codes if name == "discrete-tree-flow" else X, {}
    yield AlignmentFlow(), X, {"sample_domain": np.arange(len(X)) % 2}
    yield OutlierDetector(), X, {}
    # So many components that EM lists those that have a part in a row.
    clusters = rng.standard_normal((1500, 2)) + 6.0 * rng.integers(0, 8, (1500, 2))
    yield GaussianMixtureDestructor(n_components=64), clusters, {}
