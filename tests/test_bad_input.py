"""Each wrong input gets an error that tells what is wrong."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array
from sklearn.utils._param_validation import InvalidParameterError

from destructors.base import Destructor
from destructors.compose import DestructorPipeline, IterativeDestructor
from destructors.estimators import OutlierDetector
from destructors.flows import RBIG
from destructors.linear import PCARotation, Whitening
from destructors.maps import Identity
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer
from destructors.rows import Fold

DESTRUCTORS = [
    SplineGaussianizer(),
    Whitening(),
    DestructorPipeline([("whiten", Whitening()), ("rotate", PCARotation())]),
    IterativeDestructor(max_iter=2),
    RBIG(max_iter=2),
]

each_destructor = pytest.mark.parametrize(
    "destructor", DESTRUCTORS, ids=lambda destructor: type(destructor).__name__
)


class NeedsTwo(Destructor):
    """The identity, for at least two columns and five rows."""

    _min_features = 2
    _min_samples = 5

    def _fit(self, fold, random_state):
        return Identity()


# ---------------------------------------------------------------- values


@each_destructor
def test_nan_names_the_columns_and_counts_the_rows(destructor, X):
    X[[3, 5], 1] = np.nan
    message = r"NaN in 2 row\(s\); column\(s\): 1\. .*SimpleImputer"
    with pytest.raises(ValueError, match=message):
        clone(destructor).fit(X)
    frame = pd.DataFrame(X, columns=["age", "income"])
    with pytest.raises(ValueError, match=r"NaN in 2 row\(s\); column\(s\): income"):
        clone(destructor).fit(frame)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@each_destructor
def test_infinity_names_the_columns(destructor, X, value):
    X[3, 0] = value
    message = r"infinity \(inf\) in 1 row\(s\); column\(s\): 0"
    with pytest.raises(ValueError, match=message):
        clone(destructor).fit(X)


def test_missing_values_of_pandas_are_named():
    frame = pd.DataFrame({"age": pd.array([1, None, 3], dtype="Int64")})
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\); column\(s\): age"):
        Whitening().fit(frame)


def test_many_bad_columns_are_not_all_listed(X):
    wide = np.full((10, 8), np.nan)
    with pytest.raises(ValueError, match=r"0, 1, 2, 3, 4 and 3 more"):
        Whitening().fit(wide)


@pytest.mark.parametrize("method", ["transform", "score_samples", "score"])
def test_nan_after_fit(method, X):
    model = Whitening().fit(X)
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\)"):
        getattr(model, method)([[0.0, np.nan]])


def test_nan_and_infinity_in_the_latent(X):
    model = Whitening().fit(X)
    with pytest.raises(ValueError, match="Input Z contains NaN"):
        model.inverse_transform([[0.0, np.nan]])
    with pytest.raises(ValueError, match="Input Z contains infinity"):
        model.inverse_transform([[0.0, np.inf]])


def test_large_numbers_of_both_signs_are_read_without_a_warning():
    """Parts of their sum, by which scikit-learn looks for NaN, are infinities."""
    largest = np.tile([np.finfo(float).max, -np.finfo(float).max], (2, 4))
    with pytest.warns(RuntimeWarning, match="invalid value"):
        check_array(largest)
    X = np.random.default_rng(0).normal(size=(60, 8))
    model = Whitening().fit(X)
    assert np.isfinite(model.inverse_transform(largest)).all()
    detector = OutlierDetector(model).fit(X)
    assert np.isfinite(detector.score_samples(largest)).all()


@each_destructor
def test_strings(destructor):
    with pytest.raises(ValueError, match="could not convert string to float"):
        clone(destructor).fit(np.array([["red", "round"], ["blue", "square"]]))


@pytest.mark.parametrize(
    ("column", "advice"),
    [
        (["red", "green", "blue"], "OrdinalEncoder"),
        (pd.Categorical(["red", "green", "blue"]), "OrdinalEncoder"),
        (pd.date_range("2020-01-01", periods=3), "seconds since a date"),
        (pd.to_timedelta([1, 2, 3], unit="s"), "seconds since a date"),
    ],
    ids=["strings", "categories", "dates", "durations"],
)
@each_destructor
def test_columns_that_are_not_numbers_are_named(destructor, column, advice):
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "colour": column})
    message = rf"needs numbers, but column\(s\) 'colour' are not.*{advice}"
    with pytest.raises(ValueError, match=message):
        clone(destructor).fit(frame)


def test_columns_that_are_not_numbers_after_fit(X):
    model = Whitening().fit(pd.DataFrame(X, columns=["a", "b"]))
    with pytest.raises(ValueError, match=r"column\(s\) 'b' are not numeric"):
        model.score(pd.DataFrame({"a": [1.0], "b": ["x"]}))


@each_destructor
def test_complex_numbers(destructor, X):
    with pytest.raises(ValueError, match="Complex data not supported"):
        clone(destructor).fit(X + 1j)


@each_destructor
def test_sparse_matrices(destructor, X):
    with pytest.raises(TypeError, match=r"Sparse data .* dense data is required"):
        clone(destructor).fit(sparse.csr_array(X))


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize("n_rows", [0, 1])
@each_destructor
def test_too_few_rows(destructor, X, n_rows):
    name = type(destructor).__name__
    message = rf"{n_rows} sample\(s\) .* minimum of 2 is required by {name}"
    with pytest.raises(ValueError, match=message):
        clone(destructor).fit(X[:n_rows])


@each_destructor
def test_no_columns(destructor, X):
    with pytest.raises(ValueError, match=r"0 feature\(s\) .* minimum of 1 is required"):
        clone(destructor).fit(X[:, :0])


def test_rows_and_columns_that_a_destructor_needs(X):
    assert NeedsTwo().fit(X[:5]).n_features_in_ == 2
    message = r"NeedsTwo needs at least 2 features \(columns\), got 1 feature\(s\)"
    with pytest.raises(ValueError, match=message):
        NeedsTwo().fit(X[:, :1])
    with pytest.raises(ValueError, match="minimum of 5 is required by NeedsTwo"):
        NeedsTwo().fit(X[:4])


@pytest.mark.parametrize(
    "stack",
    [DestructorPipeline([("layer", NeedsTwo())]), IterativeDestructor(NeedsTwo())],
    ids=["pipeline", "stack"],
)
def test_columns_that_an_inner_layer_needs(stack, X):
    with pytest.raises(ValueError, match="NeedsTwo needs at least 2 features"):
        stack.fit(X[:, :1])


@each_destructor
def test_one_and_three_dimensions(destructor, X):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        clone(destructor).fit(X[:, 0])
    with pytest.raises(ValueError, match="dim 3"):
        clone(destructor).fit(X[None])


@pytest.mark.parametrize(
    "method", ["transform", "transform_and_log_det", "score_samples", "score"]
)
@each_destructor
def test_another_width_than_in_fit(destructor, method, X):
    model = clone(destructor).fit(X)
    name = type(destructor).__name__
    message = f"X has 5 features, but {name} is expecting 2 features"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(np.ones((3, 5)))


@pytest.mark.parametrize("method", ["inverse_transform", "inverse_and_log_det"])
@each_destructor
def test_another_width_of_the_latent(destructor, method, X):
    model = clone(destructor).fit(X)
    name = type(destructor).__name__
    message = f"Z has 5 features, but {name} is expecting 2 features"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(np.ones((3, 5)))


def test_other_names_than_in_fit(X):
    model = Whitening().fit(pd.DataFrame(X, columns=["a", "b"]))
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(pd.DataFrame(X, columns=["b", "a"]))


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, "Negative values in data passed to `sample_weight`"),
        (0.0, "Sample weights must contain at least one non-zero number"),
        (np.nan, "Input sample_weight contains NaN"),
    ],
)
@each_destructor
def test_weights(destructor, weight, message, X):
    weights = np.full(len(X), weight)
    with pytest.raises(ValueError, match=message):
        clone(destructor).fit(X, sample_weight=weights)
    model = clone(destructor).fit(X)
    with pytest.raises(ValueError, match=message):
        model.score(X, sample_weight=weights)


@each_destructor
def test_number_of_weights(destructor, X):
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        clone(destructor).fit(X, sample_weight=np.ones(3))


# ---------------------------------------------------------------- use


@pytest.mark.parametrize(
    "method",
    [
        "transform",
        "inverse_transform",
        "transform_and_log_det",
        "inverse_and_log_det",
        "score_samples",
        "score",
    ],
)
@each_destructor
def test_use_before_fit(destructor, method, X):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(clone(destructor), method)(X)


@each_destructor
def test_samples_and_names_before_fit(destructor):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        clone(destructor).sample()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        clone(destructor).get_feature_names_out()


def test_names_for_another_width(X):
    model = Whitening().fit(X)
    with pytest.raises(ValueError, match="input_features should have length"):
        model.get_feature_names_out(["a", "b", "c"])


@pytest.mark.parametrize(
    ("destructor", "message"),
    [
        (Whitening(method="ica"), "'method' parameter of Whitening .* Got 'ica'"),
        (Whitening(shrinkage=2.0), "'shrinkage' parameter of Whitening"),
        (HistogramGaussianizer(n_bins=0), "'n_bins' parameter"),
        (SplineGaussianizer(alpha=-1), "'alpha' parameter of SplineGaussianizer"),
        (RBIG(max_iter=0), "'max_iter' parameter of RBIG"),
        (RBIG(rotation="ica"), "'rotation' parameter of RBIG"),
        (RBIG(validation_fraction=1.0), "'validation_fraction' parameter"),
        (RBIG(random_state="seed"), "'random_state' parameter"),
        (IterativeDestructor(selection="worst"), "'selection' parameter"),
        (DestructorPipeline("steps"), "'steps' parameter of DestructorPipeline"),
        (DestructorPipeline([("a", Whitening(method="b"))]), "'method' parameter"),
        (RBIG(SplineGaussianizer(n_knots=1)), "'n_knots' parameter of Spline"),
        (IterativeDestructor(Whitening(shrinkage=-1)), "'shrinkage' parameter"),
    ],
)
def test_parameter_values(destructor, message, X):
    with pytest.raises(InvalidParameterError, match=message):
        destructor.fit(X)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "10", None])
@each_destructor
def test_number_of_samples(destructor, n_samples, X):
    model = clone(destructor).fit(X)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        model.sample(n_samples)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        model.to_density().sample(n_samples)


def test_weights_of_rows_that_are_not_there(X):
    with pytest.raises(ValueError, match="sample_weight_val is given without X_val"):
        RBIG(max_iter=2).fit(X, sample_weight_val=np.ones(len(X)))


def test_held_out_rows_are_called_so(X):
    wrong = X.copy()
    wrong[0, 0] = np.nan
    with pytest.raises(ValueError, match="X_val contains NaN"):
        RBIG(max_iter=2).fit(X, X_val=wrong)
    with pytest.raises(ValueError, match="X_val has 1 features"):
        RBIG(max_iter=2).fit(X, X_val=X[:, :1])
    with pytest.raises(ValueError, match="sample_weight_val"):
        RBIG(max_iter=2).fit(X, X_val=X, sample_weight_val=-np.ones(len(X)))


def test_what_hooks_return_is_checked(X):
    class NoMap(NeedsTwo):
        def _fit(self, fold, random_state):
            return None

    with pytest.raises(TypeError, match=r"NoMap\._fit must return a Map, got NoneType"):
        NoMap().fit(X)

    class LosesRows(NeedsTwo):
        def _honest(self, fold, map_, random_state):
            return Fold(fold.train.take(slice(1, None)))

    chain = DestructorPipeline([("first", LosesRows()), ("second", Whitening())])
    with pytest.raises(TypeError, match=r"LosesRows\._honest must return a Fold"):
        chain.fit(X)


# ---------------------------------------------------------------- masks


@pytest.mark.parametrize("masked", [[[3, 1]], []], ids=["one", "none"])
def test_entries_under_a_mask_are_no_values(masked, X):
    mask = np.zeros(X.shape, dtype=bool)
    for row, column in masked:
        mask[row, column] = True
    table = np.ma.masked_array(X, mask)
    model = Whitening().fit(X)
    if not masked:
        np.testing.assert_array_equal(
            model.score_samples(table), model.score_samples(X)
        )
        return
    for use in (Whitening().fit, model.score_samples, OutlierDetector().fit):
        with pytest.raises(ValueError, match=r"masked entries.*filled"):
            use(table)
