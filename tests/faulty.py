"""Destructors that test the law: right ones, and one for each way to be wrong."""

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import norm
from sklearn.utils import check_random_state

from destructors.base import Destructor
from destructors.base_distributions import IndependentCategorical, Uniform


class Gaussian(Destructor):
    """Independent Gaussian features: right, and tiny."""

    def _fit(self, X, sample_weight, random_state):
        self.mean_ = np.average(X, axis=0, weights=sample_weight)
        variance = np.average((X - self.mean_) ** 2, axis=0, weights=sample_weight)
        self.scale_ = np.sqrt(variance)

    def _forward(self, X):
        log_det = np.full(len(X), -np.log(self.scale_).sum())
        return (X - self.mean_) / self.scale_, log_det

    def _inverse(self, Z):
        return Z * self.scale_ + self.mean_, np.full(len(Z), np.log(self.scale_).sum())


class GaussianCDF(Gaussian):
    """The same on the unit cube."""

    def _forward(self, X):
        z, log_det = super()._forward(X)
        return ndtr(z), log_det + self._log_slope(z)

    def _inverse(self, Z):
        # The faces of the cube stand for what rounds to them.
        z = ndtri(np.clip(Z, 1e-300, 1.0 - 1e-16))
        X, log_det = super()._inverse(z)
        return X, log_det - self._log_slope(z)

    def _make_base_distribution(self):
        return Uniform(self.n_features_in_)

    def _log_slope(self, z):
        return norm.logpdf(z).sum(axis=1)


class UsesRandomState(Gaussian):
    """Right, though random: a jitter far below any tolerance."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, X, sample_weight, random_state):
        super()._fit(X, sample_weight, random_state)
        self.mean_ += 1e-9 * check_random_state(random_state).standard_normal()


class FourFeatures(Gaussian):
    def _fit(self, X, sample_weight, random_state):
        if X.shape[1] != 4:
            raise ValueError("four features, please")
        super()._fit(X, sample_weight, random_state)


class SwappedCodes(Destructor):
    """A discrete destructor: two codes change places."""

    def _fit(self, X, sample_weight, random_state):
        self.sizes_ = X.max(axis=0).astype(int) + 1
        self._base = IndependentCategorical.fit(
            self._forward(X)[0], self.sizes_, sample_weight
        )

    def _forward(self, X):
        return np.where(X < 2, 1.0 - X, X), np.zeros(len(X))

    def _inverse(self, Z):
        return self._forward(Z)

    def _make_base_distribution(self):
        return self._base

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        return tags


# ---------------------------------------------------------------- wrong in one way each


class WrongLogDet(Gaussian):
    def _forward(self, X):
        Z, log_det = super()._forward(X)
        return Z, -log_det

    def _inverse(self, Z):
        X, log_det = super()._inverse(Z)
        return X, -log_det


class WrongLogDetOfInverse(Gaussian):
    def _inverse(self, Z):
        X, log_det = super()._inverse(Z)
        return X, log_det + 0.01


class WrongLogDetFarOut(Gaussian):
    def _forward(self, X):
        Z, log_det = super()._forward(X)
        return Z, log_det - (np.abs(Z).max(axis=1) > 3.5)


class NotInvertible(Gaussian):
    """Both signs have the same latent."""

    def _forward(self, X):
        Z, log_det = super()._forward(X)
        return np.abs(Z), log_det


class WrongSamples(Gaussian):
    """Samples are a tenth too wide, as if the base were another."""

    def sample(self, n_samples=1, random_state=None):
        centred = super().sample(n_samples, random_state) - self.mean_
        return 1.1 * centred + self.mean_


class StepWithKernelSlope(Gaussian):
    """The map is a step function, from ranks to deciles; the slope is that of a kernel
    estimate. Each is a fair estimate, but they are not of one density.
    """

    def _fit(self, X, sample_weight, random_state):
        quantiles = np.linspace(0.0, 1.0, 21)
        self.centres_ = np.quantile(
            X, quantiles, axis=0, weights=sample_weight, method="inverted_cdf"
        )
        self.width_ = 0.2 * X.std(axis=0)
        self.deciles_ = ndtri((np.arange(10) + 0.5) / 10)

    def _forward(self, X):
        standard = (X[:, None] - self.centres_) / self.width_
        distribution = np.clip(ndtr(standard).mean(axis=1), 1e-15, 1.0 - 1e-15)
        density = norm.pdf(standard).mean(axis=1) / self.width_ + 1e-300
        log_slope = np.log(density) - norm.logpdf(ndtri(distribution))
        Z = self.deciles_[np.floor(10 * distribution).astype(int)]
        return Z, log_slope.sum(axis=1)

    def _inverse(self, Z):
        place = np.floor(20 * ndtr(Z)).astype(int)
        X = np.take_along_axis(self.centres_, place, axis=0)
        return X, -self._forward(X)[1]


class Unnormalised(Gaussian):
    def score_samples(self, X):
        return super().score_samples(X) + 0.05


class IgnoresWeights(Gaussian):
    def _fit(self, X, sample_weight, random_state):
        super()._fit(X, None, random_state)


class StandardisesByBatch(Gaussian):
    def _forward(self, X):
        Z, log_det = super()._forward(X)
        return Z - Z.mean(axis=0), log_det


class InfinitelyUnlikelyFarOut(Gaussian):
    def _forward(self, X):
        Z, log_det = super()._forward(X)
        return Z, np.where(np.abs(Z).max(axis=1) > 8.0, -np.inf, log_det)


class FlatFarOut(GaussianCDF):
    """The density stays what it is eight standard deviations out."""

    def _log_slope(self, z):
        return super()._log_slope(np.clip(z, -8.0, 8.0))


class CentresInPlace(Gaussian):
    def _forward(self, X):
        X -= self.mean_
        return X / self.scale_, np.full(len(X), -np.log(self.scale_).sum())


class IgnoresRandomState(Gaussian):
    """Fits a random half of the rows, drawn from the global generator."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, X, sample_weight, random_state):
        rows = np.random.permutation(len(X))[::2]
        weight = None if sample_weight is None else sample_weight[rows]
        super()._fit(X[rows], weight, random_state)


class RemembersTheFirstFit(Gaussian):
    def _fit(self, X, sample_weight, random_state):
        if not hasattr(self, "mean_"):
            super()._fit(X, sample_weight, random_state)


class LosesStateInPickle(Gaussian):
    def __getstate__(self):
        return {**super().__getstate__(), "scale_": self.scale_.astype(np.float32)}


class NeedsArrays(Gaussian):
    def fit(self, X, y=None, *, sample_weight=None):
        return super().fit(X.reshape(X.shape), y, sample_weight=sample_weight)


class LosesNames(Gaussian):
    def fit(self, X, y=None, *, sample_weight=None):
        return super().fit(np.asarray(X), y, sample_weight=sample_weight)


class SumsScores(Gaussian):
    def score(self, X, y=None, sample_weight=None):
        return float(self.score_samples(X).sum())


class LosesACell(SwappedCodes):
    """Two codes go to one."""

    def _forward(self, X):
        return np.where(X == 1, 0.0, X), np.zeros(len(X))

    def _inverse(self, Z):
        return Z, np.zeros(len(Z))


class CountsACellTwice(SwappedCodes):
    """The first row of codes is twice as likely as it should be."""

    def score_samples(self, X):
        first = (np.asarray(X) == 0).all(axis=1)
        return super().score_samples(X) + np.where(first, np.log(2.0), 0.0)


class SamplesEvenly(SwappedCodes):
    """All cells are as likely among samples."""

    def sample(self, n_samples=1, random_state=None):
        rng = np.random.RandomState(random_state)
        columns = [rng.randint(size, size=n_samples) for size in self.sizes_]
        return np.stack(columns, axis=1).astype(float)
