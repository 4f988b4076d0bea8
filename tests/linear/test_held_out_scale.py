"""One scale of all latents, by held-out rows."""

import numpy as np
import pytest

from destructors.linear._held_out_scale import HeldOutScale


def fitted(held_out, weight=None, seed=0):
    layer = HeldOutScale(random_state=seed)
    train = np.random.default_rng(9).normal(size=(50, held_out.shape[1]))
    return layer.fit(train, X_val=held_out, sample_weight_val=weight)


def draw(n, d, scale, seed=0):
    return scale * np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("scale", [1.05, 1.3, 2.0])
def test_wide_latents_become_normal(scale):
    layer = fitted(draw(2000, 6, scale))
    # The standard error of the scale of n d values is 1 / sqrt(2 n d), relatively.
    assert layer.scale_ == pytest.approx(scale, rel=4.0 / np.sqrt(2 * 2000 * 6))
    new = draw(20_000, 6, scale, seed=1)
    truth = -6 * (0.5 + 0.5 * np.log(2 * np.pi) + np.log(scale))
    assert layer.score(new) == pytest.approx(truth, abs=0.03)
    assert layer.sample(20_000, random_state=0).std() == pytest.approx(scale, rel=0.02)


def test_narrow_latents_are_not_pressed_together():
    assert fitted(draw(2000, 6, 0.9)).scale_ == 1.0
    # A constant column is zero in latents; it says nothing of the others.
    latents = np.c_[draw(2000, 2, 1.0), np.zeros((2000, 4))]
    assert fitted(latents).scale_ == 1.0


def test_normal_latents_stay_what_they_are_nearly_always():
    scales = np.array([fitted(draw(500, 5, 1.0, seed)).scale_ for seed in range(40)])
    # A gain above its standard error comes by chance in a few of a hundred.
    assert np.mean(scales == 1.0) >= 0.8
    assert scales.max() < 1.06


def test_one_row_far_out_has_no_say():
    latents = draw(2000, 4, 1.2)
    without = fitted(latents).scale_
    latents[0] = 1e6
    assert fitted(latents).scale_ == pytest.approx(without, rel=1e-3)
    latents[0] = 1e200
    assert fitted(latents).scale_ == pytest.approx(without, rel=1e-3)


def test_weights_count_rows():
    latents, weight = draw(600, 3, 1.2), np.random.default_rng(1).integers(1, 4, 600)
    weighted, repeated = fitted(latents, weight), fitted(np.repeat(latents, weight, 0))
    assert weighted.scale_ > 1.1
    assert weighted.scale_ == pytest.approx(repeated.scale_, rel=1e-12)


def test_few_held_out_rows_scale_nothing():
    assert fitted(np.full((30, 3), 5.0)).scale_ == 1.0
    assert fitted(draw(1, 3, 9.0)).scale_ == 1.0


def test_without_held_out_rows_it_is_one_or_what_is_given():
    X = draw(50, 3, 2.0)
    assert HeldOutScale(random_state=0).fit(X).scale_ == 1.0
    given = HeldOutScale(1.25, random_state=0).fit(X)
    assert given.scale_ == 1.25
    np.testing.assert_allclose(given.inverse_transform(given.transform(X)), X)


def test_folds_agree_on_their_mean():
    layers = [HeldOutScale(scale, random_state=0).fit(np.eye(3)) for scale in (1, 1.21)]
    assert layers[0]._refit_params(layers)["scale"] == pytest.approx(1.1)
