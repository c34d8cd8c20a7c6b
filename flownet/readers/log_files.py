"""An event log as a pandas DataFrame, from a file or from any library's data frame."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

from flownet.errors import Fault, InputError, ReadError
from flownet.network.values import shown
from flownet.readers.extras import library

if TYPE_CHECKING:
    import pandas as pd

FORMATS: Final = (".csv", ".csv.gz", ".parquet", ".xes", ".xes.gz")
CONTROL: Final = {*range(9), *range(14, 32)} - {27}
LOOK: Final = 1 << 16
"""So many bytes show whether a file is a table of text."""


Look = Callable[["pd.DataFrame"], tuple[Collection[str], Collection[str]]]
"""Takes the columns of a table without their rows; returns those of texts and of times."""
MARKS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a spreadsheet or zip",
                b"%PDF": "PDF", b"PAR1": "Parquet", b"\x1f\x8b": "compressed"}  # fmt: skip
"""How files begin that are not what their names say."""


def frame_of(log: Any, look: Look) -> pd.DataFrame:
    """Return a log as a DataFrame that belongs to the caller: it is only read.

    Parameters
    ----------
    log : path, pandas.DataFrame, or any other data frame
        A file of one of `FORMATS`; a frame of polars, pyarrow or another library that offers the
        Arrow stream or the data frame interchange protocol; or rows or columns of plain values.
    look : callable
        Judges the columns of a file of text before all of it is read.

    Raises
    ------
    ReadError
        Where it is no table.
    MissingExtraError
        Where the file's format needs a package that is not installed.
    """
    import pandas as pd

    if isinstance(log, (str, os.PathLike)):
        return _from_file(Path(log), look)
    if isinstance(log, pd.DataFrame):
        return log
    if hasattr(log, "__arrow_c_stream__") and find_spec("pyarrow"):
        return _from_arrow(log)
    if hasattr(log, "__dataframe__"):
        return _from_protocol(log)
    if hasattr(log, "__arrow_c_stream__"):
        return _from_arrow(log)
    if isinstance(log, (Mapping, Sequence)) and not isinstance(log, bytes):
        try:
            return pd.DataFrame(log)
        except (ValueError, TypeError) as error:
            raise _refused("event log", f"is not a table: {error}") from error
    message = "must be a data frame, a path, or rows of plain values"
    raise ReadError([Fault("event log", "", shown(log), message)])


def _from_arrow(log: Any) -> pd.DataFrame:
    frame: pd.DataFrame = library("pyarrow", "logs", "a frame of Arrow").table(log).to_pandas()
    return frame


def _from_protocol(log: Any) -> pd.DataFrame:
    import pandas as pd

    with warnings.catch_warnings():
        # pandas 3 gives the protocol up for Arrow's, which asks for pyarrow
        warnings.simplefilter("ignore")
        return pd.api.interchange.from_dataframe(log)


def _refused(name: str, message: str) -> ReadError:
    where = name if name == "event log" else f"file '{name}'"
    return ReadError([Fault(where, "", "", message)], name)


def _from_file(path: Path, look: Look) -> pd.DataFrame:
    name = path.name.lower()
    if not path.is_file():
        raise _refused(path.name, f"does not exist, or is no file ({path})")
    if path.stat().st_size == 0:
        raise _refused(path.name, "is empty: a row of column names is needed")
    if name.endswith((".xes", ".xes.gz")):
        return _from_xes(path)
    if name.endswith((".parquet", ".pq")):
        return _from_parquet(path)
    if name.endswith((".csv", ".csv.gz", ".txt", ".tsv")):
        return _from_csv(path, look)
    raise _refused(path.name, f"has no known format; known are {', '.join(FORMATS)}")


def _opened(path: Path) -> Any:
    import gzip

    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _from_csv(path: Path, look: Look) -> pd.DataFrame:
    import pandas as pd

    try:
        with _opened(path) as stream:
            head = stream.read(LOOK)
    except (OSError, EOFError) as error:
        raise _refused(path.name, f"cannot be read: {error}") from error
    for mark, kind in MARKS.items():
        if head.startswith(mark):
            raise _refused(path.name, f"is {kind}, not a table of text: save it as CSV in UTF-8")
    if CONTROL.intersection(head):
        message = "is not a table of text (UTF-8 or ASCII): it holds null bytes or their like"
        raise _refused(path.name, message)
    first, *more = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").split(b"\n", 1)
    if not more and len(head) == LOOK:
        raise _refused(path.name, f"is not a table: its first line is longer than {LOOK:,} bytes")
    separator = max((b",", b";", b"\t", b"|"), key=first.count)
    if first.count(separator) == 0:
        message = "is not a table: its first line has no columns set apart by , ; | or tabs"
        raise _refused(path.name, message)
    options: dict[str, Any] = {"sep": separator.decode(), "encoding": "utf-8-sig"}
    try:
        names = pd.read_csv(io.BytesIO(first + b"\n"), nrows=0, **options)
        texts, times = look(names)
        wanted = {*texts, *times}
        places = [k for k, name in enumerate(names.columns) if name in wanted]
        # leading zeros belong to an identity
        kinds = dict.fromkeys(texts, str)
        return pd.read_csv(
            path, usecols=places, dtype=kinds, low_memory=False, keep_default_na=False,
            na_values=["", "NaT", "NULL", "null"], **options,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: {error.reason} {error.object[error.start : error.start + 1]!r}"
        raise _refused(path.name, f"{message}; save it as CSV in UTF-8") from error
    except InputError:  # of the columns that were asked for
        raise
    except (ValueError, OSError, EOFError) as error:  # pandas' parser errors are ValueErrors
        detail = str(error).splitlines()[0]
        raise _refused(path.name, f"is not a table of text: {detail}") from error


def _from_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    library("pyarrow", "logs", "reading Parquet")
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:  # pyarrow's errors are ValueErrors or OSErrors
        raise _refused(path.name, f"is not Parquet: {str(error).splitlines()[0]}") from error


def _from_xes(path: Path) -> pd.DataFrame:
    """Read XES through pm4py, once it is sure that no entity can be declared."""
    refuse_entities(path)
    fault = ""
    with warnings.catch_warnings():
        # those of pm4py and of what it imports, and of files that it leaves open where it fails
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):  # where it bids welcome
            pm4py = library("pm4py", "xes", "reading XES")
        try:
            frame: pd.DataFrame = pm4py.read_xes(
                str(path), return_legacy_log_object=False, show_progress_bar=False
            )
        except Exception as error:  # noqa: BLE001  # of many families; told as ours below
            fault = f"is not XES: {str(error) or type(error).__name__}"
    if fault:
        raise _refused(path.name, fault)
    return frame


def refuse_entities(path: Path) -> None:
    """Refuse a document type, without which no XML entity can be declared, before parsing.

    A document type stands before the first element, so that only what comes before it is read,
    by a parser that stops at both.

    Raises
    ------
    ReadError
        Where there is a document type, or no XML.
    """
    parser = expat.ParserCreate()
    found: list[str] = []
    parser.StartDoctypeDeclHandler = lambda *_: found.append("document type")
    parser.StartElementHandler = lambda *_: found.append("element")
    try:
        with _opened(path) as stream:
            while not found and (piece := stream.read(LOOK)):
                parser.Parse(piece)
    except (expat.ExpatError, OSError, EOFError) as error:
        if not found:
            raise _refused(path.name, f"is not XML: {error}") from error
    if not found:
        raise _refused(path.name, "is not XML: it has no element")
    if found[0] == "document type":
        message = "declares a document type (DTD), with which entities can be nested: refused"
        raise _refused(path.name, message)
