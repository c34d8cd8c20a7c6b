"""The quality of an event log: what became of each of its rows, by rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flownet.display import html_of_text
from flownet.kernels.compiled import Integers

if TYPE_CHECKING:
    import pandas as pd

RULES: Final[dict[str, str]] = {
    "timed": "used: a stay with a beginning and an end",
    "open": "used: a stay that had not ended when the log was drawn",
    "untimed": "used for the order of stays only: its beginning or its end is not told",
    "joined": "used: tells the beginning or the end of a stay that another row completes",
    "leaving": "used: tells that the job left",
    "missing case": "refused: names no case",
    "missing activity": "refused: names no activity",
    "unreadable time": "refused: a time that cannot be read as one",
    "no time": "refused: no time at all",
    "placeholder date": "refused: a date such as 1900-01-01 or 9999-12-31, which stands for none",
    "end before beginning": "refused: the stay would end before it began",
    "duplicate": "refused: says the same as another row",
    "other activity": "left out: its activity is not among the services asked for",
    "other transition": "left out: a lifecycle transition that neither begins nor ends a stay",
    "outside": "left out: lies wholly outside the time observed",
}
"""What may become of a row; each row of a log is counted under exactly one rule."""

CODE: Final[dict[str, int]] = {rule: number for number, rule in enumerate(RULES)}
UNDECIDED: Final = -1


@dataclasses.dataclass(frozen=True, eq=False)
class DataReport:
    """What an event log holds, and what could be used of it.

    Attributes
    ----------
    rows : pandas.DataFrame
        By rule: number of rows, their share, and what the rule means; they add up to all rows.
    logs : pandas.DataFrame
        By log: number of rows, and how many of them were used, refused and left out.
    columns : dict
        Which column was taken for what, and whether the caller said so or it was recognized.
    notes : tuple of str
        What was found or assumed, in plain words.
    """

    rows: pd.DataFrame
    logs: pd.DataFrame
    columns: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Number of rows read."""
        return int(self.rows["rows"].sum())

    @property
    def used(self) -> int:
        """Number of rows used."""
        return self._of("used")

    @property
    def refused(self) -> int:
        """Number of rows refused."""
        return self._of("refused")

    @property
    def left_out(self) -> int:
        """Number of rows that are sound but not asked for."""
        return self._of("left out")

    def _of(self, word: str) -> int:
        return int(self.rows.loc[self.rows["meaning"].str.startswith(word), "rows"].sum())

    def __str__(self) -> str:
        """Return the report as text, without the rules that met no row."""
        out = f", {self.left_out:,} left out" if self.left_out else ""
        lines = [f"{self.read:,} rows read, {self.used:,} used, {self.refused:,} refused{out}"]
        if len(self.logs) > 1:
            lines += [
                f"  log {name}: {row['rows']:,} rows, {row['used']:,} used, "
                f"{row['refused']:,} refused, {row['left_out']:,} left out"
                for name, row in self.logs.iterrows()
            ]
        lines += [f"  column {name}: {what}" for name, what in self.columns.items()]
        for rule, row in self.rows.iterrows():
            if row["rows"]:
                lines.append(f"  {row['rows']:,} {rule} ({row['meaning']})")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return html_of_text(str(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "rows": {str(rule): int(count) for rule, count in self.rows["rows"].items()},
            "logs": self.logs.reset_index().to_dict("records"),
            "columns": dict(self.columns),
            "notes": list(self.notes),
        }


def data_report(
    status: Integers, source: Integers, logs: Sequence[str], columns: dict[str, str],
    notes: Sequence[str],
) -> DataReport:  # fmt: skip
    """Return the report on rows whose rules are known, of logs by their names."""
    import pandas as pd

    counts = np.bincount(status, minlength=len(RULES))
    rows = pd.DataFrame(
        {
            "rows": counts,
            "share": counts / max(1, status.size),
            "meaning": list(RULES.values()),
        },
        index=pd.Index(list(RULES), name="rule"),
    )
    by_log = {"rows": np.bincount(source, minlength=len(logs))}
    for word in ("used", "refused", "left out"):
        codes = [CODE[rule] for rule, meaning in RULES.items() if meaning.startswith(word)]
        which = np.isin(status, codes)
        by_log[word.replace(" ", "_")] = np.bincount(source[which], minlength=len(logs))
    table = pd.DataFrame(by_log, index=pd.Index(logs, name="log"))
    return DataReport(rows, table, columns, tuple(notes))
