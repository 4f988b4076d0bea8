"""Likelihoods in bits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def bits_per_dim(
    log_likelihood: ArrayLike,
    n_features: int,
    *,
    n_levels: int = 256,
    log_det: ArrayLike = 0.0,
) -> Any:
    r"""Bits that a feature of ``n_levels`` levels takes under a density.

    Levels :math:`0, 1, \dots, L - 1` are spread over their cells by uniform noise and
    scaled to the unit interval, :math:`x = (level + u) / L`. A density of :math:`x`
    bounds the probability of the levels from below, by

    .. math:: \frac{1}{d \log 2} \left(d \log L - \log p(x)\right)

    bits per feature on average.

    Parameters
    ----------
    log_likelihood : float or array-like of shape (n_samples,)
        Log density of rows, or its mean, in nats.
    n_features : int
        Number of features :math:`d`: all pixels of all channels of an image.
    n_levels : int, default=256
        Number of levels :math:`L`. With 1 a row is measured in units of its levels.
    log_det : float or array-like of shape (n_samples,), default=0.0
        Where the density is not of :math:`x` itself, ``log |det J|`` at the rows of
        the map from :math:`x` to what it is of, in nats: of the logit, for instance,
        which takes :math:`s = \alpha + (1 - 2 \alpha) x` to
        :math:`\log s - \log(1 - s)`, it is
        :math:`\sum_j \log(1 - 2 \alpha) - \log s_j - \log(1 - s_j)`.

    Returns
    -------
    bits : float or ndarray of shape (n_samples,)
        Bits per feature: less is better.

    Raises
    ------
    ValueError
        If ``n_features`` or ``n_levels`` is less than 1.

    References
    ----------
    L. Theis, A. van den Oord and M. Bethge, *A note on the evaluation of generative
    models*, ICLR 2016, section 3.1. G. Papamakarios, T. Pavlakou and I. Murray, *Masked
    autoregressive flow for density estimation*, NeurIPS 2017, appendix E, for logits.

    Examples
    --------
    Under a uniform density each of 256 levels takes 8 bits:

    >>> from destructors.metrics import bits_per_dim
    >>> bits_per_dim(0.0, 784)
    8.0
    """
    if n_features < 1 or n_levels < 1:
        raise ValueError(
            "n_features and n_levels must be at least 1, got "
            f"n_features={n_features} and n_levels={n_levels}."
        )
    nats = np.asarray(log_likelihood, np.float64) + np.asarray(log_det, np.float64)
    bits = (np.log(n_levels) - nats / n_features) / np.log(2.0)
    return float(bits) if bits.ndim == 0 else bits
