"""Gaussian copulas, one behind the other."""

from destructors.base import Destructor
from destructors.compose import make_destructor_pipeline
from destructors.flows._named import ImageFlow, make_copula
from destructors.greedy import Cycle, Schedule, Stages, TryAll
from destructors.image import HaarPyramid
from destructors.marginal import SplineGaussianizer


class DeepCopula(ImageFlow):
    """Gaussian copulas, one behind the other.

    Features are mapped to N(0, 1) each by itself and whitened, as in a Gaussian copula.
    Whitened features are not normal yet: their marginals are, by the next layer, and so
    on. The whitening is the symmetric one, so that each feature stays as close to its
    own as can be, and keeps what is not normal about it. With an ``image_shape`` layers
    alternate with those that see sums and differences of neighbouring pixels.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes features for no image.
    marginal : Destructor, default=None
        The first layer. None stands for `SplineGaussianizer`. For pixels of 256
        levels with uniform noise in [0, 1] take
        ``HistogramGaussianizer(n_bins=256, strategy="uniform", bounds=(0, 1))``.
    layer : Destructor, default=None
        What is fitted again and again. None stands for a symmetric `Whitening` and a
        `SplineGaussianizer`.
    max_iter : int, default=40
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, to stop by them and to cut back. Otherwise all rows
        are trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=4
        Number of layers without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, the depth is chosen by the mean held-out score over the folds; then
        the layers are fitted on all rows.
        None holds out one part, or makes folds where one row would be more than a
        tenth of that: no value is left out.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers that are there.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers.
    layer_names_ : list of str
        "start" of the first, "layer" of copulas, "scales" of those of neighbours.
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Mean log density of the training rows after each layer, in nats; index 0 is
        that of the untransformed rows.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows; empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    GaussianCopula : One of them.
    ImagePairsCopula : Copulas of pairs of pixels.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3, and the
    experiment on MNIST (deep copula).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import DeepCopula
    >>> X = np.random.default_rng(0).normal(size=(300, 12)).cumsum(axis=1)
    >>> model = DeepCopula((3, 4), random_state=0).fit(X)
    >>> model.sample(2, random_state=0).shape
    (2, 12)
    """

    def _make_layer(self) -> Destructor:
        return make_copula(self.n_jobs)

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        candidates = super()._named_candidates()
        if self.image_shape is not None:
            # Means of neighbours, then means of these: each one looks twice as far.
            pyramid = HaarPyramid(self.image_shape, n_levels=1)
            spline = SplineGaussianizer(n_knots=40, n_jobs=self.n_jobs)
            candidates.append(("scales", make_destructor_pipeline(pyramid, spline)))
        return candidates

    def _schedule(self, names: list[str]) -> Schedule:
        start, layer, *scales = names
        return Stages(TryAll(start), TryAll(layer), Cycle(*(scales or [layer])))
