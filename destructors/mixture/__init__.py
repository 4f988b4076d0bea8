"""Gaussian mixtures."""

from destructors.mixture._mixture import GaussianMixtureDestructor

__all__ = ["GaussianMixtureDestructor"]
