"""What a file comes to that `destructors.load` is given: it is refused, or used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import destructors
from destructors.maps import Classifier, Conditional, Density, Detector, Imputer

__all__ = ["FINE", "use"]

# What may become of a file.
FINE = ("refused", "loaded", "loaded, but says why not")


def use(path: Path) -> str:
    """Load a file and use what it holds for two rows; return what became of it.

    It is refused by ValueError, or what it holds scores, samples, inverts, judges or
    fills in two rows, or says by ValueError why it does not. Anything else is raised.
    """
    try:
        model = destructors.load(path)
    except ValueError:
        return "refused"
    try:
        values = _USES[type(model)](model)
    except ValueError:
        return "loaded, but says why not"
    is_finite = all(np.isfinite(value).all() for value in values)
    return "loaded" if is_finite else "a score is not finite"


def _density(density: Density) -> list[Any]:
    domain = None if density.labels is None else np.repeat(density.labels[:1], 2)
    if density.base is None:
        X, scores = np.zeros((2, density.n_features)), []
    else:
        X = density.sample(2, 0, domain)
        scores = [density.logpdf(X, domain)]
    density.inverse(density.forward(X, domain)[0], domain)
    return scores


def _detector(model: Detector) -> list[Any]:
    rows = np.zeros((2, model.n_features))
    model.predict(rows)
    return [model.score_samples(rows), model.p_values(rows), model.explain(rows)]


def _classifier(model: Classifier) -> list[Any]:
    rows = np.zeros((2, model.n_features))
    model.predict(rows)
    return [model.score_samples(rows)]


def _conditional(model: Conditional) -> list[Any]:
    rows = np.zeros((2, model.n_features))
    y = model.sample(rows, 1, 0)[:, 0]
    scores = model.score_samples(rows, y)
    return [scores, model.cdf(rows, y), model.predict(rows), model.interval(rows)]


def _imputer(model: Imputer) -> list[Any]:
    rows = model.density.sample(2, 0)
    is_hole = np.arange(2)[:, None] == np.arange(model.n_features) % 2
    if hasattr(rows, "mask"):
        filled = model.transform(rows.mask(is_hole))
        return [filled.select_dtypes("number").to_numpy(float)]
    return [model.transform(np.where(is_hole, np.nan, rows))]


_USES: dict[type, Callable[[Any], list[Any]]] = {
    Density: _density,
    Detector: _detector,
    Classifier: _classifier,
    Conditional: _conditional,
    Imputer: _imputer,
}
