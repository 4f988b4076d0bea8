"""The Gaussian copula: marginals, then one Gaussian."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.compose import DestructorPipeline
from destructors.flows._marginals import list_smaller
from destructors.greedy import Progress
from destructors.linear import Whitening
from destructors.maps import Map
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold


class GaussianCopula(HoldoutDestructor):
    """Features of any distribution, with the dependence of a Gaussian.

    Every feature is mapped to N(0, 1) by itself, and the result is whitened. The
    density is thus that of the marginals times a Gaussian copula: a baseline that is
    hard to beat on few rows, and quick on many.

    Parameters
    ----------
    marginal : Destructor, default=None
        What maps each feature to N(0, 1). None stands for `SplineGaussianizer`.
    shrinkage : float or "auto", default="auto"
        Factor in [0, 1] by which correlations are pulled to zero; see
        `destructors.linear.Whitening`.
    max_time : float, default=None
        Seconds after which marginals that are fitted step by step end with what there
        is.
    n_jobs : int, default=None
        Number of threads that transform rows side by side. The result does not depend
        on it.

    Attributes
    ----------
    marginal_ : Destructor
        The fitted marginals.
    whitening_ : Whitening
        The fitted Gaussian. The map is symmetric ("zca"), so that each latent feature
        stays as close to its own feature as can be.
    correlation_ : ndarray of shape (n_features, n_features)
        Correlation of the features after the marginals: that of the copula.
    shrinkage_ : float
        The shrinkage in use.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    RBIG : The same, layer after layer.

    References
    ----------
    H. Liu, J. Lafferty and L. Wasserman, *The nonparanormal: semiparametric estimation
    of high dimensional undirected graphs*, Journal of Machine Learning Research 10,
    2009.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import GaussianCopula
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.multivariate_normal([0, 0], [[1.0, 0.8], [0.8, 1.0]], size=2000)
    >>> model = GaussianCopula().fit(np.exp(Z))
    >>> bool(abs(model.correlation_[0, 1] - 0.8) < 0.03)
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "marginal": [Destructor, None],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        marginal: Destructor | None = None,
        *,
        shrinkage: float | Literal["auto"] = "auto",
        max_time: float | None = None,
        n_jobs: int | None = None,
    ):
        self.marginal = marginal
        self.shrinkage = shrinkage
        self.max_time = max_time
        self.n_jobs = n_jobs

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        marginal = SplineGaussianizer() if self.marginal is None else self.marginal
        whitening = Whitening(method="zca", shrinkage=self.shrinkage)
        steps = [("marginal", marginal), ("whitening", whitening)]
        pipeline, progress = DestructorPipeline(steps), Progress(self, noun="chain")
        pipeline._adopt(self)
        with progress.running(1):
            progress.begin_step()
            with progress.part("chain", pipeline):
                self._leftover = pipeline._fit_rows(fold, onwards=self._onwards)
            progress.close_step()
        self.marginal_, self.whitening_ = pipeline
        self.shrinkage_ = self.whitening_.shrinkage_
        # The inverse of a symmetric whitening is the root of the correlation.
        root = np.linalg.inv(self.whitening_.components_)
        self.correlation_ = root @ root.T
        return pipeline.map_

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        return self._leftover

    def _smaller(self) -> list[list[dict[str, Any]]]:
        return list_smaller(self.marginal)

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        if self.marginal is None:
            return {}
        found = self.marginal._refit_params([copula.marginal_ for copula in fitted])
        return {f"marginal__{name}": value for name, value in found.items()}
