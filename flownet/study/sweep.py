"""`sweep`: many scenarios of one network, on any executor, kept as they come, and resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flownet.errors import Fault, FlownetError, ParameterError
from flownet.execute import Progress, shown, stream
from flownet.kernels.compiled import Floats, Integers, Measures
from flownet.network.model import Network
from flownet.solvers.measures import SYSTEM, Measure, as_measures
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.study.design import Design, as_design
from flownet.study.neighbours import neighbourhoods
from flownet.study.parameters import as_parameters
from flownet.study.ranking import GROWTH
from flownet.study.sweep_result import SweepResult
from flownet.study.sweep_rows import Chunk, Job, Rows, read_all, solve_rows
from flownet.study.sweep_store import Folder, Memory, manifest_of
from flownet.study.variation import Variation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sweep"]

SHARP: Final = 1e-6
CHUNK: Final = 64
"""Rows that one task computes. It is part of what is computed, and so of the manifest."""


def sweep(
    network: Network,
    design: Design | Mapping[str, Any] | pd.DataFrame,
    measures: Iterable[str] = (),
    *,
    samples: int | None = None,
    sampling: str = "sobol",
    seed: int = 0,
    method: str = "auto",
    executor: Any = None,
    path: str | Path | None = None,
    progress: Progress | bool | None = None,
    chunk: int = CHUNK,
    sharp: float = SHARP,
    **options: Any,
) -> SweepResult:
    """Return what becomes of many scenarios of one network.

    Parameters
    ----------
    network : Network
        The baseline. It travels once to each worker, compiled; of scenarios only numbers travel.
    design : Design, mapping or pandas.DataFrame
        Values by parameter: every combination is tried. With `samples`, lowest and highest value
        by parameter. Or a `Design`, or a DataFrame with one column a parameter. A parameter is
        named in plain words: ``servers at Ward``, ``service_time at Ward of frail``,
        ``routing_probability on Ward -> Home``, ``scale external_arrival_rate`` (a factor, at
        every service).
    measures : iterable of str, optional
        Columns, in plain words: ``delay``, ``occupancy at Ward``, ``within 4``, ``p95 of frail``,
        ``wait_probability at Ward``, ``goal delay``. Default the totals of the network, and the
        goals delay and cost where they can be judged.
    samples : int, optional
        How many rows to sample between the ends.
    sampling : {'sobol', 'latin_hypercube'}
        How they are sampled.
    seed : int
        Of the samples.
    method : str
        As for `solve`; ``auto`` chooses for each row.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Where rows are computed; default here, one after the other. The table is the same to the
        last bit.
    path : str or Path, optional
        A folder to which rows are written as they come (Parquet, with a manifest). Where it holds
        a part of the same sweep, only what is missing is computed.
    progress : callable or bool, optional
        Called with rows done and of how many; True shows a bar with the time left; default a bar
        where somebody can see it.
    chunk : int
        Rows that one task computes. They lie close to each other, and where the method iterates
        each starts from the solution of its neighbour.
    sharp : float
        The residual at which a method that iterates stops; ``solve`` has 1e-9.
    **options
        As for `solve`; ``mode="compressed"`` with ``method="blocking"`` is the fast one.

    Returns
    -------
    SweepResult
        One row a scenario, in the order of the design; a row that fails has its error. After a
        KeyboardInterrupt, what was done by then.

    Raises
    ------
    UnknownNameError
        Where a parameter or a measure names nothing in the network.
    ParameterError
        Where the design is at fault, or the folder holds another sweep.
    StoreError
        Where rows cannot be written; those before are kept.
    MissingExtraError
        Where pyarrow is missing for `path`.

    Examples
    --------
    >>> import flownet as fn
    >>> result = fn.sweep(
    ...     fn.example("urgent_care"),
    ...     {"servers at Home care": [43, 48], "scale external_arrival_rate": [0.95, 1.0]},
    ...     measures=["delay", "occupancy at Frailty ward"],
    ... )
    >>> result.table.shape
    (4, 7)
    >>> int(result.table["delay"].idxmin())
    2
    """
    if not isinstance(network, Network):
        message = f"must be a flownet Network, not {type(network).__name__}"
        raise ParameterError([Fault("sweep", "network", "", message)])
    if int(chunk) != chunk or chunk < 1:
        message = "must be a whole number of at least 1"
        raise ParameterError([Fault("sweep", "chunk", str(chunk), message)])
    if not 0.0 < sharp < 1.0:
        message = "must be a number between 0 and 1"
        raise ParameterError([Fault("sweep", "sharp", str(sharp), message)])
    if executor is not None and not callable(getattr(executor, "submit", None)):
        message = "must have submit(), as those of concurrent.futures and Dask's Client have"
        raise ParameterError([Fault("sweep", "executor", type(executor).__name__, message)])
    plan = as_design(design, samples, sampling, seed)
    parameters = as_parameters(plan.parameters, network)
    texts = (measures,) if isinstance(measures, str) else tuple(measures)
    asked, start = _asked(network, texts, method, options)
    variation = Variation(network, parameters)
    variation.baseline  # noqa: B018  # compiled once, here: it travels with it
    job = Job(variation, asked, method, options, sharp, start)
    chunks = [
        Chunk(number, rows, plan.points[rows])
        for number, rows in enumerate(neighbourhoods(plan.points, chunk))
    ]
    store: Memory | Folder = Memory()
    if path is not None:
        manifest = manifest_of(_described(job, plan, chunk), plan.points.tobytes())
        every = _table(plan.points, plan.parameters, np.arange(len(plan.points)))
        store = Folder(Path(path), manifest, every)
    _run(job, chunks, store, executor, progress=progress)
    return SweepResult(network, plan, parameters, asked, store.table(), method)


def _asked(
    network: Network, texts: tuple[str, ...], method: str, options: Mapping[str, Any]
) -> tuple[tuple[Measure, ...], Measures | None]:
    """Return the measures, tried on the baseline so that what never works fails at once; and its.

    The baseline's own solution is where the first rows start from.
    """
    names = (*dict.fromkeys(texts or SYSTEM), *(() if GROWTH in texts or not texts else (GROWTH,)))
    asked = as_measures(names, network)
    try:
        baseline = solve(network, method, **options)
    except FlownetError:
        return asked, None  # scenarios may still have a solution
    if not texts:
        asked += as_measures(_goals(baseline), network)
    if not baseline.converged:
        return asked, None
    _, error = read_all(baseline, asked)
    if error:
        raise ParameterError([Fault("sweep", "measures", "", error)])
    return asked, baseline.ready()


def _goals(baseline: Solution) -> list[str]:
    """Return the goals that can be judged whatever the scenario."""
    found = ["goal delay"] if not baseline.can_turn_away or _all_priced(baseline) else []
    return [*found, "goal cost"] if baseline.has_prices else found


def _all_priced(baseline: Solution) -> bool:
    return not bool(np.isnan(baseline.compilation.cost_of_loss).any())


def _described(job: Job, plan: Design, chunk: int) -> dict[str, Any]:
    """Return what is asked, as plain values."""
    return {
        "network": job.variation.network.to_dict(),
        "parameters": list(plan.parameters),
        "design": plan.kind,
        "axes": [list(axis) for axis in plan.axes],
        "seed": plan.seed,
        "rows": len(plan.points),
        "chunk": chunk,
        "measures": [measure.text for measure in job.measures],
        "method": job.method,
        "sharp": job.sharp,
        "options": {name: repr(value) for name, value in job.options.items()},
    }


def _run(
    job: Job,
    chunks: list[Chunk],
    store: Memory | Folder,
    executor: Any,
    *,
    progress: Progress | bool | None,
) -> None:
    """Compute the chunks that are missing, and keep each as it comes."""
    there = store.done
    missing = [chunk for chunk in chunks if chunk.number not in there]
    total = sum(len(chunk.rows) for chunk in chunks)
    done = total - sum(len(chunk.rows) for chunk in missing)
    heard = stream(solve_rows, job, missing, executor)
    try:
        with shown("scenarios", progress=progress) as told:
            told(done, total)
            for position, rows in heard:
                store.write(missing[position].number, _part(job, missing[position], rows))
                done += len(rows.errors)
                told(done, total)
    except KeyboardInterrupt:
        return  # the result says how far it came
    finally:
        heard.close()


def _part(job: Job, chunk: Chunk, rows: Rows) -> pd.DataFrame:
    """Return a chunk's rows as they are kept."""
    table = _table(chunk.values, [p.text for p in job.variation.parameters], chunk.rows)
    for position, measure in enumerate(job.measures):
        table[measure.text] = rows.numbers[:, position]
    table["method"], table["error"] = rows.methods, rows.errors
    return table


def _table(values: Floats, names: Sequence[str], rows: Integers) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(np.array(values), index=pd.Index(rows, name="row"), columns=list(names))
