"""Random directions, and a histogram along each."""

from destructors.base import Destructor
from destructors.compose import make_destructor_pipeline
from destructors.flows._named import NamedFlow
from destructors.linear import RandomRotation
from destructors.marginal import BlockGaussianizer


class RandomLinearFlow(NamedFlow):
    """Random directions, and a histogram along each.

    Features are standardised. Each further layer turns them by a random rotation and
    maps each by a histogram on the unit interval, pulled towards the normal one by many
    added rows, so that a layer takes a small step.

    Parameters
    ----------
    marginal : Destructor, default=None
        The first layer. None stands for `Standardize`.
    layer : Destructor, default=None
        What is fitted again and again. None stands for a `RandomRotation` and a
        `BlockGaussianizer` of 48 blocks of equal width.
    max_iter : int, default=200
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, to stop by them and to cut back. Otherwise all rows
        are trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=20
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
        "start" of the first, "layer" of the others.
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
    RBIG : With splines instead of histograms, and principal axes too.
    RandomTreeFlow : With trees instead of histograms.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3, and the
    experiment on concentric circles (random linear).

    Examples
    --------
    >>> from destructors.datasets import make_concentric_circles
    >>> from destructors.flows import RandomLinearFlow
    >>> X = make_concentric_circles(1000, random_state=0)
    >>> model = RandomLinearFlow(max_iter=10, random_state=0).fit(X)
    >>> bool(model.score(X) > -4.3)  # a Gaussian scores -4.44
    True
    """

    def _make_layer(self) -> Destructor:
        # Chosen on circles of other seeds than those that are reported on.
        marginal = BlockGaussianizer(n_blocks=48, alpha=60.0)
        return make_destructor_pipeline(RandomRotation(), marginal)
