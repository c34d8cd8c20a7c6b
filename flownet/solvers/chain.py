"""The exact Markov chain as a method of the register: its measures, its reasons, its fits."""

from __future__ import annotations

from typing import Any

from flownet.kernels.adjoint import Gradient, Weights
from flownet.kernels.adjoint_chain import chain_gradient
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.exact import solve_exact
from flownet.kernels.exact_laws import reasons_against
from flownet.kernels.exact_reach import active_pairs
from flownet.network.compile import Compilation
from flownet.solvers.calendars import calendar_reasons


def solve_chain(compiled: CompiledNetwork, **options: Any) -> Measures:
    """Return the steady state of the chain of a network."""
    return solve_exact(compiled, **options).measures


def chain_slopes(
    compiled: CompiledNetwork, measures: Measures, weights: Weights, **options: Any
) -> Gradient | None:
    """Return the gradient of a weighting of the chain's measures; see `chain_gradient`."""
    return None if measures.growth_rate.any() else chain_gradient(compiled, weights, **options)


def chain_reasons(compilation: Compilation, *, fit: bool = False, **options: Any) -> list[str]:
    """Return why no chain holds the network, naming services and classes."""
    del options
    return calendar_reasons(compilation) + list(
        reasons_against(
            compilation.arrays,
            active_pairs(compilation.arrays),
            fit=fit,
            services=[str(name) for name in compilation.services],
            classes=compilation.classes,
        )
    )


def chain_strains(compilation: Compilation, *, fit: bool = False, **options: Any) -> list[str]:
    """Return which times are replaced by phases with the same mean and scv."""
    del options
    if not fit:
        return []
    return [
        f"{reason}; replaced by phases with the same mean and scv"
        for reason in chain_reasons(compilation)
    ]
