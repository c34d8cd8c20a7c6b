"""Traffic equations beside scipy's solvers on the same matrix: three topologies, two exits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.linalg import bicgstab, gmres, spsolve

from benchmarks.registry import Spec, Task
from flownet.kernels.compiled import Floats, Indices
from flownet.kernels.traffic import solve_flows
from flownet.kernels.traffic_solvers import push_out

DEGREE = 5
RESIDUAL = 1e-10
LAYERS = 100
EASY = 0.1  # share that leaves after each service
REACH = 20  # a local service sends to others at most this far along the list

Routes = tuple[Indices, Indices, Floats, Floats]


def layered(size: int, leaving: float, rng: np.random.Generator) -> Routes:
    """Return services in layers, each sending to five of the next; without a cycle."""
    width = max(1, size // LAYERS)
    source = np.repeat(np.arange(size), DEGREE)
    target = (source // width + 1) * width + rng.integers(0, width, source.size)
    return _routes(size, source, target, leaving, rng)


def scattered(size: int, leaving: float, rng: np.random.Generator) -> Routes:
    """Return services that send to five others anywhere."""
    source = np.repeat(np.arange(size), DEGREE)
    return _routes(size, source, rng.integers(0, size, source.size), leaving, rng)


def local(size: int, leaving: float, rng: np.random.Generator) -> Routes:
    """Return services that send to five neighbors, before and behind."""
    source = np.repeat(np.arange(size), DEGREE)
    target = (source + rng.integers(-REACH, REACH + 1, source.size)) % size
    return _routes(size, source, target, leaving, rng)


def meshed(size: int, leaving: float, rng: np.random.Generator) -> Routes:
    """Return services on a square, each sending to five of those within two steps."""
    side = max(2, int(np.sqrt(size)))
    size = side * side
    source = np.repeat(np.arange(size), DEGREE)
    row = (source // side + rng.integers(-2, 3, source.size)) % side
    column = (source % side + rng.integers(-2, 3, source.size)) % side
    return _routes(size, source, row * side + column, leaving, rng)


def _routes(
    size: int,
    source: np.ndarray,
    target: np.ndarray,
    leaving: float,
    rng: np.random.Generator,
) -> Routes:
    """Return random probabilities on the routes, in compressed rows, and external arrivals."""
    inside = target < size
    weight = rng.random(source.size) * inside
    matrix = csr_array((weight, (source, np.where(inside, target, 0))), shape=(size, size))
    matrix.eliminate_zeros()
    total = np.asarray(matrix.sum(axis=1)).reshape(-1)
    count = np.diff(matrix.indptr)
    share = matrix.data * np.repeat((1.0 - leaving) / np.where(total > 0, total, 1.0), count)
    return (
        matrix.indptr.astype(np.uint32),
        matrix.indices.astype(np.uint32),
        share,
        rng.random(size),
    )


def ours(topology: Callable[..., Routes], leaving: float, size: int) -> Task:
    """Prepare our solver."""
    routes = topology(size, leaving, np.random.default_rng(size))

    def task() -> None:
        solve_flows(*routes)

    return task


def matrix_of(routes: Routes) -> csc_array:
    """Return I - P' as scipy's solvers take it."""
    start, to, weight, external = routes
    size = external.size
    chances = csr_array((weight, to.astype(np.int32), start.astype(np.int32)), shape=(size, size))
    return csc_array(eye_array(size) - chances.T)


def theirs(
    solver: Callable[[csc_array, Floats], Floats],
    topology: Callable[..., Routes],
    leaving: float,
    size: int,
) -> Task:
    """Prepare one of scipy's solvers; the matrix is built beforehand."""
    routes = topology(size, leaving, np.random.default_rng(size))
    matrix = matrix_of(routes)

    def task() -> None:
        solver(matrix, routes[3])

    return task


def iterate(method: Callable[..., tuple[Floats, int]], matrix: csc_array, right: Floats) -> Floats:
    """Run an iterative method of scipy to the residual that ours meets."""
    options = {"restart": 50} if method is gmres else {}
    solution, _ = method(matrix, right, rtol=RESIDUAL, maxiter=2000, **options)
    return solution


def one_pass(size: int) -> Task:
    """Prepare one pass over the routes of the same network: what an acyclic one is held against."""
    start, to, weight, external = layered(size, EASY, np.random.default_rng(size))
    every, apart = np.arange(size), np.arange(size)

    def task() -> None:
        push_out(start, to, weight, apart, every, external.copy())

    return task


SOLVERS = {
    "scipy spsolve": spsolve,
    "scipy bicgstab": partial(iterate, bicgstab),
    "scipy gmres": partial(iterate, gmres),
}
TOPOLOGIES = {"layered": layered, "scattered": scattered, "local": local, "meshed": meshed}
EXITS = {"exit 10 %": EASY, "exit 0.2 %": 0.002}
DIRECT_SIZES, ITERATIVE_SIZES = (1_000,), (1_000, 10_000, 100_000)

SPECS = [
    Spec(
        f"traffic, {shape}, {leave}",
        "solve",
        partial(ours, TOPOLOGIES[shape], EXITS[leave]),
        partial(theirs, SOLVERS[solver], TOPOLOGIES[shape], EXITS[leave]),
        peer_name=solver,
        sizes=DIRECT_SIZES if solver == "scipy spsolve" else ITERATIVE_SIZES,
    )
    for shape, leave, solver in product(TOPOLOGIES, EXITS, SOLVERS)
]
SPECS.append(
    Spec(
        "traffic, layered, in passes",
        "solve",
        partial(ours, layered, EASY),
        one_pass,
        peer_name="one pass over the routes",
        sizes=(10_000, 100_000, 1_000_000),
    )
)
