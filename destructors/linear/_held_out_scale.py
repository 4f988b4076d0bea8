"""One scale of all latents, by rows that no layer before was fitted to."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from destructors.base import HoldoutDestructor
from destructors.greedy._tails import TailedNormal
from destructors.maps import Affine, Map
from destructors.rows import Fold, Rows

# Parts of the held-out rows, each of which judges the scale of the others.
_N_PARTS = 5
# Fixed points of the scale; from one to the next few values cross the reach, or none.
_N_STEPS = 10
_BEYOND = 1e100


class HeldOutScale(HoldoutDestructor):
    """Divide all latents by one number: how much too far out held-out rows lie.

    Layers move their training rows to N(0, I), and rows that they have not seen not
    quite as near: these are left a few hundredths too far out, in all directions, so
    what is drawn lies a little too near the middle.

    The scale is the most likely one for the held-out rows, but for values so far out
    that no normal one is there. It is used if it is more than one, and if parts of
    these rows, each judging that of the others, gain more than the standard error of
    that gain; otherwise it is one. Nearer than normal lie the values of constant and of
    tied columns only, which nothing should press together.

    Parameters
    ----------
    scale : float, default=None
        The scale. None takes that of the held-out rows, or one without any.
    random_state : int, RandomState instance or None, default=None
        Seed of the parts.

    Attributes
    ----------
    scale_ : float
        The scale.
    """

    _parameter_constraints: ClassVar[dict] = {}

    def __init__(
        self,
        scale: float | None = None,
        *,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.scale = scale
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        self.scale_ = 1.0 if self.scale is None else float(self.scale)
        if self.scale is None and fold.validation is not None:
            seed = int(random_state.randint(2**31 - 1))
            self.scale_ = _choose_scale(fold.validation, seed)
        d = fold.train.n_features
        return Affine(np.zeros(d), np.full(d, self.scale_))

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        # One fold of five that is off by chance does not count.
        return {"scale": float(np.exp(np.median(np.log([m.scale_ for m in fitted]))))}


def _choose_scale(held_out: Rows, seed: int) -> float:
    """Return the most likely scale if it is known to gain, else one."""
    base = TailedNormal.of(held_out.total * held_out.n_features)
    n_parts = min(_N_PARTS, len(np.unique(held_out.hashes(0))))
    if n_parts < 2:
        return 1.0
    gains, weights = [], []
    for part in held_out.split(n_parts, 0.1, seed):
        assert part.validation is not None
        scale = _most_likely(part.train, base)
        gains.append(_gain(part.validation.values, scale, base))
        weights.append(part.validation.weights)
    gain, weight = np.concatenate(gains), np.concatenate(weights)
    mean = np.average(gain, weights=weight)
    variance = np.average((gain - mean) ** 2, weights=weight)
    if mean * np.sqrt(weight.sum()) <= np.sqrt(variance):
        return 1.0
    return _most_likely(held_out, base)


def _most_likely(rows: Rows, base: TailedNormal) -> float:
    """Return the scale at which rows are most likely under a normal base with tails.

    Where the derivative vanishes it is the root mean square of the values within the
    reach. It is one at least.
    """
    # Farther out than any reach, and a number when it is squared.
    squares, scale = np.clip(rows.values, -_BEYOND, _BEYOND) ** 2, 1.0
    # Relative weights: sums of the largest would be no numbers.
    shares = rows.weights / rows.weights.max()
    weights = np.broadcast_to(shares[:, None], squares.shape)
    for _ in range(_N_STEPS):
        mass = np.where(squares <= (base.reach * scale) ** 2, weights, 0.0)
        total = mass.sum()
        square = float((mass * squares).sum() / total) if total > 0.0 else 0.0
        if not square > 0.0:
            return 1.0
        before, scale = scale, float(np.sqrt(square))
        if scale == before:
            break
    return max(scale, 1.0)


def _gain(values: NDArray, scale: float, base: TailedNormal) -> NDArray:
    """Return what dividing by a scale adds to the log density of each row, in nats."""
    rise = base.logpdf(values / scale) - base.logpdf(values)
    return rise - values.shape[1] * np.log(scale)
