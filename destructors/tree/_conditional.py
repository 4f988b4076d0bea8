"""Boosted trees that move one column, given the others."""

from typing import ClassVar

from destructors.tree._boosted import BoostedTreeDestructor


class ConditionalBoostedTrees(BoostedTreeDestructor):
    """Boosted trees of the last column that may ask about all columns before it.

    The columns before should be about standard normal: the trees cut them in bins of
    about equal mass then. A cut of a column that is given moves nothing, so the map
    leaves these columns what they are, and its log-determinant is that of the last
    column given them.

    References
    ----------
    Z. Wang, N. Awaya and L. Ma, *Generative modeling of density regression through
    tree flows*, arXiv:2406.05260, 2024 (splits of what is given); N. Awaya and L. Ma,
    JMLR 25, 2024 (steps and their decay).
    """

    _given: ClassVar[bool] = True
