"""Draw the picture of *How it works*: ``python docs/make_nouns_figure.py``."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PICTURE = Path(__file__).parent / "_static" / "nouns.png"
INK, PAPER = "#223344", "#ffffff"
BLUE, YELLOW, GREEN = "#cfe3f3", "#fbe3b5", "#d5ecd0"


def box(axis, x, y, width, title, lines, color):
    """Draw a box with a title and a few lines."""
    height = 1.35
    axis.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.12",
            facecolor=color,
            edgecolor=INK,
            linewidth=1.2,
        )
    )
    middle = x + width / 2
    axis.text(middle, y + height - 0.28, title, ha="center", fontsize=14, weight="bold")
    for i, line in enumerate(lines):
        axis.text(
            middle, y + height - 0.62 - 0.27 * i, line, ha="center", fontsize=10.5
        )


def arrow(axis, start, end, **style):
    """Draw an arrow."""
    axis.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=16, color=INK, **style
        )
    )


def main():
    fig, axis = plt.subplots(figsize=(9.2, 3.9), facecolor=PAPER)
    mpl.rcParams["text.color"] = INK
    box(axis, 0.0, 2.2, 2.7, "Rows", ["values, weights,", "a held-out part"], BLUE)
    box(
        axis,
        4.3,
        2.2,
        2.7,
        "Map",
        ["arrays, nothing else:", "forward, inverse", "and log-determinant"],
        YELLOW,
    )
    box(
        axis,
        8.6,
        2.2,
        2.7,
        "Density",
        ["a map and a base:", "logpdf, sample,", "save, load"],
        GREEN,
    )
    arrow(axis, (2.75, 2.9), (4.25, 2.9), linewidth=1.6)
    axis.text(3.5, 3.08, "a learner", ha="center", fontsize=11, style="italic")
    arrow(axis, (7.05, 2.9), (8.55, 2.9), linewidth=1.6)
    axis.text(7.8, 3.08, "+ N(0, I)", ha="center", fontsize=11)
    # The way of a stack: through the map, and on to the next learner.
    arrow(
        axis,
        (5.65, 2.15),
        (1.35, 2.15),
        connectionstyle="arc3,rad=-0.28",
        linewidth=1.6,
        linestyle=(0, (4, 2)),
    )
    axis.text(
        3.5,
        1.0,
        "rows.through(map): what the next layer is fitted on,\n"
        "while held-out rows gain",
        ha="center",
        fontsize=11,
        style="italic",
    )
    axis.set(xlim=(-0.15, 11.5), ylim=(0.5, 3.8))
    axis.axis("off")
    fig.savefig(PICTURE, dpi=130, bbox_inches="tight", facecolor=PAPER)


if __name__ == "__main__":
    main()
