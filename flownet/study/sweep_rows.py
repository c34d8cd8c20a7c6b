"""The rows of a sweep: what is sent to a worker, and what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from flownet.errors import FlownetError
from flownet.kernels.compiled import Floats, Integers, Measures
from flownet.solvers.measures import Measure, Reading
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve_compilation
from flownet.study.neighbours import inside_out, nearest_of, scaled
from flownet.study.variation import Variation

FAILURES: Final = (Exception,)
"""What a scenario may fail with and become a row with its error: one of many must not end a run."""


class Job(NamedTuple):
    """What all rows share; it travels once to each worker."""

    variation: Variation
    measures: tuple[Measure, ...]
    method: str
    options: Mapping[str, Any]
    sharp: float | None = None
    """The residual at which a method that iterates stops."""
    baseline: Measures | None = None
    """From which it starts."""


class Chunk(NamedTuple):
    """Rows that one task computes, in order; the same for every executor."""

    number: int
    rows: Integers
    """Their places in the design."""
    values: Floats
    """(rows, parameters)."""


class Rows(NamedTuple):
    """What became of the rows of a chunk."""

    numbers: Floats
    """(rows, measures); nan where a row has none."""
    methods: list[str]
    errors: list[str]


def solve_rows(job: Job, chunk: Chunk) -> Rows:
    """Return the measures of each row of a chunk; a row that fails has its error.

    They are solved from the middle of the chunk outwards. Each starts from the solution
    of the nearest row before it, the first from the baseline's.
    """
    places, solved = scaled(chunk.values), dict[int, Measures]()
    count = len(chunk.values)
    numbers = np.full((count, len(job.measures)), np.nan)
    methods, errors = [""] * count, [""] * count
    for k in inside_out(places):
        like = solved[nearest_of(places, k, list(solved))] if solved else job.baseline
        try:
            name = f"row {chunk.rows[k]}"
            solution = solve_values(job, chunk.values[k], name, like, explained=False)
        except FAILURES as error:
            errors[k] = said(error)
            continue
        methods[k] = solution.method
        if solution.converged:
            solved[k] = solution.measures
            numbers[k], errors[k] = read_all(solution, job.measures)
        else:
            errors[k] = solution.warnings[0]
    return Rows(numbers, methods, errors)


def solve_values(
    job: Job, values: Floats, name: str, like: Measures | None = None, *, explained: bool = True
) -> Solution:
    """Return the solution with these values of the parameters, from that of a like network.

    `explained` is whether it says why it was solved as it was.

    Raises
    ------
    ParameterError, NetworkError
        Where the values do not fit the network.
    MethodError
        Where the method does not apply.
    """
    compilation = job.variation.compilation(values.tolist(), name)
    network = job.variation.network
    how: dict[str, Any] = {"like": like, "sharp": job.sharp, "explained": explained}
    return solve_compilation(network, compilation, job.method, **how, **job.options)


def read_all(solution: Solution, measures: tuple[Measure, ...]) -> tuple[Floats, str]:
    """Return the measures of a solution, and why some have none."""
    reading, numbers, error = Reading(solution), np.full(len(measures), np.nan), ""
    for position, measure in enumerate(measures):
        try:
            numbers[position] = reading.value(measure)
        except FAILURES as failure:
            error = error or f"{measure.text}: {said(failure)}"
    return numbers, error


def said(error: Exception) -> str:
    """Return an error as a row tells it; one that is not of our own family with its kind.

    Examples
    --------
    >>> said(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    if isinstance(error, FlownetError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
