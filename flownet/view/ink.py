"""What all plots share: colours that the colour-blind can tell, titles that fit, escaped names."""

from __future__ import annotations

import html
import textwrap
from typing import Any

import plotly.graph_objects as go

BLUE, VERMILION, ORANGE, GREEN, SKY, PURPLE = (
    "#0072B2", "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#CC79A7",
)  # fmt: skip
"""Okabe and Ito (2008), Color Universal Design."""
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, SOFT, PALE, LINE = "#10233d", "#51647d", "#a9b4c2", "#d5dde7"
FONT = 'system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif'
TITLE_WIDTH = 88
"""Characters in a line of a title: what a figure of 800 pixels holds."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


LEGEND = {"orientation": "h", "yref": "container", "y": 0.0, "yanchor": "bottom", "x": 0.0,
          "xanchor": "left"}  # fmt: skip
"""A legend at the foot of the figure."""
FOOT = 92
"""Pixels below a plot that has such a legend."""


def shown(name: object, most: int = 30) -> str:
    """Return a name as plotly shows it, and nothing else: cut, on one line, without markup.

    Examples
    --------
    >>> shown("<b>Ward</b>"), shown("x" * 40, 10)
    ('&lt;b&gt;Ward&lt;/b&gt;', 'xxxxxxxxx…')
    """
    return escaped(cut(name, most))


def cut(name: object, most: int) -> str:
    """Return a name on one line, with at most so many characters."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def escaped(text: str) -> str:
    """Return a text that plotly takes literally: it reads some HTML, and mathematics in dollars."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def wrapped(text: str, width: int = TITLE_WIDTH, lines: int = 4) -> str:
    """Return a sentence in lines, escaped; what is beyond `lines` is cut."""
    parts = textwrap.wrap(text, width, max_lines=lines, placeholder=" …", break_long_words=True)
    return "<br>".join(escaped(part) for part in parts)


def with_unit(quantity: str, unit: str) -> str:
    """Return the title of an axis.

    Examples
    --------
    >>> with_unit("delay", "job"), with_unit("occupancy", "-")
    ('delay [job]', 'occupancy')
    """
    return escaped(f"{quantity} [{unit}]" if unit not in {"", "-"} else quantity)


def plural(unit: str) -> str:
    """Return a unit as it stands after a number in a sentence.

    Examples
    --------
    >>> plural("job"), plural("job/day"), plural("-"), plural("GBP/hour")
    ('jobs', 'jobs per day', '', 'GBP per hour')
    """
    top, _, bottom = unit.partition("/")
    many = {"job": "jobs", "server": "servers"}.get(top, top if bottom or not top else f"{top}s")
    return {"-": "", "-s": ""}.get(many, many) + (f" per {bottom}" if bottom else "")


def figure_of(traces: Any, title: str, height: int, note: str = "", **layout: Any) -> go.Figure:
    """Return a figure in the one style: a title that says the finding, a note below it.

    Parameters
    ----------
    traces : list of traces
    title, note : str
        Plain sentences; the note stands smaller under the title.
    height : int
        Pixels of the plot itself; what title and axes take is added.
    **layout
        What else the layout needs.
    """
    broad = max(layout.get("width", 800) / 800, 0.4)
    heading = wrapped(title, int(TITLE_WIDTH * broad))
    top = 40 + 21 * heading.count("<br>")
    if note:
        small = wrapped(note, int(1.3 * TITLE_WIDTH * broad))
        heading += f'<br><span style="font-size: 12px; color: {SOFT}">{small}</span>'
        top += 18 + 18 * small.count("<br>")
    foot = FOOT if layout.get("legend") is LEGEND else 60
    margin = {"l": 70, "r": 30, "t": top + 10, "b": foot} | layout.pop("margin", {})
    whole = height + margin["t"] + margin["b"]
    figure = go.Figure(traces)
    figure.update_layout(
        template="plotly_white",
        height=whole,
        margin=margin,
        font={"family": FONT, "size": 13, "color": INK},
        title={"text": heading, "x": 0, "xref": "container", "xanchor": "left",
               "y": 1 - (14 + 5 * heading.count("<br>")) / whole, "yref": "container",
               "yanchor": "top", "pad": {"l": 16},
               "font": {"size": 16}},
        colorway=list(SERIES),
        meta={"title": title, "note": note},
        hoverlabel={"align": "left", "font": {"family": FONT}},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, gridcolor=LINE, zerolinecolor=PALE, title_standoff=12)
    figure.update_yaxes(automargin=True, gridcolor=LINE, zerolinecolor=PALE, title_standoff=12)
    figure.update_layout(**layout)
    return figure
