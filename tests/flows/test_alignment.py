"""The alignment flow: its figures, its maps, its density, its place in scikit-learn."""

import pickle

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_circles, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import destructors
from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.flows import AlignmentFlow, GaussianCopula
from destructors.metrics import energy_coefficient, wasserstein_distance


def draw(random_state):
    moons = make_moons(1000, noise=0.05, random_state=random_state)[0]
    circles = make_circles(1000, noise=0.05, factor=0.5, random_state=random_state)[0]
    return moons, circles


LABELS = np.repeat(["moons", "circles"], 1000)


@pytest.fixture(scope="module")
def flow():
    X = np.vstack(draw(0))
    return AlignmentFlow(density=GaussianCopula(), random_state=0).fit(
        X, sample_domain=LABELS
    )


@pytest.fixture
def small():
    """300 rows of two domains, and a task."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int)
    domain = rng.integers(0, 2, size=300)
    X[domain == 1] = 2.0 * X[domain == 1] + 3.0
    return X, y, domain


# ---------------------------------------------------------------- figures


def test_moons_and_circles(flow):
    """Exact distances of new rows; chance alone makes 0.0017."""
    moons, circles = draw(1)
    Z = flow.transform(np.vstack([moons, circles]), sample_domain=LABELS)
    assert wasserstein_distance(Z[:1000], Z[1000:]) <= 0.010
    translated = flow.translate(moons, source="moons", target="circles")
    assert wasserstein_distance(translated, circles) <= 0.0055


@pytest.mark.parametrize(
    "layer",
    [
        GaussianBarycenter(),
        MarginalBarycenter(),
        SlicedBarycenter(learning_rate=0.5),
        TreeBarycenter(),
        None,
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_three_normal_domains_of_unequal_sizes(layer):
    """Means and covariances are equal within sampling error for flows of each kind."""
    rng = np.random.default_rng(0)
    sizes, means = [500, 1000, 3000], np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 4.0]])
    roots = np.array([[[1, 0], [0, 1]], [[2, 0], [0.5, 0.5]], [[0.6, 0], [-0.9, 1.5]]])
    if isinstance(layer, MarginalBarycenter):
        # It changes no dependence: the domains have none.
        roots = roots * np.eye(2)
    domain = np.repeat([0, 1, 2], sizes)
    X = np.vstack(
        [
            mean + rng.normal(size=(n, 2)) @ root.T
            for n, mean, root in zip(sizes, means, roots, strict=True)
        ]
    )
    flow = AlignmentFlow(layer and [("layer", layer)], cv=None, random_state=0)
    Z = flow.fit_transform(X, sample_domain=domain)
    parts = [Z[domain == k] for k in range(3)]
    pooled = np.mean([np.cov(part.T) for part in parts], axis=0)
    sd = np.sqrt(np.diag(pooled))
    for part, n in zip(parts, sizes, strict=True):
        assert (np.abs(part.mean(axis=0) - Z.mean(axis=0)) < 4 * sd / n**0.5).all()
        slack = 4 * np.sqrt(2 / n) * np.outer(sd, sd)
        assert (np.abs(np.cov(part.T) - pooled) < slack).all()


def test_one_distribution_is_left_alone():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(600, 3)), np.repeat([0, 1], 300)
    flow = AlignmentFlow(random_state=0).fit(X, sample_domain=domain)
    moved = flow.transform(X, sample_domain=domain) - X
    assert np.abs(moved).mean() < 0.1


# ---------------------------------------------------------------- maps


def test_round_trip_of_every_row(flow):
    X = np.vstack(draw(1))
    Z = flow.transform(X, sample_domain=LABELS)
    back = flow.inverse_transform(Z, sample_domain=LABELS)
    assert np.abs(back - X).max() <= 1e-8
    there = flow.translate(X[:1000], source="moons", target="circles")
    again = flow.translate(there, source="circles", target="moons")
    assert np.abs(again - X[:1000]).max() <= 1e-8


def test_log_det_is_that_of_the_jacobian(flow):
    X = np.vstack([part[:100] for part in draw(1)])
    labels = np.repeat(["moons", "circles"], 100)
    _, log_det = flow.transform_and_log_det(X, sample_domain=labels)
    step = 1e-7
    columns = [
        flow.transform(X + step * axis, sample_domain=labels)
        - flow.transform(X - step * axis, sample_domain=labels)
        for axis in np.eye(2)
    ]
    numerical = np.linalg.slogdet(np.stack(columns, axis=2) / (2 * step))[1]
    # Within a step of a knot the slopes of both sides mix.
    assert np.mean(np.abs(numerical - log_det) < 1e-3) > 0.95
    assert np.median(np.abs(numerical - log_det)) < 1e-5


def test_far_rows(flow):
    X = 1e8 * np.random.default_rng(0).normal(size=(100, 2))
    Z = flow.transform(X, sample_domain=["moons"] * 100)
    back = flow.inverse_transform(Z, sample_domain=["moons"] * 100)
    np.testing.assert_allclose(back, X, rtol=1e-6, atol=1.0)


def test_target_stays_where_it_is():
    moons, circles = (part[::4] for part in draw(0))
    domain = np.repeat([1, -2], 250)
    flow = AlignmentFlow(domain_weights="target", max_iter=5, random_state=0)
    Z = flow.fit_transform(np.vstack([moons, circles]), sample_domain=domain)
    np.testing.assert_allclose(Z[250:], circles, atol=1e-6)
    before = wasserstein_distance(moons, circles)
    assert wasserstein_distance(Z[:250], circles) < 0.2 * before


# ---------------------------------------------------------------- growth


def test_divergence_falls_and_is_cut_at_its_lowest(flow):
    train, held_out = flow.divergence_
    assert flow.divergence_.shape == (2, flow.n_iter_ + 1)
    assert train[-1] < 0.1 * train[0]
    assert np.argmin(held_out) == flow.n_iter_
    assert len(flow.layers_) == len(flow.layer_names_) == flow.n_iter_ > 5


def test_more_layers_never_make_it_worse():
    X = np.vstack([part[::4] for part in draw(0)])
    domain = np.repeat([0, 1], 250)
    reached = [
        AlignmentFlow(max_iter=n, random_state=0)
        .fit(X, sample_domain=domain)
        .divergence_[1, -1]
        for n in (2, 5, 40)
    ]
    assert reached[0] >= reached[1] >= reached[2]


def test_without_held_out_rows():
    X = np.vstack([part[::4] for part in draw(0)])
    domain = np.repeat([0, 1], 250)
    flow = AlignmentFlow(early_stopping=False, max_iter=3, random_state=0)
    flow.fit(X, sample_domain=domain)
    assert flow.n_iter_ == 3
    assert np.isnan(flow.divergence_[1]).all()
    assert (np.diff(flow.divergence_[0]) < 0).all()


def test_one_hold_out_and_portfolio():
    X = np.vstack([part[::4] for part in draw(0)])
    domain = np.repeat([0, 1], 250)
    layers = [
        ("gaussian", GaussianBarycenter()),
        ("tree", TreeBarycenter()),
        ("sliced", SlicedBarycenter()),
    ]
    flow = AlignmentFlow(layers, cv=None, validation_fraction=0.3, random_state=0)
    flow.fit(X, sample_domain=domain)
    assert set(flow.layer_names_) <= {"gaussian", "tree", "sliced"}
    # Of 75 rows of a domain, some of what is left is chance.
    assert flow.divergence_[1, -1] < 0.5 * flow.divergence_[1, 0]


class Stopper:
    """A callback that ends the growth after two layers."""

    def __init__(self):
        self.n_layers = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_layers += context.task_name == "layer"
        return self.n_layers == 2


def test_callbacks_of_scikit_learn():
    X = np.vstack([part[::4] for part in draw(0)])
    flow = AlignmentFlow(random_state=0).set_callbacks(Stopper())
    assert flow.fit(X, sample_domain=np.repeat([0, 1], 250)).n_iter_ == 2


class Failing(MarginalBarycenter):
    """A layer that cannot be fitted."""

    def _fit_barycenter(self, parts, random_state):
        raise ArithmeticError("no luck")


def test_a_layer_that_fails_is_passed_over():
    X = np.vstack([part[::4] for part in draw(0)])
    layers = [("failing", Failing()), ("sliced", SlicedBarycenter())]
    flow = AlignmentFlow(layers, max_iter=1, random_state=0)
    with pytest.warns(RuntimeWarning, match="'failing' failed at layer 1 .* no luck"):
        flow.fit(X, sample_domain=np.repeat([0, 1], 250))
    assert flow.layer_names_ == ["sliced"]


def test_result_depends_on_the_seed_alone():
    X = np.vstack([part[::4] for part in draw(0)])
    domain = np.repeat([0, 1], 250)
    fit = lambda X, domain, **params: AlignmentFlow(max_iter=3, **params).fit(
        X, sample_domain=domain
    )
    expected = fit(X, domain, random_state=0).transform(X, sample_domain=domain)
    order = np.random.default_rng(0).permutation(500)
    for one in (
        fit(X, domain, random_state=0, n_jobs=2),
        fit(X[order], domain[order], random_state=0),
    ):
        np.testing.assert_allclose(
            one.transform(X, sample_domain=domain), expected, atol=1e-8
        )
    other = fit(X, domain, random_state=1).transform(X, sample_domain=domain)
    assert np.abs(other - expected).max() > 1e-3


def test_weights_are_repeated_rows():
    X = np.vstack([part[::4] for part in draw(0)])
    domain = np.repeat([0, 1], 250)
    weight = np.random.default_rng(0).integers(0, 4, size=500)
    flow = AlignmentFlow(max_iter=4, random_state=0)
    weighted = clone(flow).fit(X, sample_domain=domain, sample_weight=weight)
    repeated = clone(flow).fit(
        np.repeat(X, weight, axis=0), sample_domain=np.repeat(domain, weight)
    )
    np.testing.assert_allclose(
        weighted.divergence_[1], repeated.divergence_[1], atol=1e-8
    )
    np.testing.assert_allclose(
        weighted.transform(X, sample_domain=domain),
        repeated.transform(X, sample_domain=domain),
        atol=1e-6,
    )


def test_held_out_rows_that_are_given_decide():
    """The flow ends where they are closest; all other rows are trained on."""
    X, X_val = np.vstack([part[::4] for part in draw(0)]), np.vstack(draw(1))
    domain, domain_val = np.repeat([0, 1], 250), np.repeat([0, 1], 1000)
    fit = lambda **known: AlignmentFlow(max_iter=8, cv=None, random_state=0).fit(
        X, sample_domain=domain, **known
    )
    flow = fit(X_val=X_val, sample_domain_val=domain_val)
    assert np.argmin(flow.divergence_[1]) == flow.n_iter_
    expected = -flow.score(X_val, sample_domain=domain_val)
    assert flow.divergence_[1, -1] == pytest.approx(expected)
    # All rows are compared where there are few.
    few = slice(None, None, 4)
    weight = np.random.default_rng(0).integers(1, 3, size=500)
    weighted = fit(
        X_val=X_val[few], sample_domain_val=domain_val[few], sample_weight_val=weight
    )
    repeated = fit(
        X_val=np.repeat(X_val[few], weight, axis=0),
        sample_domain_val=np.repeat(domain_val[few], weight),
    )
    np.testing.assert_allclose(
        weighted.divergence_[1], repeated.divergence_[1], atol=1e-8
    )


def test_no_time_is_one_layer():
    X = np.vstack([part[::4] for part in draw(0)])
    flow = AlignmentFlow(max_time=1e-9, cv=None, random_state=0)
    assert flow.fit(X, sample_domain=np.repeat([0, 1], 250)).n_iter_ <= 1


def test_a_kind_of_layer_that_no_longer_helps_is_retired():
    """One Gaussian layer is all of it; the last kind is tried on and on."""
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(2000, 2)), np.repeat([0, 1], 1000)
    X[1000:] = 2.0 * X[1000:] + 3.0
    fitted = []

    class Counting(GaussianBarycenter):
        def _fit(self, fold, random_state):
            fitted.append(len(fold.train))
            return super()._fit(fold, random_state)

    layers = [
        ("gaussian", Counting(learning_rate=1.0)),
        ("sliced", SlicedBarycenter(learning_rate=0.6)),
    ]
    flow = AlignmentFlow(
        layers, cv=None, max_iter=6, early_stopping=True, n_iter_no_change=6, tol=1e-3
    )
    flow.set_params(random_state=0).fit(X, sample_domain=domain)
    assert flow.layer_names_[0] == "gaussian"
    assert len(fitted) == 2


def test_layers_take_the_shares_of_the_flow():
    X = np.vstack([part[::4] for part in draw(0)])
    layers = [("gaussian", GaussianBarycenter(domain_weights={0: 1.0}))]
    flow = AlignmentFlow(layers, max_iter=1, domain_weights={1: 1.0}, random_state=0)
    flow.fit(X, sample_domain=np.repeat([0, 1], 250))
    np.testing.assert_array_equal(flow.layers_[0].domain_weights_, [0.0, 1.0])


# ---------------------------------------------------------------- stages


def test_parts_of_a_flow_are_its_stages(flow):
    X = np.vstack(draw(1))
    stages = list(flow.staged_transform(X, sample_domain=LABELS))
    assert len(stages) == len(flow) == flow.n_iter_
    part = flow[:3]
    np.testing.assert_array_equal(part.transform(X, sample_domain=LABELS), stages[2])
    assert part.n_iter_ == 3
    assert part.divergence_.shape == (2, 4)
    # The flow itself is what it was.
    assert flow.n_iter_ > 3
    rest = flow[3:]
    np.testing.assert_array_equal(
        rest.transform(stages[2], sample_domain=LABELS), stages[-1]
    )
    np.testing.assert_array_equal(
        flow[1].transform(stages[0], sample_domain=LABELS), stages[1]
    )
    for index in (slice(2, 2), slice(None, None, 2)):
        with pytest.raises(ValueError, match="not a run of layers"):
            flow[index]


def test_stages_add_up(flow):
    X = np.vstack(draw(1))
    gains = flow.score_layers(X, sample_domain=LABELS)
    before = -energy_coefficient([X[1000:], X[:1000]])
    after = flow.score(X, sample_domain=LABELS)
    assert before + gains.sum() == pytest.approx(after)
    *_, last = flow.staged_score_samples(X, sample_domain=LABELS)
    np.testing.assert_allclose(
        last, flow.score_samples(X, sample_domain=LABELS), atol=1e-10
    )


# ---------------------------------------------------------------- density


@pytest.mark.parametrize("label", ["moons", "circles"])
def test_density_integrates_to_one(flow, label):
    side = np.linspace(-6.0, 6.0, 601)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    density = np.exp(flow.score_samples(grid, sample_domain=[label] * len(grid)))
    assert density.sum() * (side[1] - side[0]) ** 2 == pytest.approx(1.0, abs=0.01)


def test_density_of_normal_domains_is_theirs():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(4000, 2)), np.repeat([0, 1], 2000)
    X[2000:] = 3.0 * X[2000:] + 5.0
    flow = AlignmentFlow(
        [("gaussian", GaussianBarycenter())], density=GaussianCopula(), random_state=0
    ).fit(X, sample_domain=domain)
    expected = norm.logpdf(X[2000:], 5.0, 3.0).sum(axis=1).mean()
    given = flow.score_samples(X[2000:], sample_domain=domain[2000:]).mean()
    assert given == pytest.approx(expected, abs=0.02)


def test_samples_are_of_their_domain(flow):
    _, circles = draw(1)
    samples = flow.sample(1000, domain="circles", random_state=0)
    assert samples.shape == (1000, 2)
    np.testing.assert_array_equal(
        samples, flow.sample(1000, domain="circles", random_state=0)
    )
    moons = flow.sample(1000, domain="moons", random_state=0)
    assert energy_coefficient([samples, circles]) < 0.2 * energy_coefficient(
        [moons, circles]
    )
    with pytest.raises(ValueError, match=r"unknown label\(s\) 'squares'"):
        flow.sample(3, domain="squares")


def test_no_density_no_methods():
    flow = AlignmentFlow()
    assert not hasattr(flow, "score_samples")
    with pytest.raises(AttributeError, match="sample"):
        flow.sample(3, domain=0)


# ---------------------------------------------------------------- scikit-learn


def test_score_is_minus_the_divergence(flow):
    X = np.vstack(draw(1))
    Z = flow.transform(X, sample_domain=LABELS)
    expected = -energy_coefficient([Z[1000:], Z[:1000]])
    assert flow.score(X, sample_domain=LABELS) == pytest.approx(expected)


def test_a_saved_flow_takes_labels(flow, tmp_path):
    X = np.vstack(draw(1))
    destructors.save(flow, tmp_path / "flow.npz")
    loaded = destructors.load(tmp_path / "flow.npz")
    np.testing.assert_array_equal(
        loaded.logpdf(X, LABELS), flow.score_samples(X, sample_domain=LABELS)
    )
    np.testing.assert_array_equal(
        loaded.sample(5, 0, ["moons"] * 5),
        flow.sample(5, domain="moons", random_state=0),
    )
    with pytest.raises(ValueError, match="squares"):
        loaded.forward(X[:1], ["squares"])


def test_parameters_of_layers():
    layers = [("gaussian", GaussianBarycenter()), ("tree", TreeBarycenter())]
    flow = AlignmentFlow(layers)
    assert flow.get_params()["tree__n_cells"] == 4
    flow.set_params(tree__n_cells=3, gaussian=MarginalBarycenter(n_knots=5))
    assert flow.layers[1][1].n_cells == 3
    assert flow.layers[0][1].n_knots == 5
    assert AlignmentFlow().set_params(layers=layers).layers is layers
    assert "layers" in AlignmentFlow().get_params()
    with pytest.raises(ValueError, match="not unique"):
        AlignmentFlow([layers[0], layers[0]]).fit([[0.0]] * 8, sample_domain=[0, 1] * 4)


def test_pickle_and_clone(flow):
    X = np.vstack(draw(1))
    copy = pickle.loads(pickle.dumps(flow))
    np.testing.assert_array_equal(
        copy.transform(X, sample_domain=LABELS), flow.transform(X, sample_domain=LABELS)
    )
    assert not hasattr(clone(flow), "layers_")


def test_pipeline_and_cross_validation(small):
    X, y, domain = small
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler(), AlignmentFlow(max_iter=3), LogisticRegression()
        )
        pipeline.fit(X, y, sample_domain=domain)
        assert pipeline.score(X, y, sample_domain=domain) > 0.85
        results = cross_validate(
            pipeline, X, y, params={"sample_domain": domain}, error_score="raise"
        )
        assert results["test_score"].mean() > 0.8


def test_grid_search(small):
    X, _, domain = small
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            AlignmentFlow(random_state=0), {"max_iter": [1, 3]}, cv=2
        ).fit(X, sample_domain=domain)
        assert set(search.best_params_) == {"max_iter"}
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        Z = search.best_estimator_.transform(X, sample_domain=domain)
        assert abs(Z[domain == 0].mean() - Z[domain == 1].mean()) < 0.3


def test_pandas_output(small):
    pd = pytest.importorskip("pandas")
    X, _, domain = small
    frame = pd.DataFrame(X, columns=["age", "income"])
    flow = AlignmentFlow(max_iter=2, random_state=0).set_output(transform="pandas")
    Z = flow.fit(frame, sample_domain=domain).transform(frame, sample_domain=domain)
    assert list(Z.columns) == ["age", "income"]
    assert flow.score(frame, sample_domain=domain) > -0.1
