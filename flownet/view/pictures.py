"""`save_picture`: a plot as a PNG, SVG or PDF file, where a Chrome is found."""

from __future__ import annotations

import os
from pathlib import Path

import plotly.graph_objects as go

from flownet.errors import Fault, MissingExtraError, ParameterError
from flownet.readers.extras import library
from flownet.readers.text import write_bytes

KINDS = ("png", "svg", "pdf", "webp", "jpeg")


def save_picture(
    figure: go.Figure,
    path: str | os.PathLike[str],
    *,
    width: int = 1200,
    height: int | None = None,
    scale: float = 2.0,
) -> Path:
    """Write a plot as a picture, and return where it is.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        As a function of `flownet.view` returns it.
    path : path
        Ends in .png, .svg, .pdf, .webp or .jpeg; written whole or not at all.
    width, height : int
        Pixels, from 10 to 20,000; the figure's own height where none is given. A map keeps the
        width that it was made for.
    scale : float
        Pixels of the file per pixel of the plot, above 0, at most 20; SVG and PDF have no need.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ParameterError
        Where the ending, a size or the scale is out of its range.
    MissingExtraError
        Where kaleido is not installed, or finds no Chrome or Chromium.
    """
    target = Path(path)
    tall = height or figure.layout.height or 500
    wide = figure.layout.width or width
    faults = [
        Fault("save_picture", name, repr(value), message)
        for name, value, right, message in (
            ("path", target.suffix, target.suffix[1:].lower() in KINDS,
             f"must end in one of .{', .'.join(KINDS)}"),
            ("width", wide, 10 <= wide <= 20_000, "must lie from 10 to 20,000 pixels"),
            ("height", tall, 10 <= tall <= 20_000, "must lie from 10 to 20,000 pixels"),
            ("scale", scale, 0 < scale <= 20, "must lie above 0, at most at 20"),
        )
        if not right
    ]  # fmt: skip
    if faults:
        raise ParameterError(faults)
    library("kaleido", "images", "A picture of a plot")
    kind = target.suffix[1:].lower()
    try:
        data = figure.to_image(format=kind, width=wide, height=tall, scale=scale)
    except (RuntimeError, OSError, ValueError) as error:
        if "chrome" in f"{type(error).__name__} {error}".lower():
            message = (
                "A picture of a plot needs a Chrome or Chromium, and none was found: install one, "
                "or let BROWSER_PATH say where it is. figure.write_html needs none"
            )
            raise MissingExtraError(message) from error
        raise
    write_bytes(target, data)
    return target
