"""Tables: frames, names, categories and missing values, to rows and back."""

from destructors.table._read import check_table, read_latent, read_rows, take_columns
from destructors.table._schema import Categorical, learn_schema

__all__ = [
    "Categorical",
    "check_table",
    "learn_schema",
    "read_latent",
    "read_rows",
    "take_columns",
]
