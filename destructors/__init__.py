"""Density destructors: invertible maps from data to a known base distribution.

Import from the subpackages: ready-made stacks from :mod:`destructors.flows`, the means
to compose one's own from :mod:`destructors.compose`, layers from
:mod:`destructors.marginal` and :mod:`destructors.linear`.
"""

__version__ = "0.1.0"
