"""The methods by which a model shows what it has learned.

What draws and tells is in `destructors.inspection`, which knows the models; these
methods ask for it when they are called, and at no other time.
"""

from typing import Any

from numpy.typing import ArrayLike


class InspectionMixin:
    """``plot``, ``summary``, and a table of the layers in notebooks."""

    def plot(
        self,
        X: ArrayLike | None = None,
        *,
        sample_domain: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Draw what was learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Rows to show beside it, at best such as `fit` has not seen. Without any, the
            model alone is drawn, by its samples; an alignment needs rows.
        sample_domain : array-like of shape (n_samples,), default=None
            Label of the domain of each row, for what aligns domains.
        ax : Axes or array of Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to ``from_estimator`` of the display.

        Returns
        -------
        display : Display
            What was drawn: a `~destructors.inspection.DensityDisplay` of one or two
            columns of numbers, a `~destructors.inspection.PairDisplay` of other
            tables, an `~destructors.inspection.AlignmentDisplay` of domains.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        NotFittedError
            If there is no model yet.
        ValueError
            If ``X`` has other columns than the training data, or domains have to be
            given and are not, or the other way round.
        """
        from destructors.inspection import draw

        return draw(self, X, sample_domain=sample_domain, ax=ax, **kwargs)

    def summary(self) -> Any:
        """Return the layers as a table, with the nats that each has brought.

        Returns
        -------
        summary : destructors.inspection.Summary
            It prints as a table, in notebooks too.

        Raises
        ------
        NotFittedError
            If there is no model yet.
        """
        from destructors.inspection import summarize

        return summarize(self)

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram, and below it the layers of what is fitted."""
        html = super()._html_repr()  # type: ignore[misc]
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return html
        table = self.summary()
        return html + table._repr_html_() if table.is_known else html
