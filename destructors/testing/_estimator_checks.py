"""Checks of the estimator: what is fitted, from what, and what comes out."""

from __future__ import annotations

import importlib.util
import pickle
import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from destructors.maps import load, save
from destructors.testing._case import Case, require

__all__ = [
    "check_clone_and_pickle",
    "check_dataframe",
    "check_input_types",
    "check_input_untouched",
    "check_outputs",
    "check_random_state",
    "check_refit",
    "check_sample_weight",
    "check_saved",
]


def check_outputs(case: Case) -> None:
    """Shapes, types, names and definitions of what the public methods give.

    `score_samples` is the log-density of the latent plus the log-determinant and
    `score` its weighted mean, to 1e-10; `fit_transform` is `fit`, then `transform`;
    `sample` gives as many rows as asked, the same for the same seed.
    """
    model, X = case.model, case.X_test
    n, d = X.shape
    Z, log_det = model.transform_and_log_det(X)
    back, back_log_det = model.inverse_and_log_det(Z)
    scores = model.score_samples(X)
    samples = model.sample(7, random_state=0)
    for name, value, shape in (
        ("transform", model.transform(X), (n, d)),
        ("log_det", log_det, (n,)),
        ("inverse_transform", model.inverse_transform(Z), (n, d)),
        ("inverse_and_log_det", back, (n, d)),
        ("log_det of the inverse", back_log_det, (n,)),
        ("score_samples", scores, (n,)),
        ("sample", samples, (7, d)),
        ("sample", model.sample(random_state=0), (1, d)),
    ):
        require(
            isinstance(value, np.ndarray) and value.shape == shape,
            f"{name} gives {type(value).__name__} of shape {np.shape(value)}, not an "
            f"array of shape {shape}.",
        )
        if not (case.is_discrete and value.dtype.kind == "i"):
            require(value.dtype.kind == "f", f"{name} gives {value.dtype}, not floats.")
        require(np.isfinite(value).all(), f"{name} gives NaN or infinity.")
    expected = model.base_distribution_.logpdf(Z) + log_det
    _assert_equal(scores, expected, 1e-10, "score_samples against its definition")
    weight = case.rng("weights").uniform(size=n)
    _assert_equal(model.score(X), scores.mean(), 1e-10, "score")
    weighted = model.score(X, sample_weight=weight)
    _assert_equal(weighted, np.average(scores, weights=weight), 1e-10, "weighted score")
    require(isinstance(model.score(X), float), "score does not give a float.")

    both = case.new().fit_transform(case.X_train)
    _assert_equal(both, model.transform(case.X_train), 1e-8, "fit_transform")
    again, other = (model.sample(7, random_state=seed) for seed in (0, 1))
    require(np.array_equal(samples, again), "sample differs for the same seed.")
    require(not np.array_equal(samples, other), "sample is equal for other seeds.")
    names = model.get_feature_names_out()
    require(
        len(set(names)) == d, f"get_feature_names_out gives {names}, not {d} names."
    )
    unfitted = case.new()
    require(unfitted.fit(case.X_train) is unfitted, "fit does not return self.")


def check_sample_weight(case: Case) -> None:
    """Integer weights equal repeated rows, and zero weights removed ones.

    Scores of held-out rows under both fits agree to 1e-5 nats, in at least 99 % of the
    rows: sums are rounded in another order, and kinks move by that.
    """
    X = case.X_train
    weight = case.rng("weights").randint(0, 4, size=len(X))
    weighted = case.new().fit(X, sample_weight=weight)
    repeated = case.new().fit(np.repeat(X, weight, axis=0))
    off = np.abs(
        weighted.score_samples(case.X_test) - repeated.score_samples(case.X_test)
    )
    share = np.mean(off <= 1e-5)
    require(
        share >= 0.99,
        f"Weights 0 to 3 and rows so often repeated give the same score for {share:.1%}"
        f" of the rows (needed: 99 %); largest difference {off.max():.3g} nats.",
    )


def check_input_untouched(case: Case) -> None:
    """No method changes its input; read-only arrays will do."""
    X, weight = case.X_train.copy(), np.ones(len(case.X_train))
    model = case.new().fit(X, sample_weight=weight)
    Z = model.transform(X)
    kept = Z.copy()
    model.inverse_and_log_det(Z)
    model.score(X, sample_weight=weight)
    require(np.array_equal(X, case.X_train), "X is changed.")
    require(np.array_equal(Z, kept), "The input of the inverse is changed.")
    require((weight == 1.0).all(), "sample_weight is changed.")
    for array in (X, Z, weight):
        array.flags.writeable = False
    model = case.new().fit(X, sample_weight=weight)
    model.score_samples(X)
    model.inverse_and_log_det(Z)


def check_clone_and_pickle(case: Case) -> None:
    """A pickled model scores and samples as before, and a clone is not fitted."""
    copy = pickle.loads(pickle.dumps(case.model))
    for what, then, now in (
        (
            "Scores",
            case.model.score_samples(case.X_test),
            copy.score_samples(case.X_test),
        ),
        ("Samples", *(m.sample(5, random_state=0) for m in (case.model, copy))),
    ):
        require(np.array_equal(then, now), f"{what} change when a model is pickled.")
    unfitted = clone(case.model)
    fitted = [name for name in vars(unfitted) if name.endswith("_")]
    require(not fitted, f"A clone has the fitted attributes {fitted}.")
    require(repr(unfitted) == repr(case.model), "A clone has other parameters.")


def check_saved(case: Case) -> None:
    """What was learned is data: equal to itself, and saved and loaded to the same bits.

    Skipped for a map that holds a function or an estimator of one's own.
    """
    model, X = case.model, case.X_test
    density = model.to_density()
    require(density == model.to_density(), "A density is not equal to itself.")
    require(hash(density) == hash(model.to_density()), "Its hash changes.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        try:
            save(model, path)
        except TypeError as error:
            raise SkipTest(f"Not all in the map is data: {error}") from error
        loaded = load(path)
    require(loaded == density, "A saved and loaded density is another one.")
    Z, log_det = model.transform_and_log_det(X)
    for what, then, now in (
        ("Scores", model.score_samples(X), loaded.logpdf(X)),
        ("Latent rows", Z, loaded.forward(X)[0]),
        ("Log-determinants", log_det, loaded.forward(X)[1]),
        ("Inverted rows", model.inverse_transform(Z), loaded.inverse(Z)[0]),
        ("Samples", *(m.sample(50, random_state=0) for m in (model, loaded))),
    ):
        require(
            np.array_equal(then, now),
            f"{what} change when a model is saved and loaded.",
        )


def check_random_state(case: Case) -> None:
    """With every ``random_state`` fixed, two fits give the same scores."""
    again = case.new().fit(case.X_train)
    _assert_equal(
        again.score_samples(case.X_test),
        case.model.score_samples(case.X_test),
        1e-10,
        "scores of two fits with the same random_state",
    )


def check_input_types(case: Case) -> None:
    """float32, Fortran order and lists give what float64 arrays of the values give.

    To 1e-3 nats in float32, which a destructor may keep and calculate with, and to 1e-8
    otherwise.
    """
    train, test = (X.astype(np.float32) for X in case._parts)
    doubles = [X.astype(np.float64) for X in (train, test)]
    expected = case.new().fit(doubles[0]).score_samples(doubles[1])
    fortran = [np.asfortranarray(X) for X in doubles]
    lists = [X.tolist() for X in doubles]
    inputs: tuple[tuple[str, float, list[Any]], ...] = (
        ("float32", 1e-3, [train, test]),
        ("arrays in Fortran order", 1e-8, fortran),
        ("lists", 1e-8, lists),
    )
    for what, tolerance, (seen, new) in inputs:
        scores = case.new().fit(seen).score_samples(new)
        _assert_equal(scores, expected, tolerance, f"scores of {what}")


def check_dataframe(case: Case) -> None:
    """A pandas DataFrame gives what its values give, and its names are kept."""
    if importlib.util.find_spec("pandas") is None:
        raise SkipTest("pandas is not installed.")
    import pandas as pd

    names = [f"column {j}" for j in range(case.X_train.shape[1])]
    train, test = (pd.DataFrame(X, columns=names) for X in case._parts)
    model = case.new().fit(train)
    expected = case.model.score_samples(case.X_test)
    _assert_equal(model.score_samples(test), expected, 1e-8, "scores of a DataFrame")
    require(
        list(getattr(model, "feature_names_in_", [])) == names,
        "feature_names_in_ is not set by a DataFrame.",
    )


def check_refit(case: Case) -> None:
    """A second fit forgets the first: scores equal those of a fresh fit to 1e-10."""
    model = case.new().fit(case.X_train).fit(case.X_test)
    fresh = case.new().fit(case.X_test)
    _assert_equal(
        model.score_samples(case.X_test),
        fresh.score_samples(case.X_test),
        1e-10,
        "scores after a second fit",
    )


def _assert_equal(
    actual: NDArray | float, expected: NDArray | float, tolerance: float, what: str
) -> None:
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance, err_msg=what
    )
