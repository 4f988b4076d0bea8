"""Flows of codes, and of codes and numbers, on tables small enough to list every cell.

Sums over all cells are exact, that of categories never seen among them; what is drawn
has none of these, and agrees within five standard errors of as many draws.
"""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp

from destructors.flows import DiscreteTreeFlow, TreeFlow

N_DRAWS = 20_000
SIZES = (3, 2, 4)
CELLS = np.array(list(itertools.product(*map(range, SIZES))), dtype=float)
# Where the density of a number is summed up.
X = np.linspace(-12.0, 12.0, 1201)


def make_codes(n, seed=0):
    """The last column follows the parity of the two before."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, n), rng.integers(0, 2, n)
    c = np.where(rng.random(n) < 0.8, (a + b) % 4, rng.integers(0, 4, n))
    return np.column_stack([a, b, c]).astype(float)


def make_rows(n, seed=0):
    """A number tells of all codes together."""
    codes, rng = make_codes(n, seed), np.random.default_rng(seed + 1)
    number = np.where(codes[:, 2] > 1, 2.0, -2.0) * (codes[:, 1] - 0.5)
    return np.column_stack([codes, number + 0.7 * rng.normal(size=n)])


def fit_mixed(**params):
    flow = TreeFlow(categorical_features=[0, 1, 2], random_state=0, **params)
    return flow.fit(make_rows(1200))


@pytest.fixture(
    scope="module",
    params=["permutations", "codes alone", "hidden trees", "few rows"],
)
def of_codes(request):
    if request.param == "permutations":
        flow = DiscreteTreeFlow(base="independent", max_iter=10, random_state=0)
        return flow.fit(make_codes(2000).astype(int))
    if request.param == "hidden trees":
        return DiscreteTreeFlow(random_state=0).fit(make_codes(2000).astype(int))
    n = 60 if request.param == "few rows" else 2000
    flow = TreeFlow(categorical_features=[0, 1, 2], random_state=0)
    return flow.fit(make_codes(n))


@pytest.fixture(scope="module", params=["one split", "folds"])
def mixed(request):
    if request.param == "folds":
        return fit_mixed(max_trees=5)
    return fit_mixed(n_components=4, max_trees=20, cv=None)


def check_shares(drawn, cells, probability):
    """Shares of draws are probabilities, cell by cell."""
    equal = (drawn[:, None, :] == cells[None]).all(axis=2)
    error = np.sqrt(probability * (1.0 - probability) / len(drawn)) + 1.0 / len(drawn)
    assert (np.abs(equal.mean(axis=0) - probability) < 5.0 * error).all()


def log_density(flow, rows):
    """Score rows as the map knows them: codes that were not seen, too."""
    Z, log_det = flow.map_.forward(rows)
    return flow.base_distribution_.logpdf(Z) + log_det


def known_cells(flow):
    """Return the probabilities of the cells that can be drawn."""
    joint = np.exp(flow.score_samples(CELLS))
    return joint / joint.sum()


def test_probabilities_of_all_cells_sum_to_one(of_codes):
    sizes = of_codes.base_distribution_.n_categories
    cells = np.array(list(itertools.product(*map(range, sizes))))
    total = logsumexp(log_density(of_codes, cells))
    assert total == pytest.approx(0.0, abs=1e-10)
    scores = of_codes.score_samples(CELLS)
    np.testing.assert_allclose(log_density(of_codes, CELLS.astype(int)), scores)


def test_draws_follow_the_joint_and_its_marginals(of_codes):
    joint = known_cells(of_codes)
    drawn = np.asarray(of_codes.sample(N_DRAWS, random_state=0), dtype=float)
    check_shares(drawn, CELLS, joint)
    for columns in ([0], [2], [0, 2], [1, 2]):
        cells, place = np.unique(CELLS[:, columns], axis=0, return_inverse=True)
        check_shares(drawn[:, columns], cells, np.bincount(place.ravel(), joint))


def test_a_conditional_times_a_marginal_is_the_joint(of_codes):
    """Among draws that have some codes, the others follow the joint over its sum."""
    joint = known_cells(of_codes)
    drawn = np.asarray(of_codes.sample(N_DRAWS, random_state=1), dtype=float)
    for a, b in itertools.product(range(3), range(2)):
        here = (CELLS[:, :2] == [a, b]).all(axis=1)
        given = drawn[(drawn[:, :2] == [a, b]).all(axis=1)]
        conditional = joint[here] / joint[here].sum()
        check_shares(given[:, 2:], CELLS[here, 2:], conditional)


def log_densities(flow, cells):
    """Return log densities of shape (n_cells, n_points)."""
    cell, number = np.meshgrid(np.arange(len(cells)), X, indexing="ij")
    rows = np.column_stack([cells[cell.ravel()], number.ravel()])
    return log_density(flow, rows).reshape(cell.shape)


def test_a_density_of_codes_and_a_number_sums_and_integrates_to_one(mixed):
    sizes = mixed.base_distribution_.n_categories[:3]
    cells = np.array(list(itertools.product(*map(range, sizes))), dtype=float)
    total = logsumexp(log_densities(mixed, cells)) + np.log(X[1] - X[0])
    assert np.exp(total) == pytest.approx(1.0, abs=3e-3)


def test_codes_have_the_integral_of_the_joint_and_numbers_what_is_left(mixed):
    joint, width = np.exp(log_densities(mixed, CELLS)), X[1] - X[0]
    marginal = joint.sum(axis=1) / joint.sum()
    drawn = np.asarray(mixed.sample(N_DRAWS, random_state=0), dtype=float)
    check_shares(drawn[:, :3], CELLS, marginal)
    for cell in np.argsort(-marginal)[:6]:
        given = np.sort(drawn[(drawn[:, :3] == CELLS[cell]).all(axis=1), 3])
        conditional = np.cumsum(joint[cell]) / joint[cell].sum()
        expected = np.interp(given, X + 0.5 * width, conditional)
        ranks = np.arange(1, len(given) + 1) / len(given)
        # Kolmogorov's distance: beyond 2 once in 1,500 times.
        assert np.abs(ranks - expected).max() * np.sqrt(len(given)) < 2.0
