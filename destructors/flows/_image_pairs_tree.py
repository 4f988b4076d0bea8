"""Pairs of pixels in eight directions, a density tree of each."""

from destructors.base import Destructor
from destructors.flows._named import ImagePairsFlow
from destructors.tree import TreeDestructor


class ImagePairsTree(ImagePairsFlow):
    """Pairs of pixels in eight directions, a density tree of each.

    Features are mapped to N(0, 1) each by itself. Each further layer pairs pixels with
    neighbours, in eight directions by turns, and fits a density tree to each pair.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    marginal : Destructor, default=None
        The first layer. None stands for `SplineGaussianizer`. For pixels of 256
        levels with uniform noise in [0, 1] take
        ``HistogramGaussianizer(n_bins=256, strategy="uniform", bounds=(0, 1))``.
    layer : Destructor, default=None
        What is fitted to each pair. None stands for a `TreeDestructor` of 50 leaves
        that looks one cut ahead.
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
        "start" of the first, the direction and the parity of the pairs of others.
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
    DeepCopula : A copula of all pixels.
    destructors.image.FeatureGroups : A layer of pairs.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3, and the
    experiment on MNIST (image pairs tree).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import ImagePairsTree
    >>> X = np.random.default_rng(0).normal(size=(300, 12)).cumsum(axis=1)
    >>> model = ImagePairsTree((3, 4), random_state=0).fit(X)
    >>> model.sample(2, random_state=0).shape
    (2, 12)
    """

    def _make_layer(self) -> Destructor:
        # Behind marginals no single cut shows what two pixels tell of each other.
        return TreeDestructor(
            splitter="look-ahead", min_samples_leaf=0, max_leaf_nodes=50
        )
