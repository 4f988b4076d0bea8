"""Tables: frames, names, categories and missing values, to rows and back."""

from destructors.table._table import (
    Categorical,
    check_table,
    learn_schema,
    read_latent,
    read_rows,
    take_columns,
)

__all__ = [
    "Categorical",
    "check_table",
    "learn_schema",
    "read_latent",
    "read_rows",
    "take_columns",
]
