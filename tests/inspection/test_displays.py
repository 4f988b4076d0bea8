"""Displays: what the artists show is what was learned."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from scipy.stats import norm

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from destructors.alignment import GaussianBarycenter
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.estimators import OutlierDetector
from destructors.flows import AlignmentFlow
from destructors.inspection import (
    AlignmentDisplay,
    DensityDisplay,
    DestructionDisplay,
    LatentDisplay,
    LikelihoodDisplay,
    OutlierDisplay,
    PairDisplay,
)
from destructors.inspection._axes import COLORS, REFERENCE
from destructors.linear import Standardize, Whitening
from destructors.marginal import NormalCDF
from destructors.tree import BoostedTreeDestructor

COVARIANCE = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 4.0]])
X = np.random.default_rng(0).multivariate_normal([0, 0, 1], COVARIANCE, size=400)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def gaussian():
    return Whitening(shrinkage=0.0).fit(X)


@pytest.fixture(scope="module")
def trees():
    return BoostedTreeDestructor(max_iter=20, random_state=0).fit(np.exp(X[:, :2]))


@pytest.fixture(scope="module")
def flow():
    domain = np.repeat(["a", "b"], 200)
    rows = X[:, :2] + np.where(domain == "b", 3.0, 0.0)[:, None]
    flow = AlignmentFlow([("gaussian", GaussianBarycenter())], max_iter=2)
    return flow.set_params(random_state=0).fit(rows, sample_domain=domain), rows, domain


# ---------------------------------------------------------------- the density


def test_marginals_are_those_of_the_model(gaussian):
    display = DensityDisplay.from_estimator(gaussian, X)
    assert len(display.lines_) == 3
    for j, line in enumerate(display.lines_):
        values, density = line.get_data()
        truth = norm.pdf(values, X[:, j].mean(), X[:, j].std())
        assert np.abs(density - truth).max() < 0.05 * truth.max()
    labels = [axis.get_xlabel() for axis in display.axes_.flat]
    assert labels == ["column 0", "column 1", "column 2"]


def test_a_slice_is_the_density_given_the_others(gaussian):
    display = DensityDisplay.from_estimator(gaussian, X, kind="slice", features=[0])
    [line] = display.lines_
    values, density = line.get_data()
    # Given the second column, the first has a variance of 0.36.
    mean = (values * density).sum() / density.sum()
    variance = ((values - mean) ** 2 * density).sum() / density.sum()
    assert variance == pytest.approx(0.36, abs=0.05)


def test_a_map_of_all_columns_is_exact(gaussian):
    two = Whitening(shrinkage=0.0).fit(X[:, :2])
    display = DensityDisplay.from_estimator(two, X[:, :2], grid_resolution=20)
    [mesh] = display.maps_
    (x, y), [density] = display.grids[0], display.densities
    assert density[3, 7] == pytest.approx(np.exp(two.score([[x[3], y[7]]])))
    assert np.allclose(np.asarray(mesh.get_array()), density.T)
    pairs = DensityDisplay.from_estimator(gaussian, X, features=[(0, 1)])
    cell = np.prod([values[1] - values[0] for values in pairs.grids[0]])
    assert pairs.densities[0].sum() * cell == pytest.approx(1.0, abs=0.02)


def test_a_single_column_and_frames_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = Whitening().fit(frame)
    display = DensityDisplay.from_estimator(model, frame, features=["b", ("a", "c")])
    assert display.labels == [("b",), ("a", "c")]
    one = Standardize().fit(X[:, :1])
    [line] = DensityDisplay.from_estimator(one.to_density(), X[:, :1]).lines_
    assert line.get_ydata().max() == pytest.approx(1 / np.sqrt(2 * np.pi), rel=0.1)


# ---------------------------------------------------------------- other displays


def test_destruction_goes_to_noise_and_back(gaussian):
    stack = make_destructor_pipeline(Standardize(), Whitening(shrinkage=0.0)).fit(X)
    display = DestructionDisplay.from_estimator(stack, X, n_samples=300)
    assert display.titles == ["data", "1 layer", "2 layers"]
    assert display.axes_.shape == (2, 3)
    assert np.corrcoef(display.forward[0].T)[0, 1] > 0.7
    assert abs(np.corrcoef(display.forward[-1].T)[0, 1]) < 0.15
    assert abs(np.corrcoef(display.backward[0].T)[0, 1]) < 0.15
    assert np.corrcoef(display.backward[-1].T)[0, 1] > 0.7
    shown = display.points_[0].get_offsets()
    assert np.allclose(shown, display.forward[0])


def test_destruction_of_trees_is_shown_by_numbers_of_trees(trees):
    display = DestructionDisplay.from_estimator(trees, np.exp(X[:, :2]))
    assert display.titles[1] == "1 tree"
    assert display.titles[-1] == f"{trees.n_iter_} trees"
    latent = trees.transform(np.exp(X[:, :2]))
    assert np.allclose(display.forward[-1], latent)


def test_likelihood_shows_the_scores_and_the_stop(trees):
    display = LikelihoodDisplay.from_estimator(trees)
    train, held_out = display.lines_
    assert np.array_equal(train.get_ydata(), trees.train_score_)
    assert np.array_equal(held_out.get_ydata(), trees.validation_score_)
    assert display.stops_[0].get_xdata()[0] == trees.n_iter_
    stack = IterativeDestructor(
        [("trees", BoostedTreeDestructor(max_iter=5, early_stopping=False))],
        max_iter=1,
        early_stopping=False,
        random_state=0,
    ).fit(X)
    display = LikelihoodDisplay.from_estimator(stack)
    assert [noun for noun, *_ in display.panels] == ["layer", "tree"]
    assert len(display.lines_) == 2


def test_a_start_that_is_far_off_does_not_flatten_the_rest():
    far = LikelihoodDisplay([("layer", [-9e5, -3.0, -2.0], [-9e5, -3.1, -2.5])]).plot()
    low, high = far.axes_[0].get_ylim()
    assert -3.3 < low < -3.1
    assert -2.0 < high < -1.8
    near = LikelihoodDisplay([("layer", [-4.0, -3.0, -2.0], [])]).plot()
    assert near.axes_[0].get_ylim()[0] < -4.0


def test_pairs_mirror_real_rows_and_samples(gaussian):
    display = PairDisplay.from_estimator(gaussian, X, n_samples=200)
    real, sampled = display.points_[1, 0], display.points_[0, 1]
    assert len(real.get_offsets()) == len(sampled.get_offsets()) == 200
    assert np.allclose(real.get_offsets(), display.real[:, [0, 1]])
    assert np.allclose(sampled.get_offsets(), display.sampled[:, [1, 0]])
    assert display.axes_[0, 1].get_xlim() == display.axes_[1, 1].get_xlim()


def test_latent_quantiles_and_correlations(gaussian):
    rng = np.random.default_rng(1)
    new = rng.multivariate_normal([0, 0, 1], COVARIANCE, size=1000)
    display = LatentDisplay.from_estimator(gaussian, new)
    low, high = np.sort(display.band_.get_paths()[0].vertices[:, 1])[[0, -1]]
    assert low < 0 < high
    inside = [np.abs(line.get_ydata()).max() < 1.0 for line in display.lines_]
    assert all(inside)
    z = rng.normal(size=5000)
    bent = LatentDisplay(np.c_[z, rng.choice([-1, 1], 5000) * z, 0.6 * z + 0.8]).plot()
    assert abs(bent.correlations_[1, 0]) < 0.1
    assert bent.correlations_[0, 1] == pytest.approx(1.0)
    assert bent.correlations_[2, 0] == pytest.approx(1.0)


def test_alignment_before_and_after(flow):
    model, rows, domain = flow
    display = AlignmentDisplay.from_estimator(model, rows, sample_domain=domain)
    before, after = display.points_[:2], display.points_[2:]
    distance = lambda pair: np.linalg.norm(
        np.subtract(*(one.get_offsets().mean(axis=0) for one in pair))
    )
    assert distance(before) > 3.0
    assert distance(after) < 0.3
    assert np.array_equal(display.lines_[0].get_ydata(), model.divergence_[0])
    layer = GaussianBarycenter().fit(rows, sample_domain=domain)
    only = AlignmentDisplay.from_estimator(layer, rows, sample_domain=domain)
    assert len(only.axes_) == 2


# ---------------------------------------------------------------- axes


def test_one_axis_is_divided_and_the_right_number_is_taken(gaussian):
    figure, axis = plt.subplots()
    display = DensityDisplay.from_estimator(gaussian, X, ax=axis)
    assert display.figure_ is figure
    assert not axis.axison
    _, axes = plt.subplots(1, 3)
    display.plot(ax=axes)
    assert display.axes_.ravel().tolist() == axes.tolist()
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="ax has 2 axes, but 3 are needed"):
        display.plot(ax=axes)


def test_colors_are_seen_on_white_and_on_dark():
    from matplotlib.colors import to_rgb

    def luminance(color):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in to_rgb(color)
        ]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for color in (*COLORS, REFERENCE):
        assert 1.05 / (luminance(color) + 0.05) >= 2.9
        assert (luminance(color) + 0.05) / (luminance("#000000") + 0.05) >= 3.0


def test_matplotlib_is_imported_to_draw_only():
    code = (
        "import sys; import destructors.inspection as i; "
        "assert 'matplotlib' not in sys.modules; "
        "sys.modules['matplotlib.pyplot'] = None\n"
        "try: i.LatentDisplay([[0.0], [1.0]]).plot()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install destructors[plot]" in done.stdout


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda model: DensityDisplay.from_estimator(model, X, features=[7]),
            ValueError,
            "There is no column 7 among the 3",
        ),
        (
            lambda model: DensityDisplay.from_estimator(model, X, features=[(0, 0)]),
            ValueError,
            "neither a column nor a pair",
        ),
        (
            lambda model: DensityDisplay.from_estimator(model, X, kind="cut"),
            ValueError,
            "kind must be",
        ),
        (
            lambda model: LikelihoodDisplay.from_estimator(model),
            TypeError,
            "did not grow step by step",
        ),
        (
            lambda model: LatentDisplay.from_estimator(NormalCDF().fit(X), X),
            ValueError,
            "ends on Uniform",
        ),
        (lambda model: PairDisplay(X, X[:, :2]), ValueError, "sampled has 2"),
        (lambda model: PairDisplay(X, X, ["a"]), ValueError, "1 names for 3 columns"),
        (
            lambda model: DestructionDisplay.from_estimator(
                Standardize().fit(X[:, :1]), X[:, :1]
            ),
            ValueError,
            "one column only",
        ),
    ],
)
def test_refused(gaussian, call, error, message):
    with pytest.raises(error, match=message):
        call(gaussian)


# ---------------------------------------------------------------- outliers


def test_bars_of_an_outlier_are_its_nats_by_column():
    detector = OutlierDetector(Whitening(), random_state=0).fit(X)
    rows = np.array([[0.0, 0.0, 9.0], [2.0, -2.0, 1.0]])
    display = OutlierDisplay.from_estimator(detector, rows)
    excess = detector.explain(rows)
    for i, bars in enumerate(display.bars_):
        lengths = [bar.get_width() for bar in bars]
        np.testing.assert_allclose(lengths, np.sort(excess[i])[::-1])
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels[0] == "column 2 = 9"
    assert display.axes_[1].get_title(loc="left").startswith("p = 0.0")
    saved = OutlierDisplay.from_estimator(detector.to_detector(), rows)
    np.testing.assert_array_equal(saved.excess, excess)
    assert saved.names == display.names
    again = OutlierDisplay(excess, rows).plot(n_features=2)
    assert [len(bars) for bars in again.bars_] == [2, 2]


def test_an_outlier_display_says_what_it_needs(gaussian):
    with pytest.raises(TypeError, match="OutlierDetector"):
        OutlierDisplay.from_estimator(gaussian, X[:2])
    with pytest.raises(ValueError, match="give at most 12"):
        OutlierDisplay(X, X)
    with pytest.raises(ValueError, match="values must have the shape"):
        OutlierDisplay(X[:2], X[:2, :1])
    with pytest.raises(ValueError, match="p_values"):
        OutlierDisplay(X[:2], X[:2], p_values=[0.1])
