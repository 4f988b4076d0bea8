"""Checkpoints: what a fit has done is written down, and taken up again after a crash.

A checkpoint is a folder. One file says which fit it is of; each of the others holds a
part that was finished, under a hash of all that the part depends on. So a file is
written once and never changed, and what is missing or damaged is fitted again.
"""

import os
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray

from destructors import __version__
from destructors.exceptions import CheckpointWarning
from destructors.maps._archive import Archive
from destructors.maps._map import PLAIN
from destructors.maps._replace import TEMPORARY
from destructors.maps._save import pack, read_header, unpack, write
from destructors.rows import Fold, Rows, digest

_FORMAT = 1
_FIT = "fit.npz"
# What is used of a parameter in a message.
_LONGEST = 60


class Checkpoint:
    """Write down what a fit has done, so that another process can go on from there.

    A callback: ``model.set_callbacks(Checkpoint("run")).fit(X)``. Each layer is written
    when it is fitted, and of trees each time so many were grown. A process that was
    killed at any moment and is started again with ``resume=True`` fits **the same
    bits** as one that never was: what had been finished is read, its latent rows are
    computed again from the data, and the fit goes on.

    Parameters
    ----------
    path : str or path-like
        Folder of the checkpoint; it is made if it is not there. One folder for each
        fit.
    every : int, default=100
        Number of trees that are written together.
    resume : bool, str or path-like, default=False
        Whether to go on from what is there: True begins anew where there is nothing, so
        that the same script can be run again and again. A path goes on from the
        checkpoint in another folder, which is only read.

    Raises
    ------
    FileExistsError
        By `fit`, if there is a checkpoint in the folder and ``resume`` is False.
    FileNotFoundError
        By `fit`, if there is none in the folder that ``resume`` names.
    ValueError
        By `fit`, if the checkpoint is of a fit to other data, with other parameters or
        by other versions of the libraries: all that differs is named.

    Warns
    -----
    CheckpointWarning
        If a file cannot be written, as on a full disk, or is damaged. The fit goes on;
        what was written before still serves.

    Notes
    -----
    Files are those of `destructors.save`: arrays and JSON, nothing is unpickled. They
    are written beside their place and moved there in one step. A layer that holds what
    is no data, such as a regressor of scikit-learn, is not written but fitted again;
    so are layers that take no more time than a file does.

    What ``max_time`` or an interrupt (Ctrl-C) has cut short is not written either, and
    a fit that goes on from there ends as if it had never been cut short. ``n_jobs``,
    ``verbose`` and ``max_time`` may be others then. With ``random_state=None`` the
    state of NumPy's generator is that of the first fit.

    The folder may be removed once the model is saved. It holds the parts of the model,
    and of all that was tried for it, but of the training data no more than a hash;
    cross-fitted latent rows alone are written where a layer makes them.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from destructors import RBIG
    >>> from destructors.callbacks import Checkpoint
    >>> X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "run")
    >>> model = RBIG(max_iter=3, random_state=0)
    >>> scores = model.set_callbacks(Checkpoint(path)).fit(X).score_samples(X)

    After a crash:

    >>> again = RBIG(max_iter=3, random_state=0)
    >>> again = again.set_callbacks(Checkpoint(path, resume=True)).fit(X)
    >>> bool((again.score_samples(X) == scores).all())
    True
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        every: int = 100,
        resume: bool | str | PathLike[str] = False,
    ):
        self.path, self.every, self.resume = path, every, resume

    # The protocol of callbacks: what there is to do is done where rows are known.

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def open_store(self, estimator: Any, fold: Fold) -> "Folder":
        """Return where the parts of a fit are kept, at its beginning."""
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"every must be an integer from 1 on, got {self.every!r}.")
        own = Path(self.path)
        folders = [own]
        if not isinstance(self.resume, bool) and Path(self.resume) != own:
            folders.append(Path(self.resume))
            if not (folders[1] / _FIT).is_file():
                raise FileNotFoundError(f"There is no checkpoint in {folders[1]}.")
        if self.resume is False and (own / _FIT).exists():
            raise FileExistsError(
                f"There is a checkpoint in {own}: go on from it with "
                "Checkpoint(…, resume=True), or remove the folder."
            )
        fit, store = _describe(estimator, fold), Folder(folders, self.every)
        for folder in folders:
            known = store.read_file(folder / _FIT)
            if known is not None:
                _compare(known["fit"], fit, folder)
                if _draws_from_all(estimator):
                    np.random.set_state(known["random_state"])
        store.begin({"fit": fit, "random_state": np.random.get_state(legacy=True)})
        return store


class Folder:
    """The files of a checkpoint; see `destructors.rows.Store`.

    Parameters
    ----------
    folders : list of Path
        Where files are read; those that are written go to the first.
    every : int
        How many trees are written together.
    """

    def __init__(self, folders: list[Path], every: int):
        self.folders, self.every = folders, every
        self._has_warned = False

    def begin(self, content: dict[str, Any]) -> None:
        """Make the folder, and say in it which fit it is of."""
        own = self.folders[0]
        try:
            own.mkdir(parents=True, exist_ok=True)
            # What a process has left that was killed while it wrote.
            for left in own.glob(f".*{TEMPORARY}"):
                left.unlink(missing_ok=True)
        except OSError as error:
            self._warn(error)
        # It may be damaged.
        self._write(own / _FIT, content)

    def read(self, key: str) -> Any:
        """Return what was kept under a key; None if there is nothing."""
        files = (self.read_file(folder / f"{key}.npz") for folder in self.folders)
        return next((content for content in files if content is not None), None)

    def write(self, key: str, content: dict[str, Any]) -> None:
        """Keep a part, or say in a warning that it could not be kept."""
        self._write(self.folders[0] / f"{key}.npz", content)

    def read_file(self, path: Path) -> Any:
        """Return what a file holds; None if there is none, or it is damaged."""
        try:
            with open(path, "rb") as opened:
                # Nothing in it is compressed.
                file = Archive(opened, 2 * os.fstat(opened.fileno()).st_size)
                header = read_header(file, path)
                return _unpack(header["content"], file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            warnings.warn(
                f"{path} of the checkpoint cannot be read and is fitted again "
                f"({type(error).__name__}: {error}).",
                CheckpointWarning,
                stacklevel=2,
            )
            return None

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        arrays: dict[str, NDArray] = {}
        packed = _pack(content, arrays)
        header = {"format": _FORMAT, "library": __version__, "content": packed}
        try:
            write(path, header, arrays)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"The checkpoint in {self.folders[0]} cannot be written ({error}). The fit "
            "goes on; a later one can go on from what was written before.",
            CheckpointWarning,
            stacklevel=2,
        )


# ---------------------------------------------------------------------- which fit


def _describe(estimator: Any, fold: Fold) -> dict[str, list[str | None]]:
    """Return what a fit depends on: a hash of each thing, and how to speak of it."""
    versions = {"destructors": __version__, "NumPy": np.__version__}
    versions |= {"SciPy": scipy.__version__, "scikit-learn": sklearn.__version__}
    told: dict[str, list[str | None]] = {
        f"the version of {name}": [v, v] for name, v in versions.items()
    }
    told["the class"] = [type(estimator).__name__] * 2
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name not in ("max_time", "n_jobs", "verbose"):
            told[name] = [_hash(value), _shorten(repr(value))]
    if estimator.__sklearn_is_fitted__():
        told["the model to go on from"] = [_hash(estimator), "one"]
    parts = {"the training rows": fold.train, "the held-out rows": fold.validation}
    for part, rows in parts.items():
        told[part] = [_hash(None), "none"]
        if isinstance(rows, Rows):
            size = f"{len(rows)} × {rows.n_features}"
            told[part] = [rows.digest_of("values").hex(), size]
            told[f"the weights of {part}"] = [rows.digest_of("weight").hex(), "some"]
            told[f"the domains of {part}"] = [rows.digest_of("context").hex(), "some"]
    return told


def _compare(known: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Raise ValueError if a checkpoint is of another fit."""
    nothing, wrong = ["", "none"], []
    for name in {**known, **now}:
        (before, old), (after, new) = known.get(name, nothing), now.get(name, nothing)
        # What has no known content cannot be compared.
        if before != after and None not in (before, after):
            wrong.append(f"{name} ({old} there, {new} here)" if old != new else name)
    if wrong:
        raise ValueError(
            f"The checkpoint in {folder} is of another fit. What differs: "
            f"{', '.join(wrong)}. Fit as that one did, or name another folder."
        )


def _draws_from_all(estimator: Any) -> bool:
    """Return whether a fit draws from the generator that all share."""
    return any(
        name.split("__")[-1] == "random_state" and value is None
        for name, value in estimator.get_params(deep=True).items()
    )


def _hash(value: Any) -> str | None:
    try:
        return digest(value).hex()
    except TypeError:
        return None


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# ---------------------------------------------------------------------- packing


def _pack(value: Any, arrays: dict[str, NDArray]) -> Any:
    """Return what JSON can hold, and from which the very same comes back."""
    kind = type(value)
    if kind is dict:
        items = [[_pack(k, arrays), _pack(v, arrays)] for k, v in value.items()]
        return {"dict": items}
    if kind is list or kind is tuple:
        return {kind.__name__: [_pack(part, arrays) for part in value]}
    if isinstance(value, np.generic):
        return {"scalar": pack(np.asarray(value), arrays, "a number")}
    if isinstance(value, PLAIN) and kind not in PLAIN:
        raise TypeError(f"A {kind.__name__} is more than what JSON would keep of it.")
    if isinstance(value, list | tuple | dict):
        raise TypeError(f"A {kind.__name__} is more than a list.")
    return {"data": pack(value, arrays, "a part of the fit")}


def _unpack(packed: dict[str, Any], file: Archive) -> Any:
    [(kind, value)] = packed.items()
    if kind == "dict":
        return {_unpack(k, file): _unpack(v, file) for k, v in value}
    if kind in ("list", "tuple"):
        parts = [_unpack(part, file) for part in value]
        return parts if kind == "list" else tuple(parts)
    return unpack(value, file)[()] if kind == "scalar" else unpack(value, file)
