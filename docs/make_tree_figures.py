"""Draw the pictures of *How tree flows work*: ``python docs/make_tree_figures.py``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.stats import norm

from destructors.tree import BoostedTreeDestructor, TreeDestructor

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

FOLDER = Path(__file__).parent / "_static"
BLUE, RED, INK, PAPER = "#4477aa", "#ee6677", "#22313f", "#f6f8fa"
COLORS = np.array([BLUE, RED])
SIDE = 2.6
WHITE = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.9}}


def make_moons(n_samples, random_state):
    """Draw from two arcs that reach into each other; give the rows and the arc."""
    rng = np.random.default_rng(random_state)
    arc = rng.integers(2, size=n_samples)
    angle = np.pi * rng.uniform(size=n_samples)
    sign = 1 - 2 * arc
    X = np.c_[np.cos(angle) - 0.5 * sign, sign * (np.sin(angle) - 0.25)]
    return [1.4, 1.8] * X + 0.16 * rng.standard_normal((n_samples, 2)), arc


def bare(axis, *limits):
    axis.set(xlim=limits, ylim=limits, xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def draw_boxes(axis, boxes, **style):
    """Outline boxes, of which some have no end."""
    for low, high in np.clip(boxes, -10.0, 10.0):
        axis.add_patch(Rectangle(low, *(high - low), fill=False, **style))


def draw_density(axis, log_density, limit, n=240):
    side = np.linspace(-limit, limit, n)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    values = log_density(grid).reshape(n, n)
    axis.pcolormesh(side, side, np.exp(values), cmap="YlGnBu", vmin=0, vmax=0.33)
    bare(axis, -limit, limit)


def scatter(axis, X, arc, size=2.0):
    axis.scatter(*X.T, c=COLORS[arc], s=size, linewidths=0, alpha=0.7, zorder=2)


# ---------------------------------------------------------------- one cut


def draw_one_cut():
    """The unit square before and after the first cut of a tree."""
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((1500, 2)) * [0.45, 1.0] - [0.8, 0.0]
    thin = rng.standard_normal((500, 2)) * [1.0, 1.0] + [2.2, 0.0]
    X = np.concatenate([dense, thin])
    tree = TreeDestructor(max_leaf_nodes=2, max_bins=32).fit(X)
    boxes, probabilities = tree.get_boxes()
    cut = norm.cdf((boxes[0, 1, 0] - X[:, 0].mean()) / X[:, 0].std())
    p = probabilities[0]

    fig, axes = plt.subplots(1, 2, figsize=(8.6, 4.6), layout="constrained")
    for axis, Z, place in (
        (axes[0], (X - X.mean(axis=0)) / X.std(axis=0), cut),
        (axes[1], tree.transform(X), p),
    ):
        axis.add_patch(Rectangle((0, 0), 1, 1, facecolor=PAPER, edgecolor=INK, lw=1))
        scatter(axis, norm.cdf(Z), tree.apply(X), size=4.0)
        axis.plot([place, place], [0, 1], color=INK, linewidth=2.5, zorder=3)
        bare(axis, -0.02, 1.1)
    axes[0].set_xlim(-0.02, 1.02)
    axes[1].set_xlim(-0.02, 1.02)
    shares = [(cut, f"v = {cut:.2f} of the volume"), (p, f"p = {p:.2f} of the volume")]
    for axis, (place, words) in zip(axes, shares, strict=True):
        ends = {"arrowstyle": "<->", "color": INK, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (0, 1.03), (place, 1.03), arrowprops=ends)
        axis.text(0.0, 1.05, words, color=INK, fontsize=10)
        axis.text(0.02, 0.02, f"{p:.2f} of the rows", color=BLUE, fontsize=10, **WHITE)
        axis.text(
            0.98, 0.02, f"{1 - p:.2f}", color=RED, fontsize=10, ha="right", **WHITE
        )
    axes[0].set_title("before", fontsize=12, color=INK)
    axes[1].set_title("after: the cut is moved", fontsize=12, color=INK)
    fig.savefig(FOLDER / "tree_one_cut.png", dpi=130)


# ---------------------------------------------------------------- one tree


def draw_one_tree():
    """The boxes of a tree as it grows, and their images in the cube."""
    X, _ = make_moons(20_000, random_state=0)
    shown, arc = make_moons(2500, random_state=1)
    n_leaves = [1, 3, 9, 27, None]
    fig, axes = plt.subplots(2, 5, figsize=(12, 5.2), layout="constrained")
    for n, (top, bottom) in zip(n_leaves, axes.T, strict=True):
        few = {"min_gain": 1e9} if n == 1 else {"max_leaf_nodes": n}
        tree = TreeDestructor(**few).fit(X)
        boxes, _ = tree.get_boxes()
        draw_density(top, tree.score_samples, SIDE)
        draw_boxes(top, boxes, edgecolor=INK, linewidth=0.5, alpha=0.6)
        top.set_title(
            f"{tree.n_leaves_} box" + "es" * (tree.n_leaves_ > 1), fontsize=12
        )
        scatter(bottom, norm.cdf(tree.transform(shown)), arc)
        # The image of a box, from points just inside its corners.
        low, high = np.moveaxis(np.clip(boxes, -9.0, 9.0), 1, 0)
        inset = 1e-9 * (high - low)
        images = np.stack(
            [
                norm.cdf(tree.transform(low + inset)),
                norm.cdf(tree.transform(high - inset)),
            ],
            axis=1,
        )
        draw_boxes(bottom, images, edgecolor=INK, linewidth=0.5, alpha=0.6)
        bare(bottom, -0.02, 1.02)
    axes[0, 0].set_ylabel("density", fontsize=12)
    axes[1, 0].set_ylabel("rows in the cube", fontsize=12)
    fig.savefig(FOLDER / "tree_boxes.png", dpi=130)


# ---------------------------------------------------------------- many trees


def draw_many_trees():
    """Density and latent rows after more and more small steps."""
    X, _ = make_moons(20_000, random_state=0)
    X_val, _ = make_moons(5000, random_state=2)
    shown, arc = make_moons(2500, random_state=1)
    model = BoostedTreeDestructor(random_state=0).fit(X, X_val=X_val)
    fig, axes = plt.subplots(2, 5, figsize=(12, 5.2), layout="constrained")
    for n, (top, bottom) in zip([0, 1, 10, 40, model.n_iter_], axes.T, strict=True):
        if n == 0:
            stage = TreeDestructor(min_gain=1e9).fit(X)
        else:
            stage = BoostedTreeDestructor(
                max_iter=n, early_stopping=False, random_state=0
            ).fit(X)
        draw_density(top, stage.score_samples, SIDE)
        top.set_title(f"{n} tree" + "s" * (n != 1), fontsize=12)
        scatter(bottom, stage.transform(shown), arc)
        bare(bottom, -3.3, 3.3)
    axes[0, 0].set_ylabel("density", fontsize=12)
    axes[1, 0].set_ylabel("latent rows", fontsize=12)
    fig.savefig(FOLDER / "tree_boosting.png", dpi=130)


if __name__ == "__main__":
    draw_one_cut()
    draw_one_tree()
    draw_many_trees()
