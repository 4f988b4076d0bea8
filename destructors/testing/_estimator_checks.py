"""Checks of the estimator: what is fitted, from what, and what comes out."""

import importlib.util
import pickle
import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from destructors.maps import Density, load, save
from destructors.testing._case import Case, require, require_close, require_share


def check_outputs(case: Case) -> None:
    """Shapes, types, names and definitions of what the public methods give.

    `score_samples` is the log-density of the latent plus the log-determinant and
    `score` its weighted mean, to 1e-10; `fit_transform` is `fit`, then `transform`;
    `sample` gives as many rows as asked, the same for the same seed.
    """
    model, X = case.model, case.X_test
    (n, d), answers = X.shape, _answers(model, X)
    scores, Z, log_det, back, _, samples = answers.values()
    shapes = [(n,), (n, d), (n,), (n, d), (n,), (50, d)]
    for (name, value), shape in zip(answers.items(), shapes, strict=True):
        require(
            isinstance(value, np.ndarray) and value.shape == shape,
            f"{name} gives {type(value).__name__} of shape {np.shape(value)}, not an "
            f"array of shape {shape}.",
        )
        kinds = "fi" if case.is_discrete else "f"
        require(value.dtype.kind in kinds, f"{name} gives {value.dtype}, not floats.")
        require(np.isfinite(value).all(), f"{name} gives NaN or infinity.")
    require(np.array_equal(model.transform(X), Z), "transform gives other rows.")
    again = model.inverse_transform(Z)
    require(np.array_equal(again, back), "inverse_transform gives other rows.")
    expected = model.base_distribution_.logpdf(Z) + log_det
    require_close(scores, expected, 1e-10, "score_samples against its definition")
    weight = case.rng("weights").uniform(size=n)
    require_close(model.score(X), scores.mean(), 1e-10, "score")
    weighted = model.score(X, sample_weight=weight)
    require_close(weighted, np.average(scores, weights=weight), 1e-10, "weighted score")
    require(isinstance(model.score(X), float), "score does not give a float.")

    both = case.new().fit_transform(case.X_train)
    require_close(both, model.transform(case.X_train), 1e-8, "fit_transform")
    again, other = (model.sample(50, random_state=seed) for seed in (0, 1))
    require(np.array_equal(samples, again), "sample differs for the same seed.")
    require(not np.array_equal(samples, other), "sample is equal for other seeds.")
    require(model.sample(random_state=0).shape == (1, d), "sample() is not one row.")
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
    weighted = case.new().fit(X, sample_weight=weight).score_samples(case.X_test)
    repeated = case.new().fit(np.repeat(X, weight, axis=0)).score_samples(case.X_test)
    off = np.abs(weighted - repeated)
    require_share(off, 1e-5, 0.99, "Weights 0 to 3 and rows so often repeated")


def check_input_untouched(case: Case) -> None:
    """No method changes its input; read-only arrays will do."""
    for writeable in (True, False):
        X, weight = case.X_train.copy(), np.ones(len(case.X_train))
        Z = case.model.transform(X)
        kept = Z.copy()
        for array in (X, Z, weight):
            array.flags.writeable = writeable
        model = case.new().fit(X, sample_weight=weight)
        model.transform(X)
        model.score(X, sample_weight=weight)
        model.inverse_and_log_det(Z)
        require(np.array_equal(X, case.X_train), "X is changed.")
        require(np.array_equal(Z, kept), "The input of the inverse is changed.")
        require((weight == 1.0).all(), "sample_weight is changed.")


def check_clone_and_pickle(case: Case) -> None:
    """A pickled model works as before, and a clone is not fitted."""
    copy = pickle.loads(pickle.dumps(case.model))
    _require_same_bits(case.model, copy, case.X_test, "pickled")
    unfitted = clone(case.model)
    fitted = [name for name in vars(unfitted) if name.endswith("_")]
    require(not fitted, f"A clone has the fitted attributes {fitted}.")
    require(repr(unfitted) == repr(case.model), "A clone has other parameters.")


def check_saved(case: Case) -> None:
    """What was learned is data: equal to itself, and saved and loaded to the same bits.

    Skipped for a map that holds a function or an estimator of one's own.
    """
    density = case.model.to_density()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        try:
            save(case.model, path)
        except TypeError as error:
            raise SkipTest(f"Not all in the map is data: {error}") from error
        loaded = load(path)
    for what, other in (
        ("converted again", case.model.to_density()),
        ("saved", loaded),
    ):
        require(other == density, f"A density is not equal to itself {what}.")
        require(hash(other) == hash(density), f"A density hashes otherwise {what}.")
    _require_same_bits(case.model, loaded, case.X_test, "saved")


def _require_same_bits(model: Any, copy: Any, X: NDArray, how: str) -> None:
    then, now = _answers(model, X), _answers(copy, X)
    for what, value in then.items():
        require(
            np.array_equal(value, now[what]), f"{what} change when a model is {how}."
        )


def _answers(of: Any, X: NDArray) -> dict[str, NDArray]:
    """Return what a destructor, or the density it is saved as, makes of rows."""
    if isinstance(of, Density):
        scores, forward, inverse = of.logpdf, of.forward, of.inverse
    else:
        scores, forward = of.score_samples, of.transform_and_log_det
        inverse = of.inverse_and_log_det
    Z, log_det = forward(X)
    back, log_det_back = inverse(Z)
    return {
        "Scores": scores(X),
        "Latent rows": Z,
        "Log-determinants": log_det,
        "Inverted rows": back,
        "Log-determinants of the inverse": log_det_back,
        "Samples": of.sample(50, random_state=0),
    }


def check_random_state(case: Case) -> None:
    """With every ``random_state`` fixed, two fits give the same scores."""
    again = case.new().fit(case.X_train).score_samples(case.X_test)
    before = case.model.score_samples(case.X_test)
    require_close(again, before, 1e-10, "scores with the same random_state")


def check_input_types(case: Case) -> None:
    """float32, Fortran order and lists give what float64 arrays of the values give.

    To 1e-3 nats in float32, which a destructor may keep and calculate with, and to 1e-8
    otherwise.
    """
    singles = [X.astype(np.float32) for X in (case.X_train, case.X_test)]
    doubles = [X.astype(np.float64) for X in singles]
    expected = case.new().fit(doubles[0]).score_samples(doubles[1])
    inputs: dict[str, tuple[float, list[Any]]] = {
        "float32": (1e-3, singles),
        "arrays in Fortran order": (1e-8, [np.asfortranarray(X) for X in doubles]),
        "lists": (1e-8, [X.tolist() for X in doubles]),
    }
    for what, (tolerance, (seen, new)) in inputs.items():
        scores = case.new().fit(seen).score_samples(new)
        require_close(scores, expected, tolerance, f"scores of {what}")


def check_dataframe(case: Case) -> None:
    """A pandas DataFrame gives what its values give, and its names are kept."""
    if importlib.util.find_spec("pandas") is None:
        raise SkipTest("pandas is not installed.")
    import pandas as pd

    names = [f"column {j}" for j in range(case.X_train.shape[1])]
    model = case.new().fit(pd.DataFrame(case.X_train, columns=names))
    scores = model.score_samples(pd.DataFrame(case.X_test, columns=names))
    expected = case.model.score_samples(case.X_test)
    require_close(scores, expected, 1e-8, "scores of a DataFrame")
    found = list(getattr(model, "feature_names_in_", []))
    require(found == names, "feature_names_in_ is not set by a DataFrame.")


def check_refit(case: Case) -> None:
    """A second fit forgets the first: scores equal those of a fresh fit to 1e-10."""
    again = case.new().fit(case.X_train).fit(case.X_test).score_samples(case.X_test)
    fresh = case.new().fit(case.X_test).score_samples(case.X_test)
    require_close(again, fresh, 1e-10, "scores after a second fit")
