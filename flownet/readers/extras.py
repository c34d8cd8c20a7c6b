"""Packages that only some readers need: found where they are installed, asked for where not."""

from __future__ import annotations

import importlib
from typing import Any

from flownet.errors import MissingExtraError


def library(name: str, extra: str, what: str) -> Any:
    """Return an optional package.

    Parameters
    ----------
    name : str
        As it is imported.
    extra : str
        The extra of this package that brings it.
    what : str
        What needs it, as the beginning of a sentence.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {name}: pip install 'flownet-queueing[{extra}]'"
        ) from error
