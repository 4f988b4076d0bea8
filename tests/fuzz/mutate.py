"""Damaged files: what `destructors.load` does with them.

    python -m tests.fuzz.mutate 10000 SEED            # so many files
    python -m tests.fuzz.mutate 1 SEED --first 4711   # that one again

Each file is a saved model of the registry, changed. It must be refused, or hold a model
that can be used, or says why not (`tests.fuzz.loaded`). It is loaded in a process of
bounded memory, by the clock, and nothing that runs code may be touched.
"""

import argparse
import io
import json
import os
import resource
import select
import signal
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from destructors.maps._map import KINDS
from tests.fuzz.files import NAMES, save_models
from tests.fuzz.loaded import FINE, use

__all__ = ["run"]

# Bytes that a process may take beyond what it has, and seconds of a file.
_MEMORY, _SECONDS = 2**30, 60
# What a process says before the first of them.
_READY = b"ready\n"
_CODE = {"os.system", "subprocess.Popen", "os.exec", "os.remove", "os.posix_spawn"}
_NESTED = {"kind": "StandardNormal", "fields": {"n_features": 10**9}}
_JUNK: list[Any] = [None, True, -1, 0, 2, 10**9, 10**30, 0.5, -1.0, 1e300]
_JUNK += [float("nan"), float("inf"), "", "this", "x" * 1000, [], [1, 2], {}, _NESTED]
_JUNK += [{"tuple": []}, {"array": "a0"}, {"array": "header"}, {"array": ["a0"]}]
_JUNK += [{"kind": "Identity", "fields": {}}]


class Explosive:
    """Says when it is unpickled."""

    def __reduce__(self):
        return os.system, ("exit 3",)


# ---------------------------------------------------------------------- changes


def _bits(rng, data):
    data = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 20)):
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _cut(rng, data):
    start, end = sorted(rng.integers(0, len(data), 2))
    return data[:end] if rng.random() < 0.5 else data[:start] + data[end:]


def _insert(rng, data):
    place = rng.integers(0, len(data))
    return data[:place] + rng.bytes(rng.integers(1, 100)) + data[place:]


def _members(rng, data):
    """Drop, repeat, rename or exchange arrays; compress them in another way."""
    parts = _unzip(data)
    one, two = (list(parts)[i] for i in rng.integers(0, len(parts), 2))
    kind, method = rng.integers(5), zipfile.ZIP_DEFLATED
    if kind == 0:
        del parts[one]
    elif kind == 1:
        parts[one], parts[two] = parts[two], parts[one]
    elif kind == 2:
        parts[f"../{one}"] = parts.pop(one)
    pairs = list(parts.items())
    if kind == 3:
        pairs.append((one, parts[two]))
    elif kind == 4:
        method = int(rng.choice([zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]))
    return _zip(pairs, method)


def _bomb(rng, data):
    parts, head = _unzip(data), io.BytesIO()
    what = {"descr": "|u1", "fortran_order": False, "shape": (2**27,)}
    np.lib.format.write_array_header_1_0(head, what)
    name = list(parts)[rng.integers(len(parts))]
    parts[name] = head.getvalue() + bytes(2**27)
    return _zip(parts.items())


def _npy(rng, data):
    """Claim another shape or dtype than the bytes have."""
    parts, head = _unzip(data), io.BytesIO()
    name = list(parts)[rng.integers(len(parts))]
    array = np.load(io.BytesIO(parts[name]))
    shapes = [(2**62,), (2**31, 2**31), (0, 2**60), (-1,), (), (0,), (*array.shape, 1)]
    dtypes = ["<f8", ">f8", "<i8", "|O", "<c16", "|S0", "<U9", "|b1", "<f2", "<M8[s]"]
    what = {
        "descr": array.dtype.str if rng.random() < 0.5 else str(rng.choice(dtypes)),
        "fortran_order": bool(rng.random() < 0.3),
        "shape": shapes[rng.integers(len(shapes))],
    }
    np.lib.format.write_array_header_1_0(head, what)
    parts[name] = head.getvalue() + array.tobytes()
    return _zip(parts.items())


def _array(rng, data):
    """Other arrays: other numbers, dtypes and shapes, all well formed."""
    parts = _unzip(data)
    names = [name for name in parts if name != "header.npy"]
    if not names:
        return _bits(rng, data)
    name = names[rng.integers(len(names))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts[name] = _dump(_change(rng, np.load(io.BytesIO(parts[name]))))
    return _zip(parts.items())


def _change(rng, x):
    kind = rng.integers(9)
    if kind == 0 and x.dtype.kind in "fiub":
        return x.astype(rng.choice(["f2", "f4", "i8", "i4", "u1", "?", "U5", "c16"]))
    if kind == 1:
        return np.array([Explosive()], dtype=object)
    if kind == 2 and x.ndim:
        return x[: rng.integers(0, len(x) + 1)]
    if kind == 3 and x.ndim:
        return np.concatenate([x, x])
    if kind == 4 and x.ndim:
        # Loops are compiled for numbers in rows, not for columns or records of them.
        record = np.ascontiguousarray(x).view([("x", x.dtype)])
        forms = [x[None], x[..., None], x.T, x[::-1], x.reshape(-1), record]
        return forms[rng.integers(len(forms))]
    if x.dtype.names is not None and rng.random() < 0.5:
        # A number of each record, such as where a node leads.
        name, x = x.dtype.names[rng.integers(len(x.dtype.names))], x.copy()
        part = _change(rng, x[name])
        if part.shape == x.shape and part.dtype.kind in "fiub":
            x[name] = part.astype(x.dtype[name])
        return x
    flat = x.copy().reshape(-1)
    if not flat.size:
        return np.zeros((1, *x.shape[1:]), x.dtype)
    if kind == 5 and x.dtype.kind in "fiub":
        junk = np.array([np.nan, np.inf, -1, 0, 1e300, 2**31, -(2**40), 7, 1e-320])
        place = rng.integers(0, flat.size, rng.integers(1, 4))
        flat[place] = rng.choice(junk, len(place)).astype(x.dtype)
    elif kind == 6:
        flat = rng.permutation(flat)
    elif kind == 7 and x.dtype.kind in "iu":
        # Just beyond what there is, or round in a circle.
        place = rng.integers(0, flat.size, rng.integers(1, 4))
        flat[place] += rng.integers(-2, 3, len(place)).astype(x.dtype)
    else:
        bits = flat.view(np.uint8)
        place = rng.integers(0, len(bits), 4)
        bits[place] ^= rng.integers(0, 256, 4).astype(np.uint8)
    return flat.reshape(x.shape)


def _json(rng, data):
    """Another structure: parts exchanged, dropped, repeated, nested, or junk."""
    parts = _unzip(data)
    header = json.loads(np.load(io.BytesIO(parts["header.npy"])).tobytes())
    for _ in range(rng.integers(1, 4)):
        places = list(_places(header))
        holder, key = places[rng.integers(len(places))]
        other, other_key = places[rng.integers(len(places))]
        kind = rng.integers(7)
        if kind == 0:
            # Of its own: what is put into it is not in the next file.
            holder[key] = deepcopy(_JUNK[rng.integers(len(_JUNK))])
        elif kind == 1:
            # Of a part that holds it, the beginning of a cycle. What is nested too
            # deep to be copied stays.
            with suppress(RecursionError):
                holder[key] = deepcopy(other[other_key])
        elif kind == 2 and isinstance(holder, dict):
            del holder[key]
        elif kind == 3:
            for _ in range(rng.integers(1, 250)):
                holder[key] = {"tuple": [holder[key]]}
        elif kind == 4 and isinstance(holder, list):
            holder *= int(rng.integers(2, 50))
        elif isinstance(holder[key], str):
            holder[key] = str(rng.choice(list(KINDS)))
        elif isinstance(holder[key], int | float):
            holder[key] = float(rng.choice([-1.0, 0.0, 1e9, 1e-300, 3.5]))
    try:
        text = json.dumps(header)
    except RecursionError:
        text = "[" * 1000
    if rng.random() < 0.05:
        text = "[" * 100_000 + text
    if rng.random() < 0.05:
        text = text.replace(": 1,", f": {'9' * 5000},")
    parts["header.npy"] = _dump(np.frombuffer(text.encode(), np.uint8))
    return _zip(parts.items())


def _places(value):
    keys: Iterable[Any] = value if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])


# What is changed, and how often.
CHANGES = {
    "bits": (_bits, 1.0),
    "cut": (_cut, 1.0),
    "insert": (_insert, 1.0),
    "members": (_members, 2.0),
    "bomb": (_bomb, 0.02),
    "npy": (_npy, 2.0),
    "array": (_array, 6.0),
    "json": (_json, 6.0),
}


def _unzip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _zip(pairs, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(out, "w", method, compresslevel=1) as file:
            for name, part in pairs:
                file.writestr(name, part)
    return out.getvalue()


def _dump(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def mutate(case: int, seed: int, files: list[Path]) -> tuple[str, bytes]:
    """Return what a case is, and the bytes of its file."""
    rng = np.random.default_rng([seed, case])
    path, weights = files[rng.integers(len(files))], [w for _, w in CHANGES.values()]
    name = rng.choice(list(CHANGES), p=np.array(weights) / sum(weights))
    return f"{path.stem}, {name}", CHANGES[name][0](rng, path.read_bytes())


# ---------------------------------------------------------------------- loading


def _work(cases: list[int], seed: int, files: list[Path], out: int) -> None:
    """Try cases one by one; write a line for each."""
    warnings.simplefilter("ignore")
    # Kernels and libraries take their memory before it is bounded.
    for path in files:
        if (found := use(path)) != "loaded":
            raise AssertionError(f"{path.stem} as it was saved: {found}")
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY,) * 2)

    def watch(event: str, what: tuple) -> None:
        # numba's own cache is pickled, too.
        pickled = event == "pickle.find_class" and what[0] in ("os", "posix")
        if watching and (pickled or event in _CODE):
            os.write(out, f"ran code: {event}\n".encode())
            os._exit(1)

    watching = False
    sys.addaudithook(watch)
    os.write(out, _READY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        for case in cases:
            path.write_bytes(mutate(case, seed, files)[1])
            watching = True
            try:
                result = use(path)
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(frame.filename).name}:{frame.lineno}"
                result = f"{type(error).__name__} at {where}: {error}"
            watching = False
            os.write(out, (result.replace("\n", " ")[:300] + "\n").encode())


def run(cases: Iterable[int], seed: int, files: list[Path]) -> Counter:
    """Try files; return how many came to what, and print each violation."""
    counts, left = Counter[str](), list(cases)
    while left:
        read, write = os.pipe()
        if not (child := os.fork()):
            try:
                os.close(read)
                _work(left, seed, files, write)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb", 0) as lines:
            if lines.readline() != _READY:
                os.waitpid(child, 0)
                raise RuntimeError("A file is of no use as it was saved.")
            while left:
                ready, _, _ = select.select([lines], [], [], _SECONDS)
                line = lines.readline().decode().strip() if ready else "too slow"
                result, case = line or "the process ended", left.pop(0)
                if result not in FINE:
                    what, _ = mutate(case, seed, files)
                    print(f"seed {seed}, case {case} ({what}): {result}", flush=True)
                counts[result if result in FINE else "violation"] += 1
                if not ready or not line or line.startswith("ran code"):
                    break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return counts


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("number", type=int, help="of files")
    parser.add_argument("seed", type=int)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--models", nargs="*", default=NAMES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = save_models(Path(folder), given.models)
        cases = range(given.first, given.first + given.number)
        counts = run(cases, given.seed, files)
    print(f"{given.number} files, seed {given.seed}: {dict(counts)}")
    sys.exit(bool(counts["violation"]))


if __name__ == "__main__":
    main()
