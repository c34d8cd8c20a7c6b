"""The register of methods: what each is, when it applies, how exact it is, where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flownet.kernels import compiled as code
from flownet.kernels.adjoint import Gradient
from flownet.kernels.adjoint_blocking import blocking_gradient
from flownet.kernels.adjoint_open import open_gradient
from flownet.kernels.adjoint_product_form import product_form_gradient
from flownet.kernels.blocking_full import (
    COMPRESSED,
    FULL,
    MODES,
    full_reasons,
    ranks_mixed,
    ready_blocking,
    solve_blocking,
)
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.decomposition import (
    decomposition_assumptions,
    decomposition_reasons,
    solve_decomposition,
)
from flownet.kernels.exact_reach import ranked_doors
from flownet.kernels.product_form import product_form_reasons, solve_product_form
from flownet.kernels.turns import keeping_free
from flownet.network.compile import Compilation
from flownet.solvers.chain import chain_reasons, chain_slopes, chain_strains, solve_chain

REASONS: Final = {
    "arrivals_not_poisson": "arrivals from outside are not Poisson (arrival_scv is not 1)",
    "finite_capacity": "it has a finite capacity",
    "patience": "its jobs give up waiting",
    "priority": "it serves by priority",
    "preemptive": "jobs of a better rank interrupt others there; simulate, or the exact chain, "
    "follow that",
    "service_not_exponential": "service times are not exponential, which first come, first served "
    "needs here",
    "service_differs_by_class": "classes have different mean service times, which first come, "
    "first served forbids here",
    "held_transfer": "its servers are held during a transfer delay",
    "fractional_servers": "its number of servers or places is not whole",
    "trap": "jobs that come here never leave",
    "blocking": "jobs from other services can find it full and keep their server there (blocking "
    "after service)",
    "wait_outside": "jobs wait outside for a place",
    "overflow_loop": "what overflows from it can come back to it by overflow alone",
    "patience_at_ps": "nobody waits where servers are shared (ps), so that nobody can give up",
    "no_blocking": "no service can block another, and none keeps jobs waiting outside",
    "ps_in_room": "it shares its servers among all (ps) within a finite capacity",
    "priority_in_room": "it serves by priority in a network with blocking; method='exact' or "
    "flownet.simulate follows that",
    "ranks": "those who wait for a place there enter by rank (entry_priority), which of the modes "
    "only 'full' follows; method='exact' or flownet.simulate does too",
    "ranks_mixed": "those who come from one service, or wait outside or in transit, are not all of "
    "one rank (entry_priority); method='exact' or flownet.simulate follows that",
    "places_left_free": "some leave places free for others there (places_left_free); "
    "method='exact' or flownet.simulate follows that",
    "general_in_full": "service times are not exponential, which mode 'full' needs",
    "endless_in_full": "any number of its jobs can be blocked, which mode 'full' does not hold",
    "instant_in_full": "service takes no time, which mode 'full' does not hold",
}
"""What a kernel's reason code means, said of a service."""

STRAINS: Final = {
    "two_moments": "its wait is computed from mean and scv alone of arrivals and service",
    "exponential_in_room": "its jobs' patience or its shared places are limited: service and "
    "arrivals are taken as exponential",
    "phases_in_room": "its places or its jobs' patience are limited: loss and wait are those of "
    "laws of the same mean and scv (exact for loss without waiting room)",
    "unequal_means": "classes of different mean service times are served as one mixture",
    "ranks_in_room": "priorities share out its wait only approximately",
    "independent_streams": "the streams that come together there are taken as independent: where "
    "ways part and meet again, or lead back, their covariance is followed in networks of up to 300 "
    "pairs of service and class only",
    "several_patiences": "classes of different patience are taken to meet the same wait",
    "neighbours": "services are solved in neighbourhoods, with what the others do on average (in "
    "the compressed mode each on its own, where queues outside and queues several services "
    "upstream of a full one come out too short); docs/accuracy.md shows the error, a simulation "
    "the truth",
    "general_times": "service times that are not exponential enter by mean and scv only",
    "poisson_arrivals": "arrivals from outside are taken as Poisson, whatever their arrival_scv",
    "mixed_classes": "classes share one chain a service, and its results by their flows",
}
"""What a method simplifies, said of services."""


@dataclass(frozen=True)
class Method:
    """One way to solve a network.

    Attributes
    ----------
    name : str
        The name for ``solve(network, method=name)``.
    solve : callable
        From compiled arrays to measures; takes `options` by keyword.
    refusals : callable
        From a compilation (and `options` by keyword) to sentences that say why it does not apply;
        none where it does.
    exact : bool
        Whether its means are exact wherever it applies.
    reference : str
        Author, year and place.
    formulas : str
        What it computes, in words.
    strains : callable
        From a compilation (and `options` by keyword) to sentences that say what it simplifies.
    options : tuple of str
        What ``solve`` may be given for it by keyword.
    automatic : bool
        Whether ``auto`` may take it.
    gradient : callable, optional
        From compiled arrays, measures and weights (and `options` by keyword) to the gradient of
        the weighted sum by one adjoint solve, or None where it cannot tell.
    iterates : bool
        Whether `solve` takes a ``tolerance`` at which its fixed point is good enough, and a
        ``start``, the ``rest`` of measures of a like network.
    ready : callable, optional
        From compiled arrays and their measures to the same with more in ``rest``, from which many
        like networks are solved sooner; for a method that iterates.
    variants : tuple of str
        What ``mode`` may be, where the method has several; `Measures.variant` is a place in it.
    """

    name: str
    solve: Callable[..., Measures]
    refusals: Callable[..., list[str]]
    exact: bool
    reference: str
    formulas: str
    strains: Callable[..., list[str]]
    options: tuple[str, ...] = ()
    automatic: bool = True
    gradient: Callable[..., Gradient | None] | None = None
    iterates: bool = False
    ready: Callable[[CompiledNetwork, Measures], Measures] | None = None
    variants: tuple[str, ...] = ()

    def reasons(self, compilation: Compilation, **options: Any) -> list[str]:
        """Return why this method does not apply, naming the services; empty where it does."""
        return self.refusals(compilation, **options)

    def assumptions(self, compilation: Compilation, **options: Any) -> list[str]:
        """Return what this method simplifies in this network, naming the services."""
        return self.strains(compilation, **options)


def _in_words(
    find: Callable[[CompiledNetwork], list[tuple[str, int]]], texts: dict[str, str]
) -> Callable[[Compilation], list[str]]:
    """Return what turns the (code, service index or -1) pairs that `find` gives into sentences."""
    return lambda compilation: _sentences(find(compilation.arrays), texts, compilation)


def _sentences(
    found: list[tuple[str, int]], texts: dict[str, str], compilation: Compilation
) -> list[str]:
    """Return one sentence a code, with the services it is said of."""
    grouped: dict[str, list[str]] = {}
    for reason, service in found:
        grouped.setdefault(reason, [])
        if service >= 0:
            grouped[reason].append(f"'{compilation.services[service]}'")
    return [
        (f"service {_some(names)}: " if names else "") + texts[reason]
        for reason, names in grouped.items()
    ]


def _some(names: list[str]) -> str:
    """Return up to four names and how many more there are."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def blocking_reasons(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    """Return why the blocking decomposition does not apply."""
    reasons: list[tuple[str, int]] = []
    if not any(
        reason in {"blocking", "wait_outside"} for reason, _ in decomposition_reasons(compiled)
    ):
        reasons.append(("no_blocking", -1))
    finite, room = np.isfinite(compiled.servers), np.isfinite(compiled.capacity)
    fractional = finite & (np.where(finite, compiled.servers, 0.0) % 1 != 0)
    fractional |= room & (np.where(room, compiled.capacity, 0.0) % 1 != 0)
    sharing = (compiled.discipline == code.PROCESSOR_SHARING) & room
    ranked = (compiled.discipline == code.PRIORITY) | (compiled.discipline == code.PREEMPTIVE)
    found = {
        "fractional_servers": fractional,
        "ps_in_room": sharing,
        "priority_in_room": ranked,
        "places_left_free": keeping_free(compiled),
    }
    return reasons + [(why, int(i)) for why, where in found.items() for i in np.flatnonzero(where)]


def _blocking_strains(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    used = compiled.service_time > 0
    general = (used & (np.abs(compiled.service_scv - 1) > 1e-9)).any(axis=1)
    strains = [("neighbours", -1)]
    strains += [("general_times", int(i)) for i in np.flatnonzero(general)]
    bursty = (compiled.external_arrival_rate > 0) & (np.abs(compiled.arrival_scv - 1) > 1e-9)
    strains += [("poisson_arrivals", int(i)) for i in np.flatnonzero(bursty.any(axis=1))]
    return strains + ([("mixed_classes", -1)] if used.shape[1] > 1 else [])


def _blocking_refusals(compilation: Compilation, *, mode: str | None = None) -> list[str]:
    """Return why the blocking decomposition does not apply, or not in this mode."""
    arrays = compilation.arrays
    found = blocking_reasons(arrays)
    ranked = np.flatnonzero(ranked_doors(arrays))
    if not found and ranked.size:
        found = [("ranks_mixed", int(i)) for i in np.flatnonzero(ranks_mixed(arrays))]
        inside = [] if mode == COMPRESSED else full_reasons(arrays)
        if mode == COMPRESSED or inside:
            found += [("ranks", int(i)) for i in ranked] + inside
    elif mode == FULL and not found:
        found = full_reasons(arrays)
    return _sentences(found, REASONS, compilation)


def _blocking_assumptions(compilation: Compilation, *, mode: str | None = None) -> list[str]:
    del mode
    return _sentences(_blocking_strains(compilation.arrays), STRAINS, compilation)


def why_compressed(compilation: Compilation) -> str:
    """Return why the blocking method was not carried out in full."""
    reasons = _sentences(full_reasons(compilation.arrays), REASONS, compilation)
    return (
        reasons[0]
        if reasons
        else ("its neighbourhoods are many or have many states, or their equations no steady state")
    )


def _none(compilation: Compilation) -> list[str]:
    del compilation
    return []


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(
            "product_form",
            solve_product_form,
            _in_words(product_form_reasons, REASONS),
            True,  # noqa: FBT003  # exact, or not
            "Jackson (1957), Oper. Res. 5:518; Baskett, Chandy, Muntz, Palacios (1975), J. ACM "
            "22:248",
            "traffic equations; every service as M/M/c (or as an infinite server, or processor "
            "sharing) on its own, which is exact here",
            _none,
            gradient=product_form_gradient,
        ),
        Method(
            "decomposition",
            solve_decomposition,
            _in_words(decomposition_reasons, REASONS),
            False,  # noqa: FBT003  # exact, or not
            "Whitt (1983), Bell Syst. Tech. J. 62:2779 (QNA); Whitt (1993), Prod. Oper. Manag. "
            "2:114 (GI/G/c); Erlang (1917) for loss",
            "traffic equations; a linear system for the variability of the flows; every service "
            "as GI/G/c, M/M/c/K, Erlang loss or Erlang A",
            _in_words(decomposition_assumptions, STRAINS),
            gradient=open_gradient,
        ),
        Method(
            "blocking",
            solve_blocking,
            _blocking_refusals,
            False,  # noqa: FBT003  # exact, or not
            "flownet's own decomposition (docs/methods.md), in the line of Perros and Altiok "
            "(1986) and of Osorio and Bierlaire (2009), Eur. J. Oper. Res. 196:996",
            "exact chains of overlapping neighbourhoods (mode 'full'), or a birth-death chain a "
            "service over the jobs there and those that wait for a place there (mode "
            "'compressed'), coupled by a fixed point",
            _blocking_assumptions,
            options=("mode",),
            gradient=blocking_gradient,
            iterates=True,
            ready=ready_blocking,
            variants=MODES,
        ),
        Method(
            "exact",
            solve_chain,
            chain_reasons,
            True,  # noqa: FBT003  # exact, or not
            "Stewart (2009), Probability, Markov Chains, Queues, and Simulation, ch. 9 and 10",
            "the continuous-time Markov chain of the whole network, state by state; unlimited "
            "queues cut off where they stand no more than 1e-12 of the time (truncation_mass)",
            chain_strains,
            options=("max_states", "truncation_mass", "fit"),
            automatic=False,
            gradient=chain_slopes,
        ),
    )
}
"""Methods by name, in the order in which ``auto`` tries those that it may take."""
