"""ColumnDestructor: groups of columns, and DataFrames back."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.utils import estimator_html_repr

import destructors
from destructors.compose import (
    CategoryDequantizer,
    ColumnDestructor,
    DestructorPipeline,
    IterativeDestructor,
    make_destructor_pipeline,
)
from destructors.flows import RBIG
from destructors.linear import Standardize, Whitening
from destructors.marginal import (
    BoundedSupport,
    Dequantizer,
    HistogramGaussianizer,
    NormalCDF,
    SplineGaussianizer,
)
from destructors.testing import check_destructor


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    size = rng.normal(size=400)
    return pd.DataFrame(
        {
            "visits": rng.poisson(3.0, 400),
            "share": rng.beta(2.0, 1.5, 400),
            "size": size,
            "weight": (2.0 * size + rng.normal(size=400)).astype(np.float32),
            "member": rng.uniform(size=400) < 0.3,
        }
    )


def counts():
    return make_destructor_pipeline(Dequantizer(random_state=0), SplineGaussianizer())


def shares():
    return make_destructor_pipeline(BoundedSupport(0.0, 1.0), SplineGaussianizer())


@pytest.fixture
def model():
    return ColumnDestructor(
        [
            ("count", counts(), ["visits", "member"]),
            ("share", shares(), ["share"]),
            ("real", Whitening(), ["size", "weight"]),
        ]
    )


# ---------------------------------------------------------------- frames


def test_round_trip_of_a_frame_is_exact_with_its_dtypes(model, frame):
    back = model.fit(frame).inverse_transform(model.transform(frame))
    assert (back.dtypes == frame.dtypes).all()
    for name in ("visits", "member"):
        np.testing.assert_array_equal(back[name], frame[name])
    pd.testing.assert_frame_equal(back, frame, rtol=1e-6)
    np.testing.assert_allclose(back["size"], frame["size"], atol=1e-10)
    np.testing.assert_allclose(back["share"], frame["share"], atol=1e-10)


def test_samples_are_such_rows(model, frame):
    samples = model.fit(frame).sample(500, random_state=0)
    assert (samples.dtypes == frame.dtypes).all()
    assert list(samples.columns) == list(frame.columns)
    assert samples["share"].between(0.0, 1.0).all()
    assert samples["visits"].mean() == pytest.approx(frame["visits"].mean(), abs=0.4)
    assert samples["member"].mean() == pytest.approx(frame["member"].mean(), abs=0.1)


def test_a_pipeline_that_begins_with_it_does_the_same(model, frame):
    chain = make_destructor_pipeline(model, RBIG(max_iter=2, random_state=0)).fit(frame)
    back = chain.inverse_transform(chain.transform(frame))
    pd.testing.assert_frame_equal(back, frame, rtol=1e-5)
    assert (chain.sample(5, random_state=0).dtypes == frame.dtypes).all()
    rows, log_det = chain.inverse_and_log_det(chain.transform(frame))
    pd.testing.assert_frame_equal(rows, back)
    np.testing.assert_allclose(
        log_det, -chain.transform_and_log_det(frame)[1], atol=1e-6
    )
    nested = DestructorPipeline([("inner", chain), ("outer", Standardize())]).fit(frame)
    assert (nested.sample(5, random_state=0).dtypes == frame.dtypes).all()


def test_frames_of_polars_come_back(model, frame):
    pl = pytest.importorskip("polars")
    table = pl.DataFrame(frame.to_dict(orient="list"))
    model.fit(table)
    np.testing.assert_array_equal(
        model.score_samples(table), model.score_samples(table[:, :])
    )
    back = model.inverse_transform(model.transform(table))
    assert back.schema == table.schema
    assert back["visits"].equals(table["visits"])
    assert back["member"].equals(table["member"])
    np.testing.assert_allclose(back["size"], table["size"], atol=1e-10)
    assert model.sample(5, random_state=0).schema == table.schema
    # The same numbers in a frame of pandas are the same rows.
    other = clone(model).fit(frame.astype({"weight": float}))
    np.testing.assert_array_equal(
        other.transform(frame.astype({"weight": float})), model.transform(table)
    )
    with pytest.raises(ValueError, match="same order"):
        model.score_samples(table[:, ::-1])


def test_arrays_give_arrays():
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = ColumnDestructor([("a", Standardize(), [1])]).fit(X)
    assert isinstance(model.sample(3, random_state=0), np.ndarray)
    refitted = model.fit(pd.DataFrame(X, columns=["a", "b"]))
    assert isinstance(refitted.sample(3, random_state=0), pd.DataFrame)
    assert isinstance(refitted.fit(X).sample(3, random_state=0), np.ndarray)


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 2, 3, 2] * 20, dtype="Int64"),
        pd.array([1, 2, 3, 2] * 20, dtype="uint8"),
        pd.array([True, False] * 40, dtype="boolean"),
        pd.array([0.5, 1.5] * 40, dtype="Float64"),
        pd.Categorical([1, 5, 9, 5] * 20),
        np.array([1, 2, 3, 2] * 20, dtype=np.int8),
    ],
    ids=["Int64", "uint8", "boolean", "Float64", "category", "int8"],
)
def test_dtypes(column):
    frame = pd.DataFrame({"column": column, "other": np.linspace(0.0, 1.0, 80)})
    model = ColumnDestructor([("all", SplineGaussianizer(), slice(None))]).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    pd.testing.assert_frame_equal(back, frame, check_exact=False)


def test_a_saved_one_is_the_same(model, frame, tmp_path):
    model.fit(frame)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(frame), model.score_samples(frame))
    pd.testing.assert_frame_equal(
        density.sample(5, random_state=0), model.sample(5, random_state=0)
    )


def test_integers_stay_within_their_dtype():
    frame = pd.DataFrame({"byte": np.array([250, 251, 252, 253] * 9, dtype=np.uint8)})
    model = ColumnDestructor([("all", Standardize(), ["byte"])]).fit(frame)
    high = model.inverse_transform([[1e6], [-1e6]])
    assert list(high["byte"]) == [255, 0]


# ---------------------------------------------------------------- density


def test_score_is_the_sum_over_the_groups(frame):
    model = ColumnDestructor(
        [
            ("a", SplineGaussianizer(), ["share"]),
            ("b", Whitening(), ["size", "weight"]),
        ],
        remainder=Standardize(),
    ).fit(frame)
    parts = [
        SplineGaussianizer().fit(frame[["share"]]).score(frame[["share"]]),
        Whitening().fit(frame[["size", "weight"]]).score(frame[["size", "weight"]]),
        Standardize()
        .fit(frame[["visits", "member"]])
        .score(frame[["visits", "member"]]),
    ]
    assert model.score(frame) == pytest.approx(sum(parts))


def test_density_is_normalised(frame):
    model = ColumnDestructor(
        [
            ("count", counts(), ["visits"]),
            ("share", shares(), ["share"]),
        ],
        remainder=Standardize(),
    )
    names = ["visits", "share", "size"]
    model.fit(frame[names])
    visits = np.linspace(-6.0, 20.0, 131)[:-1] + 0.1
    share = (np.arange(100) + 0.5) / 100
    size = np.linspace(-5.0, 5.0, 51)
    grid = np.stack(np.meshgrid(visits, share, size, indexing="ij"), axis=-1)
    grid = pd.DataFrame(grid.reshape(-1, 3), columns=names)
    # visits runs over dequantized values: the density of a count is that of its cell.
    total = np.exp(model.score_samples(grid)).sum() * 0.2 * 0.01 * 0.2
    assert total == pytest.approx(1.0, abs=0.01)


def test_law(frame):
    X = frame[["share", "size", "weight"]].to_numpy(dtype=float)
    model = ColumnDestructor(
        [("a", SplineGaussianizer(), [0]), ("b", Whitening(), [2, 1])]
    )
    results = check_destructor(model, X=X)
    assert {result["status"] for result in results} == {"passed"}


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "columns",
    [
        "share",
        ["share"],
        1,
        [1],
        slice(1, 2),
        [False, True, False, False, False],
        lambda data: ["share"],
        lambda data: [
            name for name in data if (data[name] % 1).between(1e-9, data[name]).all()
        ],
        make_column_selector(pattern="^sh"),
    ],
)
def test_ways_to_choose_columns(columns, frame):
    model = ColumnDestructor([("group", HistogramGaussianizer(), columns)]).fit(frame)
    [(name, _, positions)] = model.destructors_
    assert name == "group"
    np.testing.assert_array_equal(positions, [1])
    Z = model.transform(frame)
    np.testing.assert_array_equal(Z[:, 2], frame["size"])
    expected = HistogramGaussianizer().fit_transform(frame[["share"]])
    np.testing.assert_allclose(Z[:, [1]], expected)


def test_dtype_selectors_work_in_a_pipeline(frame):
    chain = make_destructor_pipeline(
        ColumnDestructor(
            [("f", SplineGaussianizer(), make_column_selector(dtype_include=float))]
        ),
        Standardize(),
    ).fit(frame)
    np.testing.assert_array_equal(chain[0].destructors_[0][2], [1, 2, 3])


def test_positions_and_order_within_a_group():
    X = np.random.default_rng(0).normal(size=(100, 3)) @ np.triu(np.ones((3, 3)))
    model = ColumnDestructor([("pair", Whitening(method="cholesky"), [2, 0])]).fit(X)
    expected = Whitening(method="cholesky").fit_transform(X[:, [2, 0]])
    np.testing.assert_allclose(model.transform(X)[:, [2, 0]], expected)


def test_names_out(frame):
    model = ColumnDestructor(
        [("pair", Whitening(), ["size", "weight"]), ("one", Standardize(), ["share"])]
    ).fit(frame)
    assert list(model.get_feature_names_out()) == [
        "visits",
        "share",
        "pair__0",
        "pair__1",
        "member",
    ]


def test_empty_groups_and_no_groups(frame):
    numbers = frame[["share", "size"]]
    none = make_column_selector(dtype_include=object)
    model = ColumnDestructor([("none", Standardize(), none)]).fit(numbers)
    assert model.destructors_ == []
    np.testing.assert_array_equal(model.transform(numbers), numbers)
    everything = ColumnDestructor([], remainder=Standardize()).fit(numbers)
    assert everything.score(numbers) == Standardize().fit(numbers).score(numbers)


def test_transformers_and_parameters(frame):
    model = ColumnDestructor([("scale", StandardScaler(), ["size"])])
    model.set_params(scale__with_mean=False)
    assert not clone(model).get_params()["scale"].with_mean
    model.fit(frame)
    np.testing.assert_allclose(
        model.transform(frame)[:, 2], frame["size"] / frame["size"].std(ddof=0)
    )
    assert model.named_destructors_.scale is model.destructors_[0][1]


def test_weights_and_held_out_rows_reach_the_groups():
    rng = np.random.default_rng(0)
    X, weight = rng.gamma(2.0, size=(300, 2)), rng.integers(0, 4, size=300)
    columns = ColumnDestructor(
        [("a", IterativeDestructor(max_iter=2, random_state=0), [0])],
        remainder=SplineGaussianizer(),
    )
    weighted = columns.fit(X, sample_weight=weight).score_samples(X)
    repeated = columns.fit(np.repeat(X, weight, axis=0)).score_samples(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


def test_a_stopped_layer_in_a_group_is_fitted_again_as_long():
    # On all rows, where nothing is held out, it must not hold out rows of its own.
    X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
    inner = IterativeDestructor(max_iter=5, random_state=0)
    columns = ColumnDestructor([("a", inner, [0])], remainder=clone(inner))
    model = IterativeDestructor(columns, max_iter=1, cv=3, random_state=0).fit(X)
    [layer] = model
    for fitted in (layer.named_destructors_.a, layer.named_destructors_.remainder):
        assert not fitted.early_stopping
        assert fitted.n_iter_ == fitted.max_iter
        assert not len(fitted.validation_score_)


class Recorder:
    """A callback that writes down where it is called."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.events.append((type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator, context):
        pass


def test_callbacks_reach_the_groups(frame):
    # Fits inside a fit hear of those alone that say they are to be handed on.
    recorder = Recorder()
    recorder.max_propagation_depth = None
    stack = IterativeDestructor(max_iter=2, early_stopping=False, random_state=0)
    model = ColumnDestructor([("a", stack, ["size"]), ("b", counts(), ["visits"])])
    model.set_callbacks(recorder).fit(frame)
    assert recorder.events.count(("ColumnDestructor", "group")) == 2
    assert ("ColumnDestructor", "a") in recorder.events
    assert recorder.events.count(("IterativeDestructor", "layer")) == 2


def test_html_repr_shows_the_groups(model, frame):
    for shown in (model, model.fit(frame)):
        text = estimator_html_repr(shown)
        for label in ("count", "share", "real", "Whitening", "Dequantizer", "visits"):
            assert label in text
    assert "passthrough" in estimator_html_repr(ColumnDestructor([]))
    rest = ColumnDestructor([], remainder=Standardize())
    assert "Standardize" in estimator_html_repr(rest)
    assert "Standardize" in estimator_html_repr(rest.fit(frame))


def test_groups_know_their_part_of_the_table(model, frame):
    model.fit(frame)
    named = model.named_destructors_
    assert list(named.count.feature_names_in_) == ["visits", "member"]
    part = frame[["visits", "member"]]
    assert (named.count.sample(3, random_state=0).dtypes == part.dtypes).all()
    total = sum(
        named[name].score_samples(frame[columns])
        for name, columns in {
            "count": ["visits", "member"],
            "share": ["share"],
            "real": ["size", "weight"],
        }.items()
    )
    np.testing.assert_allclose(model.score_samples(frame), total, rtol=1e-12)


def test_names_are_known_after_a_layer_that_keeps_columns(frame):
    pair = ColumnDestructor([("pair", Whitening(), ["size", "weight"])])
    chain = make_destructor_pipeline(Standardize(), pair).fit(frame)
    np.testing.assert_array_equal(chain[1].destructors_[0][2], [2, 3])


# ---------------------------------------------------------------- categories


@pytest.fixture
def colors(frame):
    red = np.random.default_rng(1).uniform(size=400) < np.where(
        frame["share"] > 0.5, 0.9, 0.1
    )
    return frame[["size"]].assign(color=np.where(red, "red", "blue"))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_categories_are_marked_by_the_groups(kind, colors):
    table = colors
    if kind == "polars":
        pl = pytest.importorskip("polars")
        table = pl.DataFrame(colors.to_dict(orient="list"))
    spread = make_destructor_pipeline(
        CategoryDequantizer(random_state=0), Standardize()
    )
    columns = ColumnDestructor([("kind", spread, ["color"])], SplineGaussianizer())
    chain = make_destructor_pipeline(columns, RBIG(max_iter=2, random_state=0))
    back = chain.fit(table).inverse_transform(chain.transform(table))
    assert list(back["color"]) == list(table["color"])
    assert type(chain.sample(3, random_state=0)) is type(table)
    assert set(chain.sample(50, random_state=0)["color"]) == {"red", "blue"}


def test_a_table_of_categories_alone(colors):
    table = colors[["color"]].assign(other=colors["color"])
    spread = ColumnDestructor([("a", CategoryDequantizer(random_state=0), ["color"])])
    with pytest.raises(ValueError, match="not numeric"):
        spread.fit(table)
    both = ColumnDestructor(
        [("a", CategoryDequantizer(random_state=0), [0])],
        remainder=CategoryDequantizer(random_state=1),
    ).fit(table)
    assert (both.transform(table) % 1).all()
    pd.testing.assert_frame_equal(both.inverse_transform(both.transform(table)), table)
    chain = make_destructor_pipeline(both, RBIG(random_state=0)).fit(table)
    assert both.score(table) == pytest.approx(-2.0 * np.log(2.0), abs=0.05)
    # What follows sees whole intervals, not the two points of the two rows.
    samples = chain.sample(500, random_state=0)
    assert (samples["color"] == samples["other"]).mean() > 0.8
    assert samples["color"].nunique() == 2


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("destructors", "remainder", "error", "message"),
    [
        ([("a", Standardize(), ["age"])], "passthrough", ValueError, "'a' .* not in X"),
        ([("a", Standardize(), [9])], "passthrough", ValueError, "'a' .* not in X"),
        (
            [("a", Standardize(), ["size"]), ("b", Standardize(), [2])],
            "passthrough",
            ValueError,
            "Column size is in the groups 'a' and 'b'",
        ),
        ([("a", Standardize(), [1, 1])], "passthrough", ValueError, "'a' and 'a'"),
        ([("a", Standardize())], "passthrough", TypeError, "columns. tuple"),
        (
            [("a", KBinsDiscretizer(), [1])],
            "passthrough",
            TypeError,
            "Group 'a' must be a Destructor.* KBinsDiscretizer is not known",
        ),
        ([], KBinsDiscretizer(), TypeError, "Group 'remainder' must be"),
        ([], "drop", ValueError, 'remainder="drop" cannot be undone'),
        ([], "keep", ValueError, "'remainder' parameter of ColumnDestructor"),
        ("all", "passthrough", ValueError, "'destructors' parameter"),
        (
            [("a", NormalCDF(), [1])],
            "passthrough",
            ValueError,
            "group 'a' ends on Unif",
        ),
        (
            [("a", BoundedSupport(5.0), ["share"])],
            "passthrough",
            ValueError,
            r"beyond the bounds in column\(s\) share",
        ),
        (
            [("a", Standardize(), [0]), ("a", Standardize(), [1])],
            "passthrough",
            ValueError,
            "Names provided are not unique",
        ),
    ],
)
def test_errors(destructors, remainder, error, message, frame):
    with pytest.raises(error, match=message):
        ColumnDestructor(destructors, remainder).fit(frame)
