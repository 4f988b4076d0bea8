"""A regression of any kind, fitted on folds and on all rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import has_fit_parameter

# Most iterations of the default regressor.
_MAX_ITER = 200


@dataclass(frozen=True)
class CrossFit:
    """Fits regressors on rows of these weights, and on folds of them.

    Parameters
    ----------
    regressor : estimator or None
        To be cloned; None for one whose number of iterations is chosen on folds.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    folds : list of (ndarray of int, ndarray of int)
        Rows to train on, and rows to predict.
    seed : int
        Seed of the regressors.
    """

    regressor: Any
    weight: NDArray
    folds: list[tuple[NDArray, NDArray]]
    seed: int

    def predict(self, X: NDArray, y: NDArray) -> tuple[NDArray, int | None]:
        """Return predictions by regressors that did not see the row.

        Returns
        -------
        predicted : ndarray of shape (n_samples,)
            Undefined for rows that no fold predicts.
        n_iter : int or None
            Mean number of iterations of the default regressor.
        """
        predicted, n_iter = np.empty(len(y)), []
        for train, test in self.folds:
            model = self.fit(X, y, train=train, test=test)
            predicted[test] = model.predict(X[test])
            if self.regressor is None:
                n_iter.append(model.n_iter_)
        return predicted, max(1, int(np.round(np.mean(n_iter)))) if n_iter else None

    def fit(
        self,
        X: NDArray,
        y: NDArray,
        n_iter: int | None = None,
        train: Any = slice(None),
        test: NDArray | None = None,
    ) -> Any:
        """Return a regressor fitted on the rows ``train``.

        The default one stops by the rows ``test``, or after ``n_iter`` iterations.
        """
        rows = X[train], y[train]
        weight = self.weight[train]
        if self.regressor is None:
            validation = {}
            if test is not None:
                validation = {"X_val": X[test], "y_val": y[test]}
                validation["sample_weight_val"] = self.weight[test]
            model = HistGradientBoostingRegressor(
                max_iter=n_iter or _MAX_ITER,
                early_stopping=test is not None,
                random_state=self.seed,
            )
            return model.fit(*rows, sample_weight=weight, **validation)
        model = clone(self.regressor)
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=self.seed)
        if has_fit_parameter(model, "sample_weight"):
            return model.fit(*rows, sample_weight=weight)
        if not (weight == weight[0]).all():
            raise ValueError(
                f"{type(model).__name__} does not take sample_weight: drop the "
                "weights (equal rows count as weights), or choose another regressor."
            )
        return model.fit(*rows)
