"""The one numba decorator: cached where a cache can be written, uncached where not."""

from __future__ import annotations

import functools
import hashlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba import __version__ as _numba
from numba import njit as _njit

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE: Final = Path(__file__).parent
_IMPORT: Final = re.compile(
    r"^ *(?:from flownet\.?([\w.]*) import +(\([^)]*\)|[^\n]*)|import flownet\.([\w.]+))",
    re.MULTILINE,
)


def njit(function: F) -> F:
    """Compile `function` with flownet's options: cached, numpy's error model, without the GIL.

    numba raises when it decorates with ``cache=True`` and neither the package's folder nor the
    user's cache folder is writable (a read-only installation); the function is then compiled
    afresh in each process instead.

    numba takes a cached function as long as the file that holds it is unchanged. What it calls, and
    the tuples of arrays that it is given, are compiled into it though they stand in other files:
    after a change there it would read memory that is laid out otherwise, without an error. The
    cache therefore goes by the contents of all files that the function's own imports. The machine
    code is kept with what it was made from, since numba writes the index first: another process
    could meet the new index beside old code.
    """
    try:
        compiled = _njit(cache=True, error_model="numpy", nogil=True)(function)
    except RuntimeError:
        compiled = _njit(cache=False, error_model="numpy", nogil=True)(function)
    index = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    source = Path(function.__code__.co_filename)
    if index is not None and source.is_relative_to(_PACKAGE) and source.exists():
        index._source_stamp = source_stamp(source)  # noqa: SLF001  # numba offers no other way
        _keep_stamped(index, f"{_numba} {index._source_stamp}")  # noqa: SLF001  # as above
    return cast("F", compiled)  # a Dispatcher, called like the function


def _keep_stamped(index: Any, stamp: str) -> None:
    """Let numba's files of machine code hold a stamp, and read none that holds another."""
    save, load = index._save_data, index._load_data  # noqa: SLF001  # numba offers no other way

    def save_stamped(name: str, data: object) -> None:
        save(name, (stamp, index._dump(data)))  # noqa: SLF001  # as above

    def load_stamped(name: str) -> object:
        found = load(name)
        if found[0] != stamp:
            message = f"{name} was made from other code"
            raise OSError(message)  # numba takes it for a missing file, and compiles
        return pickle.loads(found[1])  # noqa: S301  # numba's own cache, which it unpickles too

    index._save_data, index._load_data = save_stamped, load_stamped  # noqa: SLF001  # as above


@functools.cache
def source_stamp(path: Path) -> str:
    """Return a digest of a module of flownet and of all modules that it imports, far and near."""
    found, ahead = {path}, [path]
    while ahead:
        new = _imports(ahead.pop()) - found
        found |= new
        ahead += new
    stamp = hashlib.blake2b(digest_size=16)
    for each in sorted(found):
        stamp.update(str(each.relative_to(_PACKAGE)).encode() + _contents(each))
    return stamp.hexdigest()


@functools.cache
def _contents(path: Path) -> bytes:
    return path.read_bytes()


@functools.cache
def _imports(path: Path) -> frozenset[Path]:
    """Return the modules of flownet that a module's lines of import name."""
    modules = set[str]()
    for room, names, plain in _IMPORT.findall(_contents(path).decode()):
        modules.add(room or plain)
        modules |= {f"{room}.{name}" for name in re.findall(r"\w+", names)}
    files = {_PACKAGE.joinpath(*m.strip(".").split(".")).with_suffix(".py") for m in modules if m}
    return frozenset(file for file in files if file.exists())
