"""Checks of the estimator: what is fitted, from what, and what comes out."""

import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from destructors.maps import Density, load, save
from destructors.rows import Fold
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
    kinds = "fi" if case.is_discrete else "f"
    for (name, value), shape in zip(answers.items(), shapes, strict=True):
        what = f"{name} are no finite numbers in shape {shape}: {value!r}."
        require(isinstance(value, np.ndarray) and value.shape == shape, what)
        require(value.dtype.kind in kinds and np.isfinite(value).all(), what)
    require_close(model.transform(X), Z, 0.0, "rows of transform")
    require_close(model.inverse_transform(Z), back, 0.0, "rows of inverse_transform")
    expected = model.base_distribution_.logpdf(Z) + log_det
    require_close(scores, expected, 1e-10, "score_samples against its definition")
    require(isinstance(model.score(X), float), "score does not give a float.")
    require_close(model.score(X), scores.mean(), 1e-10, "score")
    weight = case.rng("weights").uniform(size=n)
    expected, score = np.average(scores, weights=weight), model.score(X, None, weight)
    require_close(score, expected, 1e-10, "weighted score")
    both = case.new().fit_transform(case.X_train)
    require_close(both, model.transform(case.X_train), 1e-8, "fit_transform")
    require_close(model.sample(50, random_state=0), samples, 0.0, "sample for one seed")
    other = model.sample(50, random_state=1)
    require(not np.array_equal(samples, other), "sample is equal for other seeds.")
    require(model.sample(random_state=0).shape == (1, d), "sample() is not one row.")
    names = model.get_feature_names_out()
    require(len(set(names)) == d, f"There are not {d} feature names out: {names}.")


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
    kept = case.X_train, case.model.transform(case.X_train), np.ones(len(case.X_train))
    for writeable in (True, False):
        X, Z, weight = given = [array.copy() for array in kept]
        for array in given:
            array.flags.writeable = writeable
        model = case.new().fit(X, sample_weight=weight)
        model.transform(X)
        model.score(X, sample_weight=weight)
        model.inverse_and_log_det(Z)
        for what, then, now in zip(
            ("X", "Z", "sample_weight"), kept, given, strict=True
        ):
            require(np.array_equal(then, now), f"{what} is changed.")


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
    again = case.model.to_density()
    require(density == again == loaded, "Converted or loaded again it is not equal.")
    hashes = {hash(density), hash(again), hash(loaded)}
    require(len(hashes) == 1, "Equal densities have several hashes.")
    _require_same_bits(case.model, loaded, case.X_test, "saved")


def _require_same_bits(model: Any, copy: Any, X: NDArray, how: str) -> None:
    then, now = _answers(model, X), _answers(copy, X)
    for what, value in then.items():
        require_close(now[what], value, 0.0, f"{what} when a model is {how}")


def _answers(of: Any, X: NDArray) -> dict[str, NDArray]:
    """Return what a destructor, or the density it is saved as, makes of rows."""
    saved = isinstance(of, Density)
    Z, log_det = (of.forward if saved else of.transform_and_log_det)(X)
    back, log_det_back = (of.inverse if saved else of.inverse_and_log_det)(Z)
    return {
        "Scores": (of.logpdf if saved else of.score_samples)(X),
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
    doubles = [X.astype("f4").astype("f8") for X in (case.X_train, case.X_test)]
    expected = case.new().fit(doubles[0]).score_samples(doubles[1])
    for what, tolerance, convert in (
        ("float32", 1e-3, lambda X: X.astype("f4")),
        ("arrays in Fortran order", 1e-8, lambda X: X.copy("F")),
        ("lists", 1e-8, lambda X: X.tolist()),
    ):
        seen, new = map(convert, doubles)
        scores = case.new().fit(seen).score_samples(new)
        require_close(scores, expected, tolerance, f"scores of {what}")


def check_dataframe(case: Case) -> None:
    """A pandas DataFrame gives what its values give, and its names are kept."""
    try:
        import pandas as pd
    except ImportError as error:
        raise SkipTest("pandas is not installed.") from error
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


def check_degenerate_data(case: Case) -> None:
    """Fitted to a constant column, or to rows all but equal, everything is finite.

    Such data may be warned of, or refused by a ValueError that says what is wrong with
    the rows, columns or features.
    """
    X = case.X_train[:200]
    spread = 0.0 if case.is_discrete else 1e-9
    for what, rows in (
        ("a constant column", np.column_stack([np.full(len(X), X[0, 0]), X[:, 1:]])),
        ("rows all but equal", X[0] + spread * (X - X[0])),
    ):
        try:
            with warnings.catch_warnings(action="ignore"):
                answers = _answers(case.new().fit(rows), rows)
        except ValueError as error:
            explained = any(word in str(error) for word in ("row", "column", "feature"))
            require(explained, f"Refusing {what} is not explained: {error}")
            continue
        for name, value in answers.items():
            require(np.isfinite(value).all(), f"{name} of {what} are NaN or infinite.")


def check_rows_handed_on(case: Case) -> None:
    """The next layer of a stack is fitted on the images of the rows, in their order.

    A layer may map each row by a copy that has not seen it: then, too, it is nearer to
    the image of the row than to that of another, in the mean.
    """
    model = case.new()
    fold = Fold(model._read_training(case.X_train[:300], None))
    handed_on = model._fit_rows(fold, onwards=True).train.values
    Z, _ = model.map_.forward(fold.train.values)
    own, other = (np.abs(handed_on - image).mean() for image in (Z, Z[::-1]))
    require(own <= 0.5 * other, f"_honest rows are {own:.3g} off, others {other:.3g}.")
