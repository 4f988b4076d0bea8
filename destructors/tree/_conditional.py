"""Boosted trees that move some columns, given the others."""

from destructors.tree._boosted import BoostedTreeDestructor


class ConditionalBoostedTrees(BoostedTreeDestructor):
    """Boosted trees of the last columns that may ask about all columns before these.

    The columns before should be about standard normal: the trees cut them in bins of
    about equal mass then. A cut of a column that is given moves nothing, so the map
    leaves these columns what they are, and its log-determinant is that of the last
    columns given them. Those are one, unless ``_n_moved`` is set.

    References
    ----------
    Z. Wang, N. Awaya and L. Ma, *Generative modeling of density regression through
    tree flows*, arXiv:2406.05260, 2024 (splits of what is given); N. Awaya and L. Ma,
    JMLR 25, 2024 (steps and their decay).
    """

    _n_moved = 1
