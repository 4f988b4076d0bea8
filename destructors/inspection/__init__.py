"""Pictures of what was learned, in scikit-learn's form.

A display is made by ``from_estimator`` (or from what it shows), drawn by ``plot``, and
drawn again as often as one likes; what it has drawn are its attributes. Matplotlib is
needed only to draw.
"""

from destructors.inspection._alignment import AlignmentDisplay
from destructors.inspection._density import DensityDisplay
from destructors.inspection._describe import Description, Finding, describe
from destructors.inspection._destruction import DestructionDisplay
from destructors.inspection._draw import draw
from destructors.inspection._latent import LatentDisplay
from destructors.inspection._likelihood import LikelihoodDisplay
from destructors.inspection._outliers import OutlierDisplay
from destructors.inspection._pairs import PairDisplay
from destructors.inspection._summary import Summary, summarize

__all__ = [
    "AlignmentDisplay",
    "DensityDisplay",
    "Description",
    "DestructionDisplay",
    "Finding",
    "LatentDisplay",
    "LikelihoodDisplay",
    "OutlierDisplay",
    "PairDisplay",
    "Summary",
    "describe",
    "draw",
    "summarize",
]
