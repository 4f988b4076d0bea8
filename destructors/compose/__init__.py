"""Compose destructors: chains, and the greedy stack."""

from destructors.compose._adapt import TransformerDestructor, as_destructor
from destructors.compose._categories import CategoryDequantizer
from destructors.compose._columns import ColumnDestructor
from destructors.compose._incremental import IncrementalDestructor
from destructors.compose._iterative import IterativeDestructor
from destructors.compose._pipeline import DestructorPipeline, make_destructor_pipeline
from destructors.compose._radial import RadialGaussianizer
from destructors.compose._sliced import SlicedGaussianizer

__all__ = [
    "CategoryDequantizer",
    "ColumnDestructor",
    "DestructorPipeline",
    "IncrementalDestructor",
    "IterativeDestructor",
    "RadialGaussianizer",
    "SlicedGaussianizer",
    "TransformerDestructor",
    "as_destructor",
    "make_destructor_pipeline",
]
