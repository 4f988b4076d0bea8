"""What is no table, or one of other columns, is refused with the reason."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from destructors.base import HoldoutDestructor
from destructors.compose import CategoryDequantizer, ColumnDestructor
from destructors.discrete import CategoricalBase
from destructors.linear import Whitening
from destructors.maps import Identity


class Judged(HoldoutDestructor):
    """Takes held-out rows, and leaves all as they are."""

    def _fit(self, fold, random_state):
        return Identity()


def numbers(n_samples=20):
    X = np.random.default_rng(0).normal(size=(n_samples, 2))
    return pd.DataFrame(X, columns=["a", "b"])


def codes(n_samples=20):
    rng = np.random.default_rng(0)
    kinds = rng.choice(["x", "y"], n_samples)
    return pd.DataFrame({"a": kinds, "b": rng.integers(0, 3, n_samples)})


# ---------------------------------------------------------------- held-out rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[["a"]].to_numpy(), "X_val has 1 features, but"),
        (lambda X: X[["b", "a"]], "X_val.*\n.*must be in the same order"),
        (lambda X: X.rename(columns={"a": "c"}), "X_val: The feature names should"),
        (lambda X: X[:0], r"X_val: Found array with 0 sample\(s\)"),
        (lambda X: X["a"].to_numpy(), "X_val: Expected 2D array"),
        (lambda X: sparse.csr_array(np.eye(2)), "Sparse data was passed for X_val"),
        (lambda X: X.assign(b=1j), "X_val: .*omplex"),
        (lambda X: X.assign(b=np.inf), "X_val.* infinity"),
        (lambda X: X.assign(b=None), "X_val.* NaN"),
    ],
    ids=[
        "width",
        "order",
        "names",
        "empty",
        "flat",
        "sparse",
        "complex",
        "infinite",
        "missing",
    ],
)
@pytest.mark.parametrize(
    ("learner", "X"),
    [(Judged(), numbers()), (CategoricalBase(random_state=0), codes())],
    ids=["numbers", "codes"],
)
def test_held_out_rows_are_called_by_their_name(learner, X, change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learner.fit(X, X_val=change(X))


def test_warnings_call_held_out_rows_by_their_name():
    with pytest.warns(UserWarning, match="X_val does not have valid feature names"):
        Judged().fit(numbers(), X_val=numbers().to_numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Judged().fit(numbers(), X_val=numbers())


def test_weights_of_held_out_rows_are_called_by_their_name():
    with pytest.raises(ValueError, match="sample_weight_val"):
        Judged().fit(numbers(), X_val=numbers(), sample_weight_val=[-1.0] * 20)


def test_unseen_categories_among_held_out_rows():
    X = codes()
    learner = CategoricalBase(handle_unknown="error", random_state=0)
    with pytest.raises(ValueError, match=r"X_val contains categories .*in 20 row.*: a"):
        learner.fit(X, X_val=X.assign(a="z"))


# ---------------------------------------------------------------- what is no number


ZONE = pd.date_range("2020-01-01", periods=9, tz="Europe/Berlin")


@pytest.mark.parametrize(
    "X",
    [
        numbers().assign(a=pd.Timestamp("2020-01-01")),
        pd.DataFrame({"a": pd.date_range("2020-01-01", periods=9)}),
        pd.DataFrame({"a": ZONE}),
        pd.DataFrame({"a": ZONE.date}),
        pd.DataFrame({"a": pd.to_timedelta(range(9), unit="s")}),
        pl.DataFrame({"a": pl.Series([1, 2, 3]).cast(pl.Date), "b": [1.0, 2.0, 3.0]}),
    ],
    ids=["times", "only times", "zone", "dates", "durations", "polars dates"],
)
def test_dates_among_numbers_are_to_be_made_numbers(X):
    message = r"Whitening needs numbers, but column\(s\) 'a' are not .*seconds since"
    with pytest.raises(ValueError, match=message) as caught:
        Whitening().fit(X)
    assert "OrdinalEncoder" not in str(caught.value)


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"a": ["u", "v", "w"], "b": [1.0, 2.0, 3.0]}),
        pl.DataFrame({"a": ["u", "v", "w"]}).cast(pl.Categorical),
        numbers().assign(a="u"),
        numbers().assign(a="u").astype({"a": "category"}),
    ],
    ids=["polars text", "polars categories", "text", "categories"],
)
def test_columns_of_frames_without_numbers_are_named(X):
    message = r"Whitening needs numbers, but column\(s\) 'a' are not .*OrdinalEncoder"
    with pytest.raises(ValueError, match=message):
        Whitening().fit(X)


@pytest.mark.parametrize(
    "X",
    [
        np.array([["2020-01-01", "2020-01-02"]] * 5, dtype="M8[D]")[:, :1],
        np.array([["u", 1.0], ["v", 2.0]], dtype=object),
        np.array([["u", "1.0"], ["v", "2.0"]]),
        [["u", 1.0], ["v", 2.0]],
    ],
    ids=["dates", "objects", "text", "lists"],
)
def test_columns_of_arrays_without_numbers_are_named(X):
    message = r"Whitening needs numbers, but column\(s\) 0 are not numeric"
    with pytest.raises((TypeError, ValueError), match=message):
        Whitening().fit(X)


def test_missing_numbers_of_polars_are_named():
    X = pl.DataFrame({"a": [1.0, None, 3.0], "b": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\); column\(s\): a"):
        Whitening().fit(X)


# ---------------------------------------------------------------- no rows, no columns

LEARNERS = [
    Whitening(),
    CategoricalBase(random_state=0),
    CategoryDequantizer(["a"], random_state=0),
    ColumnDestructor([("a", Whitening(), ["a"])]),
]
each_learner = pytest.mark.parametrize(
    "learner", LEARNERS, ids=lambda learner: type(learner).__name__
)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
@each_learner
def test_empty_frames(learner, library):
    with pytest.raises(ValueError, match=r"Found array with 0 (sample|feature)\(s\)"):
        learner.fit(library.DataFrame())
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        learner.fit(library.DataFrame({"a": [], "b": []}))
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        learner.fit(np.zeros((3, 0)))


@each_learner
def test_frames_without_rows_yet(learner):
    lazy = pl.from_pandas(numbers()).lazy()
    with pytest.raises(TypeError, match=r"LazyFrame has no rows yet: .*collect\(\)"):
        learner.fit(lazy)
    model = Whitening().fit(lazy.collect())
    for score in (model.score_samples, model.to_density().logpdf):
        with pytest.raises(TypeError, match="LazyFrame has no rows yet"):
            score(lazy)


@each_learner
def test_several_columns_of_one_name(learner):
    X = numbers().set_axis(["a", "a"], axis=1)
    with pytest.raises(ValueError, match=r"X has several columns of .* name, 'a'"):
        learner.fit(X)
    model = Whitening().fit(numbers())
    with pytest.raises(ValueError, match=r"X has several columns of .* name, 'a'"):
        model.score_samples(X)
    with pytest.raises(ValueError, match="columns of X are not those of the fit"):
        model.to_density().logpdf(X)


# ---------------------------------------------------------------- other columns


@pytest.mark.parametrize(
    ("learner", "X"),
    [(Whitening(), numbers()), (CategoricalBase(random_state=0), codes())],
    ids=["numbers", "codes"],
)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_another_order_is_called_one(learner, X, library):
    if library == "polars":
        X = pl.from_pandas(X)
    model = learner.fit(X)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.score_samples(X[["b", "a"]])


def test_another_order_of_names_that_are_numbers():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(ValueError, match=r"another order than in fit: \[1, 0, 2\]"):
        Whitening().fit(X).score_samples(X[[1, 0, 2]])


# ---------------------------------------------------------------- categories


def test_values_of_another_type_are_unseen_one_by_one():
    X = codes()
    learner = CategoricalBase(structure="independent", alpha=1.0)
    model = learner.fit(X)
    mixed = X.astype(object)
    mixed.loc[3, "a"] = 7
    scores = model.score_samples(mixed)
    changed = scores != model.score_samples(X)
    assert np.flatnonzero(changed).tolist() == [3]
    expected = model.score_samples(X.assign(a="new"))
    assert scores[3] == expected[3]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1], [2]] * 10, "Column 'a' cannot be coded: unhashable"),
        (["u", 1] * 10, r"Column 'a' cannot be coded: .*type\(s\) int, str"),
        ([np.inf, 1.0] * 10, r"Column 'a' cannot be coded: .*infinity"),
        ([1j, 1.0] * 10, "Column 'a' cannot be coded: .*complex"),
    ],
    ids=["lists", "mixed", "infinite", "complex"],
)
def test_columns_that_cannot_be_coded(column, message):
    X = codes().assign(a=pd.Series(column))
    with pytest.raises((TypeError, ValueError), match=message):
        CategoricalBase(random_state=0).fit(X)


def test_numbers_equal_whatever_their_dtype():
    X = codes()
    model = CategoricalBase(random_state=0).fit(X)
    for dtype in ("int8", "float64", "Int64", "category", object):
        other = model.score_samples(X.astype({"b": dtype}))
        assert (other == model.score_samples(X)).all()
