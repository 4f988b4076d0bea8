"""The base that chains of layers are compared by: normal, but for its tails."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class TailedNormal:
    r"""Normal up to ``reach``; from there on the density falls as that at the reach
    over ``|z|``.

    .. math:: \log q(z) = \log φ(\min(|z|, c)) - \log \max(|z| / c, 1)

    Under the normal base one row far out, left at ``z`` by a chain, costs ``z² / 2``
    nats: more than all other rows together can gain, and what it costs hangs on how the
    chain goes on where it has seen nothing. Here it costs about the logarithm of the
    distance. That is the same for all chains that are linear beyond their data, since
    a slope of the map that brings ``z`` in takes as much from the log-determinant.

    It is no density to report, being far from the base of the model in the tails and of
    no finite mass; values within the reach score as under the normal base.

    Parameters
    ----------
    reach : float
        Largest size of a coordinate that is scored as normal.
    """

    reach: float

    @classmethod
    def of(cls, n_values: float) -> "TailedNormal":
        """Return the one for so many values: of normal ones hardly ever one is beyond.

        Of ``n`` normal values the farthest is about ``sqrt(2 log n)`` out, and one at
        twice the nats, ``sqrt(4 log n)``, is there with a chance of less than ``1/n``.
        """
        return cls(float(2.0 * np.sqrt(np.log(max(n_values, 10.0)))))

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        inner, loss = self.pull_in(Z)
        squares = np.einsum("ij,ij->i", inner, inner)
        return -0.5 * squares - Z.shape[1] * _HALF_LOG_2PI + loss

    def pull_in(self, Z: NDArray) -> tuple[NDArray, NDArray | float]:
        """Return rows within the reach, and what each loses by that, in nats: with it
        any density has such tails. NaN stays, and loses nothing.
        """
        inner = np.clip(Z, -self.reach, self.reach)
        if not (beyond := np.abs(Z) > self.reach).any():
            return inner, 0.0
        ratio = np.divide(np.abs(Z), self.reach, where=beyond, out=np.ones_like(Z))
        return inner, -np.log(ratio).sum(axis=1)
