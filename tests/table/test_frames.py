"""Frames of pandas and polars come back as they went in, from files as well."""

import datetime
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from polars.testing import assert_frame_equal
from sklearn.base import clone

import destructors
from destructors.base_distributions import StandardNormal
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import DiscreteTreeFlow
from destructors.linear import Whitening
from destructors.maps import Affine, Density, Switch

DAYS = [datetime.date(2020, 1, 1), datetime.date(2020, 1, 3)]
TIMES = [datetime.datetime(2020, 1, 1, 5), datetime.datetime(2021, 7, 2)]
ROWS = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1] * 5)


def repeat(values):
    return [values[i] for i in ROWS]


def series(values, dtype=None):
    return pd.Series(repeat(values), dtype=dtype)


PANDAS = {
    "strings": series(["u", "v"]),
    "objects": series(["u", "v"], object),
    "nullable strings": series(["u", "v"], "string"),
    "booleans": series([True, False]),
    "nullable booleans": series([True, False], "boolean"),
    "narrow integers": series([1, 100], "int8"),
    "unsigned integers": series([1, 2**63 + 2**40], "uint64"),
    "nullable integers": series([1, 3], "Int64"),
    "narrow floats": series([0.1, 2.5], "float32"),
    "dates": series(DAYS, object),
    "times": series(TIMES, "datetime64[us]"),
    "times in a zone": series(TIMES, "datetime64[us]").dt.tz_localize("Europe/Berlin"),
    "durations": pd.to_timedelta(series([1, 2]), unit="D"),
    "ordered categories": series(
        ["u", "v"], pd.CategoricalDtype(["v", "never", "u"], ordered=True)
    ),
    "categories of numbers": series([2, 7], pd.CategoricalDtype([7, 2])),
}
POLARS = {
    "strings": pl.Series(repeat(["u", "v"])),
    "categories": pl.Series(repeat(["u", "v"]), dtype=pl.Categorical),
    "enumerations": pl.Series(repeat(["u", "v"]), dtype=pl.Enum(["v", "w", "u"])),
    "booleans": pl.Series(repeat([True, False])),
    "narrow integers": pl.Series(repeat([1, 100]), dtype=pl.Int8),
    "narrow floats": pl.Series(repeat([0.1, 2.5]), dtype=pl.Float32),
    "dates": pl.Series(repeat(DAYS)),
    "times": pl.Series(repeat(TIMES)),
    "durations": pl.Series(repeat([datetime.timedelta(1), datetime.timedelta(3)])),
}


def base(**settings):
    return CategoricalBase(structure="independent", alpha=1.0, **settings)


def reload(model, folder):
    path = folder / "model.npz"
    destructors.save(model, path)
    return destructors.load(path)


@pytest.mark.parametrize("kind", PANDAS)
def test_categories_of_pandas(kind, tmp_path):
    X = pd.DataFrame({"a": PANDAS[kind], "b": series([3, 4])})
    model = base().fit(X)
    Z = model.transform(X)
    assert len(np.unique(Z, axis=0)) == 2
    pd.testing.assert_frame_equal(model.inverse_transform(Z), X)
    samples = model.sample(200, random_state=0)
    assert samples.dtypes.equals(X.dtypes)
    assert set(samples["a"]) >= set(X["a"])
    density = reload(model, tmp_path)
    assert (density.logpdf(X) == model.score_samples(X)).all()
    pd.testing.assert_frame_equal(density.inverse(Z)[0], X)
    pd.testing.assert_frame_equal(density.sample(200, 0), samples)


@pytest.mark.parametrize("kind", POLARS)
def test_categories_of_polars(kind, tmp_path):
    X = pl.DataFrame({"a": POLARS[kind], "b": pl.Series(repeat([3, 4]))})
    model = base().fit(X)
    Z = model.transform(X)
    assert len(np.unique(Z, axis=0)) == 2
    assert_frame_equal(model.inverse_transform(Z), X)
    samples = model.sample(200, random_state=0)
    assert samples.schema == X.schema
    density = reload(model, tmp_path)
    assert (density.logpdf(X) == model.score_samples(X)).all()
    assert_frame_equal(density.sample(200, 0), samples)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (series([1, 3], "int64[pyarrow]"), series([1, 3])),
        (series(["2020Q1", "2021Q3"], "period[Q-DEC]"), series(["2020Q1", "2021Q3"])),
        (pd.cut(series([0.1, 0.9]), [0, 0.5, 1]), series(["(0.0, 0.5]", "(0.5, 1.0]"])),
    ],
    ids=["arrow", "periods", "intervals"],
)
def test_other_columns_of_pandas_come_back_as_plain_ones(column, expected):
    X = pd.DataFrame({"a": column})
    model = base().fit(X)
    back = model.inverse_transform(model.transform(X))
    assert back["a"].astype(expected.dtype).equals(expected)
    assert model.sample(5, 0)["a"].isin(expected).all()


@pytest.mark.parametrize("kind", ["strings", "times", "nullable integers"])
def test_missing_categories_of_pandas(kind, tmp_path):
    X = pd.DataFrame({"a": PANDAS[kind].where(ROWS == 1)})
    model = base(handle_missing="category").fit(X)
    back = model.inverse_transform(model.transform(X))
    pd.testing.assert_frame_equal(back, X)
    expected = np.log(((ROWS == 0).sum() + 1.0) / (len(ROWS) + 3.0))
    scores = reload(model, tmp_path).logpdf(X)
    np.testing.assert_allclose(scores[ROWS == 0], expected)


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["a", "b"] * 20, ["a", "b", "c"]),
        pd.Categorical([True, False] * 20),
        pd.Categorical([10**16, -3] * 20),
        np.array(["a", "b"] * 20, dtype=object),
    ],
    ids=["declared", "booleans", "integers", "objects"],
)
def test_what_was_never_missing_is_not_drawn_missing(column, tmp_path):
    """It has a probability, that of all that was not seen."""
    X = pd.DataFrame({"a": column})
    model = base(handle_missing="category").fit(X)
    assert not model.sample(2000, random_state=0)["a"].isna().any()
    hole = pd.DataFrame({"a": pd.Series([None], dtype=X["a"].dtype)})
    density = reload(model, tmp_path)
    score = density.logpdf(hole)
    assert score < model.score_samples(X).min()
    back = model.inverse_transform(model.transform(hole))
    assert model.score_samples(back) == score
    assert not back["a"].isin(model.categories_[0]).any()
    [size] = model.n_categories_
    every = model.base_distribution_.logpdf(np.arange(size)[:, None])
    assert np.exp(every).sum() == pytest.approx(1.0, abs=1e-12)
    pd.testing.assert_frame_equal(model.inverse_transform(model.transform(X)), X)


def test_a_declared_category_may_be_missing_where_nothing_else_is_unseen():
    X = pd.DataFrame({"a": pd.Categorical(["a", "b"] * 20)})
    model = base(handle_missing="category", handle_unknown="error").fit(X)
    hole = pd.DataFrame({"a": pd.Categorical([None], ["a", "b"])})
    assert np.isfinite(model.score_samples(hole)).all()
    with pytest.raises(ValueError, match="not seen in fit"):
        model.score_samples(pd.DataFrame({"a": ["c"]}))


@pytest.mark.parametrize("kind", ["strings", "times", "narrow floats"])
def test_missing_categories_of_polars(kind):
    column = POLARS[kind].set(pl.Series(ROWS == 0), None)
    X = pl.DataFrame({"a": column})
    model = base(handle_missing="category").fit(X)
    assert_frame_equal(model.inverse_transform(model.transform(X)), X)
    with pytest.raises(ValueError, match=r"missing value in 20 row\(s\); .*: a\."):
        base().fit(X)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    "learner",
    [TreePermutation(), base(), DiscreteTreeFlow(random_state=0)],
    ids=lambda learner: type(learner).__name__,
)
def test_skops_needs_to_trust_our_classes_alone(learner, library):
    X = pd.DataFrame({kind: PANDAS[kind] for kind in ("strings", "booleans")})
    if library == "polars":
        X = pl.from_pandas(X)
    model = clone(learner).fit(X)
    written = skops.io.dumps(model)
    types = skops.io.get_untrusted_types(data=written)
    assert all(name.startswith("destructors.") for name in types)
    loaded = skops.io.loads(written, trusted=types)
    assert (loaded.score_samples(X) == model.score_samples(X)).all()
    assert type(loaded.sample(5, 0)) is type(X)
    assert loaded.sample(5, 0).equals(model.sample(5, 0))
    assert loaded.to_density() == model.to_density()


def test_numbers_of_pandas_are_rounded_to_their_dtypes(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "count": rng.poisson(100, 500).astype(np.uint8),
            "maybe": pd.array(rng.integers(-9, 9, 500), dtype="Int16"),
            "share": rng.uniform(size=500).astype(np.float32),
            "open": rng.uniform(size=500) < 0.5,
            "grade": pd.Categorical(rng.integers(1, 5, 500), ordered=True),
        }
    )
    model = Whitening().fit(X)
    back = model.inverse_transform(model.transform(X))
    pd.testing.assert_frame_equal(back, X, rtol=1e-6)
    samples = model.sample(2000, random_state=0)
    assert samples.dtypes.equals(X.dtypes)
    density = reload(model, tmp_path)
    assert (density.logpdf(X) == model.score_samples(X)).all()
    pd.testing.assert_frame_equal(density.sample(2000, 0), samples)
    assert density.schema.kinds.tolist() == [-1, -1, 0, 0, 0]


def test_numbers_of_polars_are_rounded_to_their_dtypes(tmp_path):
    rng = np.random.default_rng(0)
    X = pl.DataFrame(
        {
            "count": pl.Series(rng.poisson(9, 500), dtype=pl.UInt16),
            "share": pl.Series(rng.uniform(size=500), dtype=pl.Float32),
            "open": pl.Series(rng.uniform(size=500) < 0.5),
        }
    )
    model = Whitening().fit(X)
    assert_frame_equal(model.inverse_transform(model.transform(X)), X, rel_tol=1e-6)
    samples = model.sample(2000, random_state=0)
    assert samples.schema == X.schema
    density = reload(model, tmp_path)
    assert (density.logpdf(X) == model.score_samples(X)).all()
    assert_frame_equal(density.sample(2000, 0), samples)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (pd.RangeIndex(3), pd.RangeIndex(3)),
        (pd.Index([0.5, 1.5, 2.5]), pd.Index([0.5, 1.5, 2.5])),
        (
            pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
            pd.Index(["('a', 1)", "('a', 2)", "('b', 1)"]),
        ),
    ],
    ids=["range", "numbers", "levels"],
)
@pytest.mark.parametrize("learner", [Whitening(), base()], ids=["numbers", "codes"])
def test_names_that_are_no_strings(learner, names, expected, tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (50, 3)), columns=names)
    model = learner.fit(X)
    density = reload(model, tmp_path)
    for back in (model.sample(3, 0), density.sample(3, 0)):
        pd.testing.assert_index_equal(back.columns, expected, exact="equiv")


def test_a_density_reads_frames_by_their_names(tmp_path):
    X = pd.DataFrame({"k": PANDAS["strings"], "n": series([1, 2])})
    density = reload(base().fit(X), tmp_path)
    with pytest.raises(ValueError, match="columns of X are in another order than in"):
        density.logpdf(X[["n", "k"]])
    with pytest.raises(ValueError, match="columns of X are not those of the fit"):
        density.logpdf(X.rename(columns={"n": "m"}))
    with pytest.raises(ValueError, match=r"X must have the shape \(n_samples, 2\)"):
        density.logpdf(X[["k"]])
    np.testing.assert_array_equal(density.logpdf(X.to_numpy()), density.logpdf(X))
    np.testing.assert_array_equal(density.logpdf(pl.from_pandas(X)), density.logpdf(X))


def test_a_density_of_numbers_checks_what_it_reads(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(50, 2)), columns=["a", "b"])
    density = reload(Whitening().fit(X), tmp_path)
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\); .*: b\. Density takes"):
        density.logpdf([[0.0, np.nan]])
    with pytest.raises(ValueError, match=r"column\(s\) 'b' are not numeric"):
        density.logpdf(X.assign(b="x"))


def test_without_the_library_arrays_come_back(tmp_path, monkeypatch):
    X = pd.DataFrame({"k": PANDAS["strings"], "n": series([1, 2])})
    model = base().fit(X)
    density = reload(model, tmp_path)
    Z = model.transform(X)
    # An entry of None is a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "pandas", None)
    back = density.inverse(Z)[0]
    assert isinstance(back, np.ndarray)
    assert back.tolist() == [["uv"[i], 1 + i] for i in ROWS]


def test_a_file_without_the_library_scores_arrays(tmp_path, monkeypatch):
    X = pd.DataFrame({"k": PANDAS["times"], "n": series([1, 2])})
    model = base().fit(X)
    density = reload(model, tmp_path)
    rows = np.array([[TIMES[i], 1 + i] for i in ROWS], dtype=object)
    expected = model.score_samples(X)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert (density.logpdf(rows) == expected).all()


@pytest.mark.parametrize("n_samples", [0, -1, 2.0, "3", None])
def test_a_density_draws_a_number_of_rows(n_samples):
    X = pd.DataFrame({"k": PANDAS["strings"], "n": series([1, 2])})
    density = base().fit(X).to_density()
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        density.sample(n_samples)


def test_a_density_takes_codes_back_alone():
    X = pd.DataFrame({"k": PANDAS["strings"], "n": series([1, 2])})
    density = base().fit(X).to_density()
    with pytest.raises(ValueError, match="Z must be integer codes; column 1 has 0 … 2"):
        density.inverse([[0, 1], [0, 3]])


def test_labels_of_domains_are_plain(tmp_path):
    maps = Switch((Affine(np.zeros(1), np.ones(1)), Affine(np.ones(1), np.ones(1))))
    labels = np.array(["a", "b"], dtype=object)
    density = Density(maps, StandardNormal(1), 1, labels=labels)
    density.save(tmp_path / "model.npz")
    Z = destructors.load(tmp_path / "model.npz").forward([[2.0], [2.0]], ["b", "a"])[0]
    assert Z[0] != Z[1]
    with pytest.raises(
        TypeError, match=r"labels must be .*, not of the type.* int, str"
    ):
        Density(maps, None, 1, labels=np.array([1, "b"], dtype=object))
