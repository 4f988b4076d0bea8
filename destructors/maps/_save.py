"""Files of models: arrays in an ``.npz``, everything else in a JSON header.

Nothing in a file is code: a class is named, and looked up among those that are there.
"""

import io
import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors import __version__
from destructors.maps._archive import Archive
from destructors.maps._classifier import Classifier
from destructors.maps._conditional import Conditional
from destructors.maps._density import Density
from destructors.maps._detector import Detector
from destructors.maps._imputer import Imputer
from destructors.maps._map import KINDS, PLAIN, Data
from destructors.maps._replace import replaced
from destructors.maps._valid import find_unlearned, validate

_FORMAT = 1
_HEADER = "header"
# Data within data, of the deepest tree of cells and columns.
_DEEPEST = 200
# What a file can be of, and how an estimator gives it.
_MODELS = {
    Density: "to_density",
    Detector: "to_detector",
    Classifier: "to_classifier",
    Conditional: "to_conditional",
    Imputer: "to_imputer",
}


def save(model: Any, path: str | PathLike[str]) -> None:
    """Save what a fitted model has learned to one file.

    The file is written beside its place and then moved there, so that an interruption
    leaves the old file or the new one, never half of one.

    Parameters
    ----------
    model : Destructor, an estimator of destructors.estimators or what `load` gives
        A fitted model. It is saved without the learner: what comes back of a destructor
        is a density, of the others a detector, a classifier, a conditional density and
        an imputer.
    path : str or path-like
        Name of the file, such as ``"model.npz"``.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If something in it is no data, such as a function of one's own, or an array of
        a map made by hand has another dtype than learned ones.

    See Also
    --------
    load : Read it again.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import destructors
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = Whitening().fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.npz")
    ...     destructors.save(model, path)
    ...     density = destructors.load(path)
    >>> bool((density.logpdf(X) == model.score_samples(X)).all())
    True
    """
    header, arrays = _contents(model)
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to save in.")
    write(target, header, arrays, np.savez_compressed)


def n_bytes(model: Any) -> int:
    """Return the size of the file that `save` would write."""
    file = io.BytesIO()
    _write_to(file, *_contents(model), np.savez_compressed)
    return file.tell()


def _contents(model: Any) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Return what a file of a model holds."""
    learned = _learned(model)
    # For people, not to be read again.
    settings = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    names = [] if learned.schema is None else learned.schema.names
    arrays: dict[str, NDArray] = {}
    header = {
        "format": _FORMAT,
        "library": __version__,
        "class": type(model).__name__,
        "parameters": {name: repr(value) for name, value in settings.items()},
        "columns": [str(name) for name in names],
        # The first files were all of densities.
        "density": pack(learned, arrays, "model"),
    }
    return header, arrays


def _learned(model: Any) -> Any:
    """Return what a model has learned, as data."""
    if isinstance(model, tuple(_MODELS)):
        return model
    for name in _MODELS.values():
        if hasattr(model, name):
            return getattr(model, name)()
    raise TypeError(
        "A fitted destructor, OutlierDetector, DensityClassifier, ConditionalDensity "
        f"or DensityImputer can be saved, got {type(model).__name__}. Of a search, "
        "save its best_estimator_; instead of a Pipeline of scikit-learn, save "
        "a DestructorPipeline."
    )


def write(
    target: Path,
    header: dict[str, Any],
    arrays: dict[str, NDArray],
    how: Callable[..., None] = np.savez,
) -> None:
    """Write a header and arrays to a file, in one step.

    Parameters
    ----------
    target : Path
        The file.
    header : dict
        What JSON can hold.
    arrays : dict of str to ndarray
        By name.
    how : callable, default=numpy.savez
        Writes arrays to an open file.
    """
    with replaced(target) as temporary, open(temporary, "xb") as file:
        _write_to(file, header, arrays, how)


def _write_to(
    file: Any, header: dict[str, Any], arrays: dict[str, NDArray], how: Any
) -> None:
    text = json.dumps(header, ensure_ascii=True).encode()
    how(file, **arrays, **{_HEADER: np.frombuffer(text, dtype=np.uint8)})


def load(path: str | PathLike[str], *, max_bytes: int = 2**30) -> Any:
    """Load what a file holds that `save` has written.

    Only NumPy and SciPy are needed. Where numba is there, results are the same to the
    last bit. No code is executed, whatever the file holds, no more memory is taken
    than in proportion to ``max_bytes``, and what is read is checked.

    Parameters
    ----------
    path : str or path-like
        Name of the file.
    max_bytes : int, default=2**30
        Bytes that the arrays in it may take. A small file can hold large ones.

    Returns
    -------
    model : Density, Detector, Classifier, Conditional or Imputer
        A density scores (`Density.logpdf`), samples, transforms (`Density.forward`) and
        inverts (`Density.inverse`); a `Detector`, a `Classifier`, a `Conditional` and
        an `Imputer` have the methods of what was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it was not written by `save`, is damaged, holds more than ``max_bytes``, or
        was written by a newer version.
    """
    try:
        with open(path, "rb") as opened:
            file = Archive(opened, max_bytes)
            header = read_header(file, path)
            model = unpack(header["density"], file)
        if not isinstance(model, tuple(_MODELS)):
            raise TypeError(f"it holds a {type(model).__name__}, no model")
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except _Refused:
        # It says what is wrong, such as a format or a class that is not known.
        raise
    except Exception as error:
        raise ValueError(
            f"{path} is no file of destructors.save, or it is damaged "
            f"({type(error).__name__}: {error})."
        ) from error
    return model


class _Refused(ValueError):
    """A file that is not read, for a reason that the message gives."""


# ---------------------------------------------------------------------- packing


def pack(
    value: Any,
    arrays: dict[str, NDArray],
    place: str,
    names: dict[int, str] | None = None,
) -> Any:
    """Return what JSON can hold; arrays go to ``arrays``, their names to ``names``."""
    names = {} if names is None else names
    if isinstance(value, Data):
        unlearned = find_unlearned(value)
        if unlearned is not None:
            raise TypeError(
                f"{place}.{unlearned} holds numbers of a type that no file is read "
                "with: give it float64, or int64 for positions."
            )
        parts = {
            name: pack(part, arrays, f"{place}.{name}", names)
            for name, part in value.field_values()
        }
        return {"kind": value.type_name(), "fields": parts}
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{place} is an array of objects, which no file can hold.")
        # What several parts share is written once; `arrays` keeps it alive.
        name = names.setdefault(id(value), f"a{len(arrays)}")
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple | list):
        packed = [
            pack(part, arrays, f"{place}[{i}]", names) for i, part in enumerate(value)
        ]
        return {"tuple": packed}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, PLAIN):
        return value
    raise TypeError(
        f"{place} is a {type(value).__name__}, which is no data and cannot be saved. "
        "Pickle the estimator instead, if you trust where it comes from."
    )


def unpack(packed: Any, arrays: Archive | dict[str, NDArray], depth: int = 0) -> Any:
    """Return what was packed; what is no valid data is refused."""
    if depth > _DEEPEST:
        raise ValueError(f"its data are more than {_DEEPEST} levels deep")
    if not isinstance(packed, dict):
        return packed
    if "array" in packed:
        return arrays[packed["array"]]
    if "tuple" in packed:
        return tuple(unpack(part, arrays, depth + 1) for part in packed["tuple"])
    kind = packed["kind"]
    if kind not in KINDS:
        module = str(kind).partition(":")[0]
        raise _Refused(
            f"The file holds a {kind}, which is not known here. If it is a class of "
            f"your own, import its module ({module}) before you load."
        )
    cls = KINDS[kind]
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    # What has a default may have been added since the file was written.
    needed = {name for name, field in known.items() if field.default is MISSING}
    if not needed <= set(packed["fields"]) <= set(known):
        raise _Refused(
            f"The file's {kind} has the fields {sorted(packed['fields'])}, not "
            f"{sorted(known)}: it was written by another version."
        )
    data = cls(
        **{
            name: unpack(part, arrays, depth + 1)
            for name, part in packed["fields"].items()
        }
    )
    validate(data)
    return data


def read_header(file: Archive, path: Any) -> dict[str, Any]:
    """Return the header of a file, if this version can read it."""
    if _HEADER not in file:
        raise _Refused(f"{path} was not written by destructors.save.")
    header = json.loads(file[_HEADER].tobytes())
    version = header["format"]
    if not isinstance(version, int) or version > _FORMAT:
        raise _Refused(
            f"{path} was written by destructors {header['library']}, in format "
            f"{version}; this is {__version__}, which reads up to format {_FORMAT}: "
            "upgrade destructors."
        )
    return header
