"""The templates of the page: found in the package, every text escaped."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from flownet.view.map import Map


def rendered(template: str, **values: Any) -> Markup:
    """Return a template with its values; what is text stays text."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(stored),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Markup(environment.get_template(template).render(**values))  # noqa: S704  # escaped


def stored(name: str) -> str:
    """Return a text file of this room."""
    return (resources.files("flownet.view") / name).read_text(encoding="utf-8")


def map_picture(drawn: Map, title: str) -> Markup:
    """Return a map as SVG, for the page and the panel."""
    return rendered("map.svg.j2", map=drawn, title=title)
