"""The helper behind every result's text and HTML representation."""

from __future__ import annotations

import html


def html_of_text(text: str) -> str:
    """Return `text` as a preformatted block, escaped, for notebooks."""
    return f"<pre>{html.escape(text)}</pre>"


def figure(value: float, digits: int = 3) -> str:
    """Return a number as people read it: three significant digits, no exponent in the usual range.

    Examples
    --------
    >>> figure(1234.5678), figure(0.012345), figure(float("inf"))
    ('1,235', '0.0123', 'unlimited')
    """
    if value != value:  # noqa: PLR0124  # nan
        return "-"
    if value in {float("inf"), float("-inf")}:
        return "unlimited" if value > 0 else "-unlimited"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 1e-4:
        return f"{value:.{digits - 1}e}"
    if size >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"
