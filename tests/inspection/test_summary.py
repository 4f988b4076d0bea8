"""A stack as a table: each layer with the nats it has brought."""

import numpy as np
import pytest

from destructors.flows import RBIG
from destructors.inspection import summarize

X = np.random.default_rng(0).gamma(2.0, size=(300, 2))


def test_gains_add_up_to_the_scores():
    model = RBIG(max_iter=3, random_state=0).fit(X)
    summary = summarize(model)
    assert len(summary.layers) == model.n_iter_
    for gains, scores in (
        (summary.train_gains, model.train_score_),
        (summary.validation_gains, model.validation_score_),
    ):
        assert sum(gains) == pytest.approx(scores[-1] - scores[0])
    text = str(summary)
    assert text.startswith("RBIG: ")
    held_out = f"{model.validation_score_[-1]:.4f} on held-out rows"
    assert text.splitlines()[0].endswith(held_out)
    assert len(text.splitlines()) == model.n_iter_ + 3
    assert summary._repr_html_().count("<tr>") == model.n_iter_ + 2


def test_without_held_out_rows_their_nats_are_left_out():
    model = RBIG(max_iter=2, early_stopping=False, random_state=0).fit(X)
    summary = summarize(model)
    assert np.isnan(summary.validation_gains).all()
    assert "nan" not in str(summary)


def test_what_is_no_destructor_is_refused():
    with pytest.raises(TypeError, match="A dict is no destructor"):
        summarize({})
