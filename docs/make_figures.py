"""Draw the picture of the README: ``python docs/make_figures.py``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.linalg import orthogonal_procrustes

from destructors.base_distributions import StandardNormal
from destructors.flows import RBIG

mpl.use("Agg")
import matplotlib.pyplot as plt

ARM_COLORS = np.array(["#4477aa", "#ee6677", "#228833", "#ccbb44", "#aa3377"])
PICTURE = Path(__file__).parent / "_static" / "destroyed.png"


def make_pinwheel(n_samples, random_state):
    """Draw from five bent arms; give the rows and the arm of each."""
    rng = np.random.default_rng(random_state)
    arm = rng.integers(len(ARM_COLORS), size=n_samples)
    along = 1.0 + 0.3 * rng.standard_normal(n_samples)
    across = 0.08 * rng.standard_normal(n_samples)
    angle = 2.0 * np.pi * arm / len(ARM_COLORS) + 0.3 * np.exp(along)
    cos, sin = np.cos(angle), np.sin(angle)
    return 1.4 * np.c_[cos * along - sin * across, sin * along + cos * across], arm


def scatter(axis, X, **colors):
    axis.scatter(*X.T, s=3.0, linewidths=0, **colors)
    axis.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def main():
    X, _ = make_pinwheel(50_000, random_state=0)
    model = RBIG(rotation="random", max_iter=100, random_state=0).fit(X)
    shown, arm = make_pinwheel(5_000, random_state=1)
    base = StandardNormal(n_features=2)
    noise = base.sample(5_000, np.random.RandomState(2))

    depths = [0, 1, 2, 4, 8, model.n_iter_]
    fig, axes = plt.subplots(2, len(depths), figsize=(12, 4.5), layout="constrained")
    for depth, (top, bottom) in zip(depths, axes.T, strict=True):
        latent, samples, log_density = shown, noise, base.logpdf(noise)
        if depth:
            prefix = model[:depth]
            latent = prefix.transform(shown)
            samples = prefix.inverse_transform(noise)
            log_density = prefix.score_samples(samples)
        # Turned back towards the data, so that the eye can follow the arms; a normal
        # density looks the same from all sides.
        latent = latent @ orthogonal_procrustes(latent, shown)[0]
        scatter(top, latent, c=ARM_COLORS[arm], alpha=0.6)
        order = np.argsort(log_density)
        colors = {"c": log_density[order], "cmap": "YlGnBu", "vmin": -8, "vmax": -0.5}
        scatter(bottom, samples[order], **colors)
        top.set_title(f"{depth} layer" + "s" * (depth != 1), fontsize=12)
    axes[0, 0].set_ylabel("data to noise", fontsize=12)
    axes[1, 0].set_ylabel("noise to data", fontsize=12)
    fig.savefig(PICTURE, dpi=130)


if __name__ == "__main__":
    main()
