"""Gaussian mixtures."""

from destructors.mixture._boosted import BoostedMixtureDestructor
from destructors.mixture._mixture import GaussianMixtureDestructor

__all__ = ["BoostedMixtureDestructor", "GaussianMixtureDestructor"]
