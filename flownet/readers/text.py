"""Text files in and out: clear errors for what cannot be read, and no half-written file."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from flownet.errors import Fault, ReadError


def read_text(path: Path, largest: int) -> str:
    """Return a file's text, of UTF-8, or of UTF-16 where it begins with that mark.

    Raises
    ------
    ReadError
        Where the file is missing, a folder, larger than `largest` bytes, or no such text.
    """
    where = f"file '{path.name}'"
    try:
        size = path.stat().st_size
        if size > largest:
            message = f"has {size:,} bytes: more than {largest:,} is no description of a network"
            raise ReadError([Fault(where, "", "", message)], path.name)
        with path.open("rb") as stream:
            wide = stream.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
        return path.read_text(encoding="utf-16" if wide else "utf-8-sig")
    except FileNotFoundError as error:
        raise ReadError([Fault(where, "", "", f"does not exist ({path})")], path.name) from error
    except UnicodeError as error:
        message = f"cannot be read: save it as UTF-8 text (in Excel: 'CSV UTF-8'); {error}"
        raise ReadError([Fault(where, "", "", message)], path.name) from error
    except (OSError, ValueError) as error:  # of a path with a null character
        raise ReadError([Fault(where, "", "", f"cannot be read: {error}")], path.name) from error


def toml_of(text: str, where: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Raises
    ------
    ReadError
        Where it is not TOML; `where` begins what the error says.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of an integer with too many digits
        raise ReadError([Fault(where, "", "", f"is not TOML: {error}")]) from error


def json_of(text: str, where: str) -> Any:
    """Return the value of a JSON text in which no object has a key twice.

    Raises
    ------
    ReadError
        Where it is not JSON, or a key stands twice; `where` begins what the error says.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            faults = [Fault(where, name, "", "stands twice in one object") for name in twice]
            raise ReadError(faults)
        return table

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ReadError([Fault(where, "", "", f"is not JSON: {error}")]) from error


def csv_table(text: str, where: str) -> list[list[str]]:
    """Return the rows of a CSV text that are not empty.

    Cells are separated by commas; by semicolons or tabs where the first row has no comma.

    Raises
    ------
    ReadError
        Where it is not CSV; `where` begins what the error says.
    """
    first = text.lstrip().partition("\n")[0]
    signs = [sign for sign in (",", ";", "\t") if sign in first] or [","]
    try:
        rows = csv.reader(io.StringIO(text), strict=True, delimiter=signs[0])
        return [row for row in rows if any(row)]
    except csv.Error as error:
        raise ReadError([Fault(where, "", "", f"is not CSV: {error}")]) from error


def read_rows(path: Path, largest: int = 200_000_000) -> list[dict[str, str]]:
    """Return the rows of a CSV file as mappings from column to text, without empty cells.

    Raises
    ------
    ReadError
        Where it is not CSV, a column stands twice, or a row has more cells than columns.
    """
    where = f"file '{path.name}'"
    table = csv_table(read_text(path, largest), where)
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
