"""`Ledger`: tests of change in one SQLite file, to which records are only ever added."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flownet.display import html_of_text
from flownet.errors import Fault, ParameterError, ReadError, StoreError, UnknownNameError
from flownet.study.test_of_change import TestOfChange

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ledger"]

PATIENCE: Final = 60.0
"""Seconds for which a writer waits for another."""
COLUMNS: Final = ("number", "made", "title", "measure", "standing", "follows")
SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS records (
        number INTEGER PRIMARY KEY,
        made TEXT NOT NULL,
        title TEXT NOT NULL,
        measure TEXT NOT NULL,
        standing TEXT NOT NULL,
        follows INTEGER REFERENCES records (number),
        document TEXT NOT NULL,
        previous TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE
    )""",
    """CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'records of a ledger are never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS never_removed BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'records of a ledger are never removed'); END""",
)


class Ledger:
    """Tests of change, in the order in which they were recorded.

    Each record carries a digest of itself and of the record before, so that a record that was
    changed from outside is found by `verify`. Several programs may write at the same time; each
    waits for its turn, and one that dies leaves the file as it was.

    Parameters
    ----------
    path : str or Path
        The file; made where it is not there.

    Raises
    ------
    ReadError
        Where the file is no ledger.
    StoreError
        Where it cannot be made.

    Examples
    --------
    >>> import tempfile, flownet as fn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = fn.Ledger(f"{folder}/tests.sqlite")
    ...     number = ledger.append(fn.TestOfChange([3, 4, 3], "a bed", (1, 2), [2, 1]))
    ...     print(number, len(ledger), ledger[1].standing)
    1 1 too early
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._open() as connection:
            there = connection.execute("SELECT name FROM sqlite_master WHERE name = 'records'")
            if there.fetchone() is not None:
                return
        with self._open(write=True) as connection:
            for statement in SCHEMA:
                connection.execute(statement)

    @contextlib.contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Give a connection within one transaction, and close it."""
        connection = None
        try:
            connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StoreError(f"ledger {self.path}: {error}; nothing was recorded") from error
        except sqlite3.DatabaseError as error:
            message = f"is no ledger that can be read ({error})"
            raise ReadError([Fault("ledger", "path", str(self.path), message)]) from error
        finally:
            if connection is not None:
                connection.close()  # what was not committed is rolled back

    def append(self, test: TestOfChange) -> int:
        """Record a test of change, and return its number.

        Raises
        ------
        ParameterError
            Where it is no TestOfChange, or follows a record that is not there.
        StoreError
            Where it cannot be written; nothing is recorded then.
        """
        if not isinstance(test, TestOfChange):
            message = f"must be a TestOfChange, not {type(test).__name__}"
            raise ParameterError([Fault("ledger", "record", "", message)])
        document = json.dumps(test.to_dict(), ensure_ascii=False, allow_nan=False)
        made = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        with self._open(write=True) as connection:
            last = connection.execute(
                "SELECT number, digest FROM records ORDER BY number DESC LIMIT 1"
            ).fetchone()
            number, previous = (last[0] + 1, last[1]) if last else (1, "")
            if test.follows is not None and not 1 <= test.follows < number:
                message = f"is no record; there are {number - 1}"
                raise ParameterError([Fault("ledger", "follows", str(test.follows), message)])
            digest = _digest(number, made, document, previous)
            row = (
                number, made, test.title or _title(test), test.prediction.measure, test.standing,
                test.follows, document, previous, digest,
            )  # fmt: skip
            connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return int(number)

    def __len__(self) -> int:
        """Return how many records there are."""
        with self._open() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM records").fetchone()[0])

    def __getitem__(self, number: int) -> TestOfChange:
        """Return a record by its number, the first is 1.

        Raises
        ------
        UnknownNameError
            Where there is none.
        """
        with self._open() as connection:
            found = connection.execute(
                "SELECT document FROM records WHERE number = ?", (number,)
            ).fetchone()
        if found is None:
            message = f"is no record; there are {len(self)}"
            raise UnknownNameError([Fault("ledger", "number", str(number), message)])
        return TestOfChange.from_dict(json.loads(found[0]))

    def __iter__(self) -> Iterator[TestOfChange]:
        """Yield the records, the oldest first."""
        return (self[number] for number in range(1, len(self) + 1))

    def page(self, number: int = 1, size: int = 20) -> pd.DataFrame:
        """Return a page of headlines, the newest first.

        Parameters
        ----------
        number : int
            The page, from 1.
        size : int
            Records on a page.

        Returns
        -------
        pandas.DataFrame
            By record number: when it was made, title, measure, standing, what it follows; with
            the number of pages in ``.attrs``.

        Raises
        ------
        ParameterError
            Where there is no such page.
        """
        import pandas as pd

        pages = max(-(-len(self) // size), 1) if size >= 1 else 0
        if not 1 <= number <= pages:
            message = f"must be from 1 to {pages}, and the size at least 1"
            raise ParameterError([Fault("ledger", "page", str(number), message)])
        with self._open() as connection:
            rows = connection.execute(
                "SELECT number, made, title, measure, standing, follows FROM records "
                "ORDER BY number DESC LIMIT ? OFFSET ?",
                (size, (number - 1) * size),
            ).fetchall()
        frame = pd.DataFrame(rows, columns=COLUMNS).set_index("number")
        frame.attrs["pages"] = pages
        return frame

    def verify(self) -> int:
        """Return how many records there are, after checking that none was changed or lost.

        Raises
        ------
        ReadError
            Where the file is damaged, a record is missing, or one is not what was recorded.
        """
        with self._open() as connection:
            whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
            rows = connection.execute(
                "SELECT number, made, document, previous, digest FROM records ORDER BY number"
            ).fetchall()
        faults = [] if whole == "ok" else [Fault("ledger", "path", str(self.path), whole)]
        before = ""
        for place, (number, made, document, previous, digest) in enumerate(rows, 1):
            if number != place or previous != before:
                faults.append(Fault(f"record {number}", "", "", "does not follow the one before"))
            if digest != _digest(number, made, document, previous):
                faults.append(Fault(f"record {number}", "", "", "is not what was recorded"))
            before = digest
        if faults:
            raise ReadError(faults, str(self.path))
        return len(rows)

    def __repr__(self) -> str:
        """Return three lines: how many, the newest, where."""
        count = len(self)
        lines = [f"Ledger: {count} tests of change"]
        if count:
            newest = self.page(1, 1).iloc[0]
            lines.append(f"  newest: {newest['title']} ({newest['standing']})")
        return "\n".join([*lines, f"  {self.path}"])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self)) + str(self.page().to_html())


def _digest(number: int, made: str, document: str, previous: str) -> str:
    text = json.dumps([number, made, document, previous], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _title(test: TestOfChange) -> str:
    change: Any = test.change
    return str(change if isinstance(change, str) else change.name)
