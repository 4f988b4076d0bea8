"""Stacks whose layers use up the digits that rows have."""

import numpy as np

from destructors.flows import RBIG
from destructors.marginal import SplineGaussianizer
from destructors.rows._errors import LostDigitsError


class LosesOfMany(SplineGaussianizer):
    """Marginals that refuse the 90 rows of the whole table in all layers but one."""

    n_fits = 0

    def _fit(self, fold, random_state):
        LosesOfMany.n_fits += len(fold.train) == 90
        if LosesOfMany.n_fits > 1:
            raise LostDigitsError("no digits")
        return super()._fit(fold, random_state)


def test_a_fit_to_all_rows_ends_where_digits_do():
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    X = np.c_[x, x**2 + 0.1 * rng.normal(size=90)]
    model = RBIG(cv=3, max_iter=5, random_state=0)
    assert model.fit(X).n_iter_ > 1
    model.set_params(marginal=LosesOfMany()).fit(X)
    assert model.n_iter_ == len(model.layers_) == len(model.train_score_) - 1 == 1
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, atol=1e-9)
