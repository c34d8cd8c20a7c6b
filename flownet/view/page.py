"""The templates of the page: found in the package, every text escaped, every script by its hash."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from flownet.view.map import Map


class Chart(NamedTuple):
    """A plot on the page: its finding and note as text, and what plotly draws."""

    name: str
    title: str
    note: str
    height: int
    numbers: Markup


def rendered(template: str, **values: Any) -> Markup:
    """Return a template with its values; what is text stays text."""
    text = _environment().get_template(template).render(**values)
    return Markup(text)  # noqa: S704  # plotly's own, as said above  # escaped


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(stored),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def stored(name: str) -> str:
    """Return a text file of this room."""
    return (resources.files("flownet.view") / name).read_text(encoding="utf-8")


def map_picture(drawn: Map, title: str) -> Markup:
    """Return a map as SVG, for the page and the panel."""
    return rendered("map.svg.j2", map=drawn, title=title)


def chart(name: str, figure: go.Figure) -> Chart:
    """Return a plot for the page: its title becomes text of the page, outside the picture."""
    said = figure.layout.meta
    drawn = go.Figure(figure)
    top = 34
    height = int(figure.layout.height - figure.layout.margin.t + top)
    drawn.update_layout(title=None, margin={"t": top}, height=height, dragmode=False)
    # plotly's own JSON writes <, > and / of texts as escapes: no text ends the script element
    numbers = Markup(drawn.to_json())  # noqa: S704  # plotly's own, as said above
    return Chart(name, str(said["title"]), str(said["note"]), height, numbers)


def scripts() -> dict[str, Any]:
    """Return plotly and the script that draws, and the policy that lets only these two run."""
    parts = [get_plotlyjs().replace("</script", "<\\/script"), stored("report.js")]
    hashes = " ".join(f"'sha256-{_hash(part)}'" for part in parts)
    return {"parts": [Markup(part) for part in parts], "policy": hashes}  # noqa: S704  # plotly's own, as said above  # our own


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
