"""The rows that programs of an allocation share: what may be decided, and the goals."""

from __future__ import annotations

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate import formulation_goals as goals
from flownet.allocate import formulation_terms as terms
from flownet.allocate.formulation import Model
from flownet.allocate.problem import Given
from flownet.kernels.compiled import Floats
from flownet.programs import Program


def decisions(given: Given, name: str) -> Model:
    """Return a program with the decisions and the rows that every goal has."""
    model = Model(given, Program(name))
    form.decision_variables(model)
    terms.term_variables(model)
    form.balance(model)
    form.whole_servers(model)
    terms.resource_limits(model)
    terms.group_minimum(model)
    terms.group_maximum(model)
    terms.whole_shifts(model)
    terms.targets(model)
    if model.flags.keys() & {"changed", "opened", "trained"}:
        most = _most_servers(model)
        terms.changed_up(model, most)
        terms.opening(model, most)
        terms.training(model, most)
    terms.changed_down(model)
    terms.most_changed(model)
    terms.closing(model)
    form.budget(model)
    return model


def _most_servers(model: Model) -> Floats:
    """Return (n,) how many servers of each service there could be: all that can be bought or come.

    What a server can become by moves is its best product of rates along the exchanges.
    """
    given, table = model.given, model.given.exchanges
    now = np.where(np.isfinite(given.servers), given.servers, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bought = np.where(given.price > 0, given.money / given.price, 0.0)
    supply = np.where(given.price == 0, np.maximum(given.high, now), now + bought)
    becomes = np.ones(now.size)
    for _ in range(now.size):
        before = becomes.copy()
        np.maximum.at(becomes, table.start, table.rate * becomes[table.end])
        if (becomes == before).all():
            break
    return np.full(now.size, float((supply * becomes).sum()))


def curves_and_goals(model: Model) -> None:
    """Add the curves, the goals, and what limits delay."""
    form.curve_variables(model)
    goals.goal_variables(model)
    if model.scale is not None:
        form.saturation(model, model.scale)
    goals.worst_part(model)
    goals.worst_case(model)
    goals.tail_excess(model)
    goals.keep_goals(model)
    goals.protect_organisations(model)
