"""Where the rows of a sweep are kept: in memory, or as Parquet parts beside a manifest.

A folder holds ``_manifest.json`` (what was asked, with versions), ``_design.parquet`` (every row's
values) and ``part-00000.parquet`` and so on, one a chunk. Each part is written under another name
and then renamed, so that a part that is there is whole, whatever happened to the writer.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flownet.errors import Fault, MissingExtraError, ParameterError, ReadError, StoreError

if TYPE_CHECKING:
    import pandas as pd

MANIFEST: Final = "_manifest.json"
DESIGN: Final = "_design.parquet"
FORMAT: Final = 1
TEXTS: Final = ("method", "error")
FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Memory:
    """Keeps the parts of a sweep as tables."""

    def __init__(self) -> None:
        self._parts: dict[int, pd.DataFrame] = {}

    @property
    def done(self) -> set[int]:
        """The chunks that are there."""
        return set(self._parts)

    def write(self, number: int, table: pd.DataFrame) -> None:
        """Keep a part."""
        self._parts[number] = table

    def table(self) -> pd.DataFrame:
        """Return all parts in order."""
        return joined([self._parts[number] for number in sorted(self._parts)])


class Folder:
    """Keeps the parts of a sweep as Parquet files, and finds those of an earlier run."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], design: pd.DataFrame) -> None:
        parquet()
        self.path = path
        self.rows = _rows_by_chunk(manifest)
        with self._telling_what_is_kept():
            path.mkdir(parents=True, exist_ok=True)
            self._begin(manifest, design)

    def _begin(self, manifest: Mapping[str, Any], design: pd.DataFrame) -> None:
        there = self.path / MANIFEST
        if there.exists():
            _check_same(read_manifest(self.path), manifest, self.path)
            return
        if any(self.path.glob("[!._]*")):
            message = "is not empty and holds no sweep: name another folder"
            raise ParameterError([Fault("sweep", "path", str(self.path), message)])
        write_part(self.path / DESIGN, design)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        _whole(there, lambda name: name.write_text(text, encoding="utf-8"))

    @property
    def done(self) -> set[int]:
        """The chunks that are there and whole."""
        return {number for number, rows in self.rows.items() if self._is_whole(number, rows)}

    def _is_whole(self, number: int, rows: int) -> bool:
        path = part_path(self.path, number)
        if not path.exists():
            return False
        pq = parquet()
        try:
            return bool(pq.read_metadata(path).num_rows == rows)
        except (OSError, ValueError):  # damaged from outside: computed again
            return False

    def write(self, number: int, table: pd.DataFrame) -> None:
        """Keep a part.

        Raises
        ------
        StoreError
            Where it cannot be written; the parts before stay readable.
        """
        with self._telling_what_is_kept():
            write_part(part_path(self.path, number), table)

    @contextlib.contextmanager
    def _telling_what_is_kept(self) -> Any:
        try:
            yield
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            kept = sum(self.rows[number] for number in self.done)
            why = "the disk is full" if error.errno in FULL else str(error)
            message = (
                f"cannot write to {self.path}: {why}. {kept:,} of {sum(self.rows.values()):,} rows "
                "are kept there and can be read; run the same sweep again to go on from them"
            )
            raise StoreError(message) from error

    def table(self) -> pd.DataFrame:
        """Return the parts that are there, in order."""
        return read_parts(self.path, sorted(self.done))


def part_path(path: Path, number: int) -> Path:
    """Return the file of a chunk."""
    return path / f"part-{number:05d}.parquet"


def parquet() -> Any:
    """Return pyarrow's module for Parquet.

    Raises
    ------
    MissingExtraError
        Where pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        message = (
            "pyarrow is needed to keep a sweep in files: pip install 'flownet-queueing[study]'"
        )
        raise MissingExtraError(message) from error
    return pyarrow.parquet


def write_part(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole or not at all."""
    import pyarrow as pa

    arrow = pa.Table.from_pandas(_bare(table), preserve_index=True)

    def write(name: Path) -> None:
        with name.open("wb") as file:
            parquet().write_table(arrow, file)
            file.flush()
            os.fsync(file.fileno())

    _whole(path, write)


def _bare(table: pd.DataFrame) -> pd.DataFrame:
    copy = table.copy(deep=False)
    copy.attrs = {}
    return copy


def _whole(path: Path, write: Any) -> None:
    """Write under another name, then rename; nothing half-written is left behind."""
    name = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(name)
        name.replace(path)
    finally:
        name.unlink(missing_ok=True)


def read_parts(path: Path, numbers: Sequence[int]) -> pd.DataFrame:
    """Return the tables of chunks, one below the other."""
    pq = parquet()
    return joined([pq.read_table(part_path(path, number)).to_pandas() for number in numbers])


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, in the order of their rows; an empty one where there is none."""
    import pandas as pd

    return pd.concat(parts).sort_index() if parts else pd.DataFrame()


def manifest_of(asked: Mapping[str, Any], design: bytes) -> dict[str, Any]:
    """Return the manifest: what was asked, a fingerprint of it and of the design, versions."""
    import numpy as np

    text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    return {
        "format": FORMAT,
        **asked,
        "design_sha256": hashlib.sha256(design).hexdigest(),
        "fingerprint": hashlib.sha256(text.encode() + design).hexdigest(),
        "versions": {"flownet": sys.modules["flownet"].__version__, "numpy": np.__version__},
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a folder.

    Raises
    ------
    ReadError
        Where there is none, or it is not one of ours.
    """
    try:
        found = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"holds no sweep that can be read ({error})"
        raise ReadError([Fault("sweep", "path", str(path), message)]) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        message = f"holds no sweep of format {FORMAT}"
        raise ReadError([Fault("sweep", "path", str(path), message)])
    return found


def _check_same(there: Mapping[str, Any], asked: Mapping[str, Any], path: Path) -> None:
    if there["fingerprint"] == asked["fingerprint"]:
        return
    ignored = ("fingerprint", "versions", "format")
    keys = [key for key in asked if key not in ignored and there.get(key) != asked[key]]
    message = f"holds another sweep (it differs in {', '.join(keys)}): name another folder"
    raise ParameterError([Fault("sweep", "path", str(path), message)])


def _rows_by_chunk(manifest: Mapping[str, Any]) -> dict[int, int]:
    """Return how many rows each chunk has."""
    rows, size = int(manifest["rows"]), int(manifest["chunk"])
    return {k: min(size, rows - first) for k, first in enumerate(range(0, rows, size))}
