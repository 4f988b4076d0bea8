"""Public files: their addresses and checksums, and how a file is found or fetched."""

import os
from pathlib import Path
from typing import NamedTuple

from sklearn.datasets import fetch_file, get_data_home

_FOLDER = "DESTRUCTORS_DATA"


class Source(NamedTuple):
    """A file and how to know it.

    Attributes
    ----------
    path : str
        Path below the local folder and the data home.
    url : str
        Public address; empty if there is none to fetch from.
    sha256 : str
        Checksum of the file at that address.
    """

    path: str
    url: str = ""
    sha256: str = ""


# Addresses on GitHub name a commit, so that what is there cannot change.
_ADBENCH = (
    "https://github.com/Minqi824/ADBench/raw/3dac8221081e190f157d78e93bfa8867f90d0965/"
    "adbench/datasets/Classical/"
)
# As sha256sum prints them in that folder.
_ADBENCH_FILES = """\
e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b  2_annthyroid.npz
4f37ce07dbc25ddad8178fdc6d664ab46d2d0000ee28c2787c3c7ff3c03ef9f6  4_breastw.npz
bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d  6_cardio.npz
bca46cb0cfd1bf9ddef6cde5ad2215d54fb0189508d0d4c4eb98e788cad69001  18_Ionosphere.npz
ba17e2158c07469597b89db49d3982c874c6b713ff6670721ddc88969da77987  19_landsat.npz
0be375984d7af9ea7a63b12206c240840d8b7daa3607021c5fb8756407dd86f1  22_magic.gamma.npz
a0308ac9712d78321073b1c2dc98dc37665c0f35c1cc33019416fe8f8d7de7ea  23_mammography.npz
c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79  28_pendigits.npz
215454bb263a2f040945c9ea7bd7f06f1e89a61a3143bdb6f196e3887e801a7d  29_Pima.npz
1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f  31_satimage-2.npz
26900b0f6be45d9ddb7a402c9b2f956ceda42d23a8ca4cf4406b8bc1352823d1  32_shuttle.npz
8de161b3f235b7647bb0b39a836d983ff61d67bf234edac461da2d71e889cb87  38_thyroid.npz
4bfc4244d1c882773bbbc50d4a5db5e52276e53506e46b2d45e02d074cfcb1b6  40_vowels.npz
6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f  41_Waveform.npz
c70b72aa611ec87b20efb400943ef3ce4f8bf7aa58fcef825fbd28cc5cee3cc9  44_Wilt.npz
"""
ANOMALY = {
    (name := file.split("_", 1)[1].removesuffix(".npz")): Source(
        f"anomaly/{name}.npz", _ADBENCH + file, sha256
    )
    for sha256, file in map(str.split, _ADBENCH_FILES.splitlines())
}

_DTF = (
    "https://github.com/inouye-lab/Discrete-Tree-Flows/raw/"
    "104ab13c71cb3c0154197eab309beb96d74a08de/data/"
)
# Of the files with high, moderate and weak correlation.
_DTF_CHECKSUMS = """\
a709f1ba1167aba6cb90fcc5ba3721cbf7660d1722e72b1dd9cb5c2d44f08318
c63c3d92bf0a7d5bab506490ec608271bdc2b18803d97f083e140ecd1d25483a
65fd1cc29e9cf1cba7d5db0ce3abc943db85536d8bee73596e425074bddf1967
"""
_DTF_NAMES = {"COP-H": "", "COP-M": "_moderate_corr", "COP-W": "_weak_corr"}
COP = {
    name: Source(
        f"discrete/coup_data_4_2{end}.npy", f"{_DTF}coup_data_4_2{end}.npy", sha256
    )
    for (name, end), sha256 in zip(
        _DTF_NAMES.items(), _DTF_CHECKSUMS.split(), strict=True
    )
}

MUSHROOM = Source(
    "discrete/mushroom.csv",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/mushroom/"
    "agaricus-lepiota.data",
    "e65d082030501a3ebcbcd7c9f7c71aa9d28fdfff463bf4cf4716a3fe13ac360e",
)
MNIST = Source(
    "images/mnist.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)


def find_local(path: str) -> Path | None:
    """Return where a file is in the folder that DESTRUCTORS_DATA names, if there."""
    folder = os.environ.get(_FOLDER)
    found = Path(folder) / path if folder else None
    return found if found is not None and found.is_file() else None


def find(source: Source) -> Path:
    """Return where a file is: in the local folder, else in the data home.

    What is not in the data home, or has another checksum there, is fetched into it. A
    file of the local folder is taken as it is: its owner may have packed it anew.

    Parameters
    ----------
    source : Source
        What and where.

    Returns
    -------
    path : Path
        Path of the file.

    Raises
    ------
    OSError
        If the file is in neither place and cannot be fetched, or what comes has another
        checksum.
    """
    if local := find_local(source.path):
        return local
    try:
        if not source.url:
            raise OSError("it has no public address")
        kept = Path(get_data_home()) / "destructors" / source.path
        kept.parent.mkdir(parents=True, exist_ok=True)
        return fetch_file(
            source.url,
            folder=kept.parent,
            local_filename=kept.name,
            sha256=source.sha256,
        )
    except OSError as error:
        address = f"from {source.url} " if source.url else ""
        raise OSError(
            f"{source.path} cannot be fetched {address}({error}). Put the file into a "
            f"folder and set the environment variable {_FOLDER} to that folder, so "
            f"that it is found at {_FOLDER}/{source.path}."
        ) from error
