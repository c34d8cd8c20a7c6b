"""Text files in and out: clear errors for what cannot be read, and no half-written file."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from pathlib import Path

from flownet.errors import Fault, ReadError


def read_text(path: Path, largest: int) -> str:
    """Return a file's text.

    Raises
    ------
    ReadError
        Where the file is missing, a folder, larger than `largest` bytes, or not UTF-8.
    """
    where = f"file '{path.name}'"
    try:
        size = path.stat().st_size
        if size > largest:
            message = f"has {size:,} bytes: more than {largest:,} is no description of a network"
            raise ReadError([Fault(where, "", "", message)], path.name)
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ReadError([Fault(where, "", "", f"does not exist ({path})")], path.name) from error
    except (OSError, ValueError) as error:
        # a UnicodeDecodeError is a ValueError, and so is a path with a null character
        raise ReadError([Fault(where, "", "", f"cannot be read: {error}")], path.name) from error


def read_rows(path: Path, largest: int = 200_000_000) -> list[dict[str, str]]:
    """Return the rows of a CSV file as mappings from column to text, without empty cells.

    Raises
    ------
    ReadError
        Where a column stands twice, or a row has more cells than there are columns.
    """
    where = f"file '{path.name}'"
    text = read_text(path, largest)
    try:
        table = [row for row in csv.reader(io.StringIO(text), strict=True) if any(row)]
    except csv.Error as error:
        raise ReadError([Fault(where, "", "", f"is not CSV: {error}")], path.name) from error
    if not table:
        raise ReadError(
            [Fault(where, "", "", "is empty: a row of column names is needed")], path.name
        )
    names = [name.strip() for name in table[0]]
    faults = [
        Fault(where, name, "", "the column stands twice")
        for name in sorted({name for name in names if name and names.count(name) > 1})
    ]
    for number, row in enumerate(table[1:], start=2):
        if len(row) > len(names):
            message = f"has {len(row)} cells, but there are {len(names)} columns"
            faults.append(Fault(f"{where}, row {number}", "", "", message))
    if faults:
        raise ReadError(faults, path.name)
    return [
        {name: cell for name, cell in zip(names, row, strict=False) if name and cell.strip()}
        for row in table[1:]
    ]


def write_whole(path: Path, text: str) -> None:
    """Write a text in one step: the file holds either all of it or what it held before."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step: it holds either all of the data or what it held before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
