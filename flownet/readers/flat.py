r"""Tables flattened into attribute names, for formats that hold only single values.

``service_time = {frail = 3, other = 2}`` becomes ``service_time.frail`` and ``service_time.other``;
a dot inside a name is written ``\.``, a list as JSON, an empty table as ``{}``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from flownet.network.attributes import Attribute

_SPLIT = re.compile(r"(?<!\\)\.")


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `table` without nested tables, their keys joined by dots.

    Examples
    --------
    >>> flatten({"servers": 2, "service_time": {"frail": 3.0}})
    {'servers': 2, 'service_time.frail': 3.0}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = prefix + str(key).replace(".", r"\.")
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        elif isinstance(value, Mapping):
            flat[name] = "{}"
        elif isinstance(value, (list, tuple)):
            flat[name] = json.dumps(list(value))
        else:
            flat[name] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested table that `flatten` took apart.

    Examples
    --------
    >>> unflatten({"servers": 2, "service_time.frail": 3.0})
    {'servers': 2, 'service_time': {'frail': 3.0}}
    """
    table: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = [part.replace(r"\.", ".") for part in _SPLIT.split(str(key))]
        place = table
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):  # both 'x' and 'x.y' are given: keep the whole visible
                inner = place[part] = {"": inner}
            place = inner
        place[last] = {} if value == "{}" else value
    return table


def value_of(text: str, key: str, attributes: Mapping[str, Attribute]) -> Any:
    """Return the value that a cell's text stands for, by the kind of its attribute.

    What is not of that kind stays a text, so that the check names it as it was written.
    """
    attribute = attributes.get(str(_SPLIT.split(key)[0]))
    if attribute is None or attribute.kind == "text" or attribute.name == "origin":
        return text
    text = text.strip()
    if attribute.kind == "choice":
        return text
    if attribute.kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            return text
    return number_of(text)


def number_of(text: str) -> Any:
    """Return the number that `text` is, whole where it is; the text where it is none."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return text if math.isnan(number) else number
