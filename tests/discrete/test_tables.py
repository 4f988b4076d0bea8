"""What can stand in a table, and what is refused with a reason."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import DiscreteTreeFlow

MODELS = [
    TreePermutation(),
    CategoricalBase(random_state=0),
    DiscreteTreeFlow(random_state=0),
]
each_model = pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: type(model).__name__
)


def letters(n_samples=300, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.choice(["a", "b", "c"], n_samples, p=[0.5, 0.3, 0.2])
    second = np.where(first == "a", "x", rng.choice(["x", "y"], n_samples))
    return np.stack([first, second], axis=1)


def frame(n_samples=300):
    X = letters(n_samples)
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "kind": pd.Categorical(X[:, 0], categories=["c", "b", "a", "never"]),
            "mark": X[:, 1],
            "level": rng.integers(2, 5, size=n_samples).astype(np.int16),
            "open": rng.uniform(size=n_samples) < 0.3,
            "day": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 3, size=n_samples), unit="D"),
        }
    )


# ---------------------------------------------------------------- what comes back


@each_model
def test_frames_come_back_as_they_were(model):
    X = frame()
    fitted = clone(model).fit(X)
    pd.testing.assert_frame_equal(
        fitted.inverse_transform(fitted.transform(X)), X, check_index_type=False
    )
    samples = fitted.sample(50, random_state=0)
    assert (samples.dtypes == X.dtypes).all()
    assert list(samples.columns) == list(X.columns)


@pytest.mark.parametrize(
    "X",
    [
        letters(),
        letters().astype(object),
        np.array([[3, -1], [7, 5], [3, 5]] * 20),
        np.array([[0.5, 1.25], [2.0, 1.25]] * 20),
        np.array([[True, False], [False, False]] * 20),
    ],
    ids=["strings", "objects", "integers", "floats", "booleans"],
)
@each_model
def test_arrays_come_back_as_they_were(model, X):
    fitted = clone(model).fit(X)
    back = fitted.inverse_transform(fitted.transform(X))
    assert (back == X).all()
    assert back.dtype.kind == X.dtype.kind


def test_names_do_not_matter():
    X = letters()
    _, codes = np.unique(X, return_inverse=True)
    named, coded = TreePermutation().fit(X), TreePermutation().fit(codes.reshape(-1, 2))
    np.testing.assert_allclose(
        named.score_samples(X), coded.score_samples(codes.reshape(-1, 2))
    )


def test_categories_are_told():
    model = TreePermutation().fit(frame())
    known = [values.tolist() for values in model.categories_[:4]]
    assert known[0] == ["c", "b", "a", "never"]
    assert known[1:] == [["x", "y"], [2, 3, 4], [False, True]]
    assert model.n_categories_[:3].tolist() == [5, 3, 4]


def test_declared_categories_have_probability_before_they_are_seen():
    X = letters()
    declared = [["a", "b", "c", "d"], ["x", "y", "z"]]
    model = CategoricalBase(
        structure="independent", alpha=1.0, categories=declared, handle_unknown="error"
    ).fit(X)
    expected = np.log(1.0 / (len(X) + 4.0)) + np.log(1.0 / (len(X) + 3.0))
    assert model.score_samples([["d", "z"]]) == pytest.approx(expected)


# ---------------------------------------------------------------- unseen and missing


@each_model
def test_unseen_categories_get_the_smoothed_probability(model):
    fitted = clone(model).fit(letters())
    new = [["q", "x"], ["a", "q"], ["q", "q"]]
    scores = fitted.score_samples(new)
    assert np.isfinite(scores).all()
    assert (scores < fitted.score_samples(letters()).min()).all()
    # Whatever it is that was not seen.
    other = np.where(np.array(new) == "q", "r", new)
    assert (fitted.score_samples(other) == scores).all()
    back = fitted.inverse_transform(fitted.transform(new))
    assert (fitted.score_samples(back) == scores).all()


def test_smoothed_probability_in_closed_form():
    X = letters()
    model = CategoricalBase(structure="independent", alpha=0.5).fit(X)
    expected = 2.0 * np.log(0.5) - np.log(len(X) + 2.0) - np.log(len(X) + 1.5)
    assert model.score_samples([["q", "q"]]) == pytest.approx(expected)


@each_model
def test_unseen_categories_are_not_drawn(model):
    few = letters(20)
    fitted = clone(model).fit(few)
    samples = fitted.sample(2000, random_state=0)
    for column, seen in zip(samples.T, few.T, strict=True):
        assert set(column) <= set(seen)


@each_model
def test_unseen_categories_can_be_an_error(model):
    X = frame()
    fitted = clone(model).set_params(handle_unknown="error").fit(X)
    message = r"not seen in fit in 2 row\(s\); column\(s\): mark, level\..*smooth"
    X.loc[0, "mark"], X.loc[1, "level"] = "q", 99
    with pytest.raises(ValueError, match=message):
        fitted.score_samples(X)


@each_model
def test_missing_values_are_an_error_or_a_category(model):
    X = frame().drop(columns="day")
    X.loc[[0, 2], "mark"] = None
    X.loc[3, "kind"] = np.nan
    message = r"NaN or another missing value in 3 row\(s\); column\(s\): kind, mark\."
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X)
    fitted = clone(model).set_params(handle_missing="category").fit(X)
    assert np.isfinite(fitted.score_samples(X)).all()
    back = fitted.inverse_transform(fitted.transform(X))
    assert (back.isna() == X.isna()).all(axis=None)
    assert (back.dropna() == X.dropna()).all(axis=None)


@each_model
def test_missing_numbers_can_be_a_category(model):
    X = np.array([[1.0, np.nan], [2.0, 0.0], [np.nan, 0.0]] * 20)
    fitted = clone(model).set_params(handle_missing="category").fit(X)
    back = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_array_equal(back, X)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("value", [-1, 0.5, 9, "a", np.nan])
@each_model
def test_latent_rows_must_be_codes(model, value):
    fitted = clone(model).fit(letters())
    Z = fitted.transform(letters()).astype(object)
    Z[4, 1] = value
    with pytest.raises(ValueError, match=r"Z must be integer codes|contains NaN"):
        fitted.inverse_transform(Z)


@pytest.mark.parametrize("value", [-1, 1.5, 9])
@each_model
def test_values_beside_numbered_categories_are_unseen(model, value):
    settings = {"categories": [3, 2], "handle_unknown": "error"}
    fitted = clone(model).set_params(**settings).fit([[0, 1], [2, 0], [1, 1]] * 9)
    with pytest.raises(ValueError, match=r"not seen in fit in 1 row\(s\); .*: 0\."):
        fitted.score_samples([[value, 0]])
    with pytest.raises(ValueError, match=r"not among the categories in 9 row"):
        clone(model).set_params(**settings).fit([[value, 0], [1, 1], [0, 0]] * 9)


@each_model
def test_wrong_number_of_columns(model):
    fitted = clone(model).fit(letters())
    with pytest.raises(ValueError, match="X has 1 features"):
        fitted.score_samples(letters()[:, :1])
    with pytest.raises(ValueError, match="Z has 3 features"):
        fitted.inverse_transform(np.zeros((2, 3), int))


@each_model
def test_columns_of_another_name(model):
    fitted = clone(model).fit(frame())
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.score_samples(frame().rename(columns={"mark": "sign"}))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[np.inf, 1.0]] * 9), r"Column 0 .*infinity \(inf\)"),
        (np.array([[1j, 1.0]] * 9), "Complex data not supported"),
        (np.array([["a", 1], [2, 1]] * 9, dtype=object), "Column 0 cannot be coded"),
        (np.empty((0, 2)), "0 sample"),
        (np.array(["a", "b"]), "Expected 2D array"),
    ],
    ids=["infinity", "complex", "mixed", "empty", "flat"],
)
@each_model
def test_tables_that_cannot_be_coded(model, X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        clone(model).fit(X)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([3], "categories has 1 entries, but X has 2 columns"),
        ([["a", "a", "b"], ["x", "y"]], "Column 0 .*declared twice"),
        ([["a", "b", "c"], []], "Column 1 .*not a list of values"),
    ],
)
@each_model
def test_wrong_categories(model, categories, message):
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(categories=categories).fit(letters())


@each_model
def test_values_without_weight_are_not_learned(model):
    X = letters()
    X[0] = ["q", "q"]
    weight = np.ones(len(X))
    weight[0] = 0.0
    fitted = clone(model).fit(X, sample_weight=weight)
    assert "q" not in fitted.categories_[0]
    expected = clone(model).fit(X[1:])
    np.testing.assert_allclose(fitted.score_samples(X), expected.score_samples(X))


def test_what_was_not_seen_comes_back_as_something_not_seen():
    # One more than the largest is the largest again.
    X = np.array([[1e17], [2e17]] * 50)
    flow = DiscreteTreeFlow(random_state=0).fit(X)
    back = flow.inverse_transform(flow.transform([[5.0]]))
    assert not np.isin(back, X).any()
