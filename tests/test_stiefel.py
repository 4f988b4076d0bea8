"""Ascent among orthonormal directions, where the maximum is known."""

import numpy as np

from destructors._stiefel import ascend, draw_frame


def test_the_trace_of_a_matrix_is_largest_along_its_leading_axes():
    A = np.diag([5.0, 3.0, 1.0, 0.5, 0.1])
    start = draw_frame(5, 2, np.random.RandomState(0))
    found, n_iter = ascend(lambda W: (np.trace(W.T @ A @ W), 2 * A @ W), start, 200)
    assert n_iter <= 200
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)
    assert np.trace(found.T @ A @ found) > 8.0 - 1e-3


def test_no_step_lowers_the_objective():
    A = np.diag([3.0, 1.0])
    start, values = draw_frame(2, 1, np.random.RandomState(1)), []
    objective = lambda W: (np.trace(W.T @ A @ W), 2 * A @ W)
    for max_iter in range(1, 8):
        values.append(objective(ascend(objective, start, max_iter)[0])[0])
    assert (np.diff(values) >= 0).all()


def test_rounding_errors_of_the_objective_do_not_add_up():
    """Each step magnifies them, where rows change places; but not the next one."""
    rng = np.random.default_rng(0)
    levels = rng.normal(size=200)
    for seed in range(20):
        X = rng.normal(size=(200, 3)) ** 3
        ends = []
        for noise in (0.0, 1e-12):
            Y = X + noise * np.random.default_rng(seed).normal(size=X.shape)

            def objective(W, Y=Y):
                along = Y @ W
                gaps = along - np.sort(levels)[np.argsort(np.argsort(along, 0), 0)]
                return (gaps**2).sum(), 2.0 * Y.T @ gaps

            start = draw_frame(3, 2, np.random.RandomState(seed))
            ends.append(ascend(objective, start, 30)[0])
        np.testing.assert_array_equal(*ends)
