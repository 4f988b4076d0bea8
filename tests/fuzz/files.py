"""A saved file of every model of the registry, small ones."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

import destructors
from destructors.alignment import TreeBarycenter
from destructors.compose import ColumnDestructor
from destructors.estimators import (
    ConditionalDensity,
    DensityClassifier,
    DensityImputer,
    MixtureDensity,
    OutlierDetector,
)
from destructors.flows import (
    AlignmentFlow,
    DiscreteTreeFlow,
    GaussianCopula,
    PatchFlow,
    TreeFlow,
)
from destructors.linear import Standardize, Whitening
from destructors.mixture import BoostedMixtureDestructor
from tests.registry import ALIGNMENT, REGISTRY, steps

__all__ = ["BOOSTED", "NAMES", "save_models"]

NAMES = [*REGISTRY, *ALIGNMENT, "frame", "labels", "detector", "classifier"]
# Kinds of data that small tables of numbers do not bring about.
NAMES += ["mixed", "imputer", "conditional", "cells", "patches"]
# Trees of mixtures take more rows to grow.
BOOSTED = ["boosted", "boosted-folds", "boosted-flow"]
NAMES += BOOSTED


def save_models(folder: Path, names: Iterable[str] = NAMES) -> list[Path]:
    """Fit models on few rows and save them; return the files."""
    paths = []
    for name in names:
        path = folder / f"{name}.npz"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            destructors.save(_fit(name), path)
        paths.append(path)
    return paths


def _fit(name: str):
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b"], 120)
    X = rng.gamma(2.0, size=(120, 3)) + (labels == "a")[:, None]
    if name == "frame":
        kind = rng.choice(["red", "green"], 120)
        table = pd.DataFrame({"kind": kind, "n": rng.poisson(3, 120), "x": X[:, 0]})
        kinds = DiscreteTreeFlow(random_state=0)
        model = ColumnDestructor([("kind", kinds, ["kind"])], GaussianCopula())
        return model.fit(table)
    if name in ("mixed", "imputer"):
        kinds = pd.Categorical.from_codes(rng.integers(0, 3, (2, 120))[0], [*"abc"])
        table = pd.DataFrame({"kind": kinds, "n": rng.poisson(3, 120), "x": X[:, 0]})
        table["other"] = pd.Categorical(np.where(kinds == "a", labels, "c"))
        model = MixtureDensity([1, 2], random_state=0)
        return (DensityImputer(model) if name == "imputer" else model).fit(table)
    if name == "conditional":
        model = ConditionalDensity(max_trees=3, random_state=0)
        return model.fit(X[:, :1], X[:, 1:])
    if name == "cells":
        model = TreeBarycenter(min_samples_leaf=10, random_state=0)
        return model.fit(X, sample_domain=labels)
    if name == "patches":
        model = PatchFlow((4, 4), marginal=Standardize(), layer=Whitening(), max_iter=2)
        return model.fit(rng.normal(size=(120, 16)).cumsum(axis=1))
    if name == "labels":
        model = AlignmentFlow(density=Whitening(), max_iter=2, random_state=0)
        return model.fit(X, sample_domain=labels)
    if name == "detector":
        return OutlierDetector(n_folds=2, random_state=0).fit(X)
    if name == "classifier":
        return DensityClassifier(Whitening(), reject=0.1, reject_label="?").fit(
            X, labels
        )
    if name in BOOSTED:
        return _fit_boosted(name)
    if name in ALIGNMENT:
        return clone(ALIGNMENT[name][0]).fit(X)
    entry = REGISTRY[name]
    if "permutation" in name or "discrete" in name or name == "chow-liu-tree":
        X = rng.integers(0, 3, (120, 3))
    elif name == "categorical-base":
        X = rng.choice(["a", "b", "c"], (120, 2))
    elif "X" in entry.law:
        X = entry.law["X"][:120]
    model = clone(entry.destructor)
    if "max_iter" in model.get_params():
        model.set_params(max_iter=min(model.max_iter, 3))
    return model.fit(X)


def _fit_boosted(name: str):
    X = steps()[:600]
    X = np.c_[np.random.default_rng(1).gamma(2.0, size=len(X)), X]
    if name == "boosted-flow":
        model = TreeFlow(max_trees=100, random_state=0)
    else:
        n_folds = 2 if name == "boosted-folds" else None
        model = BoostedMixtureDestructor(2, n_folds=n_folds, random_state=0)
    return model.fit(X)
