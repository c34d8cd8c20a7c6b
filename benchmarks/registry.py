"""What a benchmark is, and where the benchmarks are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import benchmarks

Task = Callable[[], float | None]
"""What is timed. It may return the amount of work it did (visits, states), for a rate."""

Prepare = Callable[[int], Task]
"""Takes a size, builds the input without being timed, and returns the task; or raises NoAnswer."""


class NoAnswer(Exception):  # noqa: N818  # a finding, said below the table, not a fault
    """Something does not do at this size what is to be timed; the message says what."""


@dataclass(frozen=True)
class Spec:
    """One thing to time, at several sizes, beside a peer where there is one.

    Parameters
    ----------
    name : str
        What is solved, for instance ``traffic equations``.
    phase : str
        Which step of it: ``compile``, ``solve``, ``find``, ``reallocate`` …
    run : callable
        Takes a size, prepares, and returns the task that is timed. Where the task returns a
        number, that is the amount of work it did, and speeds are compared instead of times.
    peer : callable, optional
        The same for the program to compare with.
    peer_name : str
        What the peer is called in the table.
    sizes : tuple of int
        From small to large; the smoke run takes the first only.
    size_name : str
        What the sizes count; specs of one name share a panel of the picture.
    smoke : bool
        Whether the smoke run takes it: not where its smallest size is long, and another spec runs
        the same code on less.
    """

    name: str
    phase: str
    run: Prepare
    peer: Prepare | None = None
    peer_name: str = ""
    sizes: tuple[int, ...] = (1,)
    size_name: str = "size"
    smoke: bool = True


@dataclass(frozen=True)
class Measurement:
    """One spec at one size. `ratio` is how many times as fast as the peer; None without a peer."""

    name: str
    phase: str
    size: int
    first_seconds: float
    seconds: float
    rate: float | None
    peer: str
    peer_seconds: float | None
    ratio: float | None
    size_name: str = "size"


APART = ("__main__", "memory", "simulation_cimba")
"""Modules that are not looked into: the second is a command, the last needs its own package."""


def _gathered(name: str) -> Iterator[Any]:
    """Yield what stands in the lists of this name in all modules beside this one."""
    for module in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda found: found.name):
        if module.name not in APART:
            yield from getattr(importlib.import_module(f"benchmarks.{module.name}"), name, ())


def specs() -> Iterator[Spec]:
    """Yield the specs of all modules beside this one that have a list `SPECS`."""
    yield from _gathered("SPECS")


def remarks() -> Iterator[str]:
    """Yield what modules found out while they prepared, in lists `REMARKS`, of those that have."""
    yield from _gathered("REMARKS")


def skipped() -> Iterator[str]:
    """Yield what is not measured, and why, of all modules that have a list `SKIPPED`."""
    yield from _gathered("SKIPPED")
