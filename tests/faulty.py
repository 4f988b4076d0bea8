"""Destructors that test the law: right ones, and one for each way to be wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import norm
from sklearn.utils import check_random_state

from destructors.base import Destructor
from destructors.base_distributions import IndependentCategorical, Uniform
from destructors.maps import Map, Surjection
from destructors.maps._hash import hash_again, hash_rows
from destructors.rows import Fold, Rows


@dataclass(frozen=True, eq=False)
class GaussianMap(Map):
    mean: NDArray
    scale: NDArray

    def forward(self, X, context=None):
        log_det = np.full(len(X), -np.log(self.scale).sum())
        return (X - self.mean) / self.scale, log_det

    def inverse(self, Z, context=None):
        return Z * self.scale + self.mean, np.full(len(Z), np.log(self.scale).sum())


class Gaussian(Destructor):
    """Independent Gaussian features: right, and tiny."""

    kind = GaussianMap

    def _fit(self, fold, random_state):
        X, weight = fold.train.values, fold.train.weight
        self.mean_ = np.average(X, axis=0, weights=weight)
        variance = np.average((X - self.mean_) ** 2, axis=0, weights=weight)
        return self.kind(self.mean_, np.sqrt(np.where(variance > 0, variance, 1.0)))


class CubeMap(GaussianMap):
    def forward(self, X, context=None):
        z, log_det = super().forward(X)
        return ndtr(z), log_det + self.log_slope(z)

    def inverse(self, Z, context=None):
        # The faces of the cube stand for what rounds to them.
        z = ndtri(np.clip(Z, 1e-300, 1.0 - 1e-16))
        X, log_det = super().inverse(z)
        return X, log_det - self.log_slope(z)

    def log_slope(self, z):
        return norm.logpdf(z).sum(axis=1)


class GaussianCDF(Gaussian):
    """The same on the unit cube."""

    kind = CubeMap

    def _fit(self, fold, random_state):
        self.base_distribution_ = Uniform(fold.train.n_features)
        return super()._fit(fold, random_state)


class UsesRandomState(Gaussian):
    """Right, though random: a jitter far below any tolerance."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, fold, random_state):
        jitter = 1e-9 * check_random_state(random_state).standard_normal()
        map_ = super()._fit(fold, random_state)
        return GaussianMap(map_.mean + jitter, map_.scale)


@dataclass(frozen=True, eq=False)
class HoldsAFunction(Map):
    """Right, but no data: it cannot be saved."""

    negate: object

    def forward(self, X, context=None):
        return self.negate(X), np.zeros(len(X))

    def inverse(self, Z, context=None):
        return self.forward(Z)


class FourFeatures(Gaussian):
    def _fit(self, fold, random_state):
        if fold.train.n_features != 4:
            raise ValueError("four, please")
        return super()._fit(fold, random_state)


@dataclass(frozen=True, eq=False)
class SwapMap(Map):
    def forward(self, X, context=None):
        return np.where(X < 2, 1.0 - X, X), np.zeros(len(X))

    def inverse(self, Z, context=None):
        return self.forward(Z)


class SwappedCodes(Destructor):
    """A discrete destructor: two codes change places."""

    kind = SwapMap

    def _fit(self, fold, random_state):
        X, map_ = fold.train.values, self.kind()
        self.sizes_ = np.maximum(X.max(axis=0).astype(int), 1) + 1
        self.base_distribution_ = IndependentCategorical.fit(
            map_.forward(X)[0], self.sizes_, fold.train.weight
        )
        return map_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        return tags


@dataclass(frozen=True, eq=False)
class NoiseMap(Surjection):
    seed: int

    def forward(self, X, context=None):
        share = np.stack(
            [hash_again(hash_rows(X, self.seed), j) for j in range(X.shape[1])], axis=1
        )
        return X + 0.01 + 0.98 * share, self.log_det(X)

    def inverse(self, Z, context=None):
        X = np.floor(Z)
        return X, -self.log_det(X)

    def log_det(self, X):
        return np.zeros(len(X))


class AddsNoise(Destructor):
    """A dequantizer of integers: right, and tiny."""

    _dequantizes = True
    kind = NoiseMap

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, fold, random_state):
        return self.kind(int(random_state.randint(2**31 - 1)))


class OnlySeemsToDequantize(Gaussian):
    """What may be a dequantizer on other data is a bijection on these."""

    _dequantizes = True


# ---------------------------------------------------------------- wrong in one way each


class WrongLogDetMap(GaussianMap):
    def forward(self, X, context=None):
        Z, log_det = super().forward(X)
        return Z, -log_det

    def inverse(self, Z, context=None):
        X, log_det = super().inverse(Z)
        return X, -log_det


class WrongLogDet(Gaussian):
    kind = WrongLogDetMap


class WrongLogDetOfInverseMap(GaussianMap):
    def inverse(self, Z, context=None):
        X, log_det = super().inverse(Z)
        return X, log_det + 0.01


class WrongLogDetOfInverse(Gaussian):
    kind = WrongLogDetOfInverseMap


class WrongLogDetFarOutMap(GaussianMap):
    def forward(self, X, context=None):
        Z, log_det = super().forward(X)
        return Z, log_det - (np.abs(Z).max(axis=1) > 3.5)


class WrongLogDetFarOut(Gaussian):
    kind = WrongLogDetFarOutMap


class NotInvertibleMap(GaussianMap):
    def forward(self, X, context=None):
        Z, log_det = super().forward(X)
        return np.abs(Z), log_det


class NotInvertible(Gaussian):
    """Both signs have the same latent."""

    kind = NotInvertibleMap


class WrongSamples(Gaussian):
    """Samples are a tenth too wide, as if the base were another."""

    def sample(self, n_samples=1, random_state=None):
        centred = super().sample(n_samples, random_state) - self.mean_
        return 1.1 * centred + self.mean_


@dataclass(frozen=True, eq=False)
class StepMap(Map):
    centres: NDArray
    width: NDArray

    def forward(self, X, context=None):
        deciles = ndtri((np.arange(10) + 0.5) / 10)
        standard = (X[:, None] - self.centres) / self.width
        distribution = np.clip(ndtr(standard).mean(axis=1), 1e-15, 1.0 - 1e-15)
        density = norm.pdf(standard).mean(axis=1) / self.width + 1e-300
        log_slope = np.log(density) - norm.logpdf(ndtri(distribution))
        Z = deciles[np.floor(10 * distribution).astype(int)]
        return Z, log_slope.sum(axis=1)

    def inverse(self, Z, context=None):
        place = np.floor(20 * ndtr(Z)).astype(int)
        X = np.take_along_axis(self.centres, place, axis=0)
        return X, -self.forward(X)[1]


class StepWithKernelSlope(Destructor):
    """The map is a step function, from ranks to deciles; the slope is that of a kernel
    estimate. Each is a fair estimate, but they are not of one density.
    """

    def _fit(self, fold, random_state):
        X, weight = fold.train.values, fold.train.weight
        quantiles = np.linspace(0.0, 1.0, 21)
        centres = np.quantile(
            X, quantiles, axis=0, weights=weight, method="inverted_cdf"
        )
        return StepMap(centres, 0.2 * X.std(axis=0))


class Unnormalised(Gaussian):
    def score_samples(self, X):
        return super().score_samples(X) + 0.05


class IgnoresWeights(Gaussian):
    def _fit(self, fold, random_state):
        return super()._fit(Fold(Rows.of(fold.train.values)), random_state)


class StandardisesByBatchMap(GaussianMap):
    def forward(self, X, context=None):
        Z, log_det = super().forward(X)
        return Z - Z.mean(axis=0), log_det


class StandardisesByBatch(Gaussian):
    kind = StandardisesByBatchMap


class InfinitelyUnlikelyFarOutMap(GaussianMap):
    def forward(self, X, context=None):
        Z, log_det = super().forward(X)
        return Z, np.where(np.abs(Z).max(axis=1) > 8.0, -np.inf, log_det)


class InfinitelyUnlikelyFarOut(Gaussian):
    kind = InfinitelyUnlikelyFarOutMap


class FlatFarOutMap(CubeMap):
    def log_slope(self, z):
        return super().log_slope(np.clip(z, -8.0, 8.0))


class FlatFarOut(GaussianCDF):
    """The density stays what it is eight standard deviations out."""

    kind = FlatFarOutMap


class CentresInPlaceMap(GaussianMap):
    def forward(self, X, context=None):
        X -= self.mean
        return X / self.scale, np.full(len(X), -np.log(self.scale).sum())


class CentresInPlace(Gaussian):
    kind = CentresInPlaceMap


class IgnoresRandomState(Gaussian):
    """Fits a random half of the rows, drawn from the global generator."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, fold, random_state):
        rows = np.random.permutation(len(fold.train))[::2]
        return super()._fit(Fold(fold.train.take(rows)), random_state)


class RemembersTheFirstFit(Gaussian):
    def fit(self, X, y=None, *, sample_weight=None):
        if hasattr(self, "map_"):
            return self
        return super().fit(X, y, sample_weight=sample_weight)


class LosesStateInPickle(Gaussian):
    def __getstate__(self):
        state = dict(super().__getstate__())
        if "map_" in state:
            rough = self.map_.scale.astype(np.float32).astype(float)
            state["map_"] = GaussianMap(self.map_.mean, rough)
        return state


@dataclass(frozen=True, eq=False)
class RoughDensity(Map):
    inner: GaussianMap

    def forward(self, X, context=None):
        return self.inner.forward(X)

    def inverse(self, Z, context=None):
        return self.inner.inverse(Z)

    def field_values(self):
        rough = self.inner.scale.astype(np.float32).astype(float)
        yield "inner", GaussianMap(self.inner.mean, rough)


class LosesStateWhenSaved(Gaussian):
    """What is written is rounded."""

    def _fit(self, fold, random_state):
        return RoughDensity(super()._fit(fold, random_state))

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "map_" in state:
            # Pickled whole.
            state["map_"] = self.map_.inner
        return state


class NeedsArrays(Gaussian):
    def fit(self, X, y=None, *, sample_weight=None):
        return super().fit(X.reshape(X.shape), y, sample_weight=sample_weight)


class LosesNames(Gaussian):
    def fit(self, X, y=None, *, sample_weight=None):
        return super().fit(np.asarray(X), y, sample_weight=sample_weight)


class SumsScores(Gaussian):
    def score(self, X, y=None, sample_weight=None):
        return float(self.score_samples(X).sum())


class DividesByZero(Gaussian):
    """A constant column has no scale."""

    def _fit(self, fold, random_state):
        map_, varies = super()._fit(fold, random_state), np.ptp(fold.train.values, 0)
        return GaussianMap(map_.mean, np.where(varies > 0, map_.scale, 0.0))


class ShufflesRows(Gaussian):
    """The next layer gets the rows in another order."""

    def _honest(self, fold, map_, random_state):
        rows = fold.through(map_).train
        return Fold(rows.take(np.random.default_rng(0).permutation(len(rows))))


class LosesACellMap(SwapMap):
    def forward(self, X, context=None):
        return np.where(X == 1, 0.0, X), np.zeros(len(X))

    def inverse(self, Z, context=None):
        return Z, np.zeros(len(Z))


class LosesACell(SwappedCodes):
    """Two codes go to one."""

    kind = LosesACellMap


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


class RoundsToNearestMap(NoiseMap):
    def inverse(self, Z, context=None):
        X = np.round(Z)
        return X, -self.log_det(X)


class RoundsToNearest(AddsNoise):
    """Noise in the upper half of a cell comes back as the next integer."""

    kind = RoundsToNearestMap


class DrawsNoiseAnewMap(NoiseMap):
    def forward(self, X, context=None):
        return X + np.random.uniform(0.01, 0.99, X.shape), self.log_det(X)


class DrawsNoiseAnew(AddsNoise):
    """The same row gets other noise each time."""

    kind = DrawsNoiseAnewMap


class ClaimsTooMuchMap(NoiseMap):
    def log_det(self, X):
        return np.full(len(X), 3.0)


class ClaimsTooMuch(AddsNoise):
    """Scores are no bound: they are above the log-probability."""

    kind = ClaimsTooMuchMap
