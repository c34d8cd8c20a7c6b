"""The rows of a sweep: what is sent to a worker, and what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from flownet.errors import FlownetError
from flownet.kernels.compiled import Floats
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve_compilation
from flownet.study.measures import Measure, Reading
from flownet.study.variation import Variation

FAILURES: Final = (FlownetError, ArithmeticError, ValueError)
"""What a scenario may fail with and become a row with its error."""


class Job(NamedTuple):
    """What all rows share; it travels once to each worker."""

    variation: Variation
    measures: tuple[Measure, ...]
    method: str
    options: Mapping[str, Any]


class Chunk(NamedTuple):
    """Rows that one task computes, in order; the same for every executor."""

    number: int
    first: int
    values: Floats
    """(rows, parameters)."""


class Rows(NamedTuple):
    """What became of the rows of a chunk."""

    number: int
    first: int
    numbers: Floats
    """(rows, measures); nan where a row has none."""
    methods: list[str]
    errors: list[str]


def solve_rows(job: Job, chunk: Chunk) -> Rows:
    """Return the measures of each row of a chunk; a row that fails has its error."""
    numbers = np.full((len(chunk.values), len(job.measures)), np.nan)
    methods, errors = [], []
    for k, values in enumerate(chunk.values):
        name = f"row {chunk.first + k}"
        try:
            solution = solve_values(job, values, name)
        except FAILURES as error:
            methods.append("")
            errors.append(str(error) or type(error).__name__)
            continue
        methods.append(solution.method)
        if solution.converged:
            numbers[k], error_text = read_all(solution, job.measures)
            errors.append(error_text)
        else:
            errors.append(solution.warnings[0])
    return Rows(chunk.number, chunk.first, numbers, methods, errors)


def solve_values(job: Job, values: Floats, name: str) -> Solution:
    """Return the solution with these values of the parameters.

    Raises
    ------
    ParameterError, NetworkError
        Where the values do not fit the network.
    MethodError
        Where the method does not apply.
    """
    compilation = job.variation.compilation(values.tolist(), name)
    network = job.variation.network
    return solve_compilation(network, compilation, job.method, **job.options)


def read_all(solution: Solution, measures: tuple[Measure, ...]) -> tuple[Floats, str]:
    """Return the measures of a solution, and why some have none."""
    reading, numbers, error = Reading(solution), np.full(len(measures), np.nan), ""
    for position, measure in enumerate(measures):
        try:
            numbers[position] = reading.value(measure)
        except FAILURES as failure:
            error = error or f"{measure.text}: {failure}"
    return numbers, error
