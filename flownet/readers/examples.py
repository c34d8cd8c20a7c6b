"""The packaged systems: real published figures, each with its source in the file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from flownet.errors import Fault, UnknownNameError
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.readers.documents import read


def examples() -> tuple[str, ...]:
    """Return the names of the packaged systems."""
    return tuple(sorted(_files()))


def example_path(name: str) -> Path:
    """Return where the document of a packaged system stands.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    """
    files = _files()
    if name not in files:
        message = (
            f"is no packaged system; there are {', '.join(sorted(files))}{nearest(name, files)}"
        )
        raise UnknownNameError([Fault("example", "", repr(name), message)])
    return files[name]


def example(name: str) -> Network:
    """Return a packaged system as a network.

    Parameters
    ----------
    name : str
        One of `examples`.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    """
    return read(example_path(name))


def _files() -> dict[str, Path]:
    folder = Path(str(resources.files("flownet"))) / "systems"
    return {path.stem: path for path in folder.glob("*.toml")}
