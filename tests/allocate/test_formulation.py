"""Every constraint and objective of the allocation against the file that it must write.

``python tests/allocate/test_formulation.py`` writes the files anew; read them before you keep them.
"""

import inspect
import math
import re
import tempfile
from pathlib import Path

import highspy
import numpy as np
import pytest

import flownet as fn
from flownet.allocate import formulation as form
from flownet.allocate import formulation_goals as goals
from flownet.allocate import formulation_terms as term_rows
from flownet.allocate.cases import Case, Least, Objective, Part, Risk
from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.formulation import Model
from flownet.allocate.linearise import Cuts
from flownet.allocate.problem import AllocationProblem, Flows, check_problem
from flownet.allocate.read_terms import read_terms
from flownet.programs import Program
from flownet.programs.by_pulp import PULP_4

FILES = Path(__file__).resolve().parents[1] / "lp_files"
NAMES = ("ED", "Ward", "Home care")
MODULES = (form, goals, term_rows)
CONSTRAINTS = tuple(function for module in MODULES for function in module.CONSTRAINTS)
OBJECTIVES = form.OBJECTIVES + goals.OBJECTIVES
VARIABLES = tuple(function for module in MODULES for function in module.VARIABLES)
EVERY = {function.__name__: function for function in (*CONSTRAINTS, *OBJECTIVES)}
OF_TERMS = {function.__name__ for function in term_rows.CONSTRAINTS}
OF_GOALS = {function.__name__ for function in goals.CONSTRAINTS}


def no_curve(*_):
    raise AssertionError("building asks for no values")


def terms_of_all_kinds():
    organisations = ("Trust", "Trust", "Council")
    services = [
        {"name": name, "organisation": each, "service_time": 1.0, "external_arrival_rate": 1.0}
        for name, each in zip(NAMES, organisations, strict=True)
    ]
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": services})
    return read_terms(
        network,
        budgets={"nurses": {"limit": 12, "use": {"ED": 2, "Ward": 0.5}}},
        groups={"medicine": {"services": ["ED", "Ward"], "min": 8, "max": 12}},
        max_changed=2,
        fixed_costs={"ED": 7.0, "Ward": {"opening": 3.0, "closing": 4.0}},
        shift={"Ward": 2},
    )


def cases_of_all_kinds(risk: str) -> dict:
    """Two goals in two demands: the worst part, then delay and servers."""
    worst = (Part("ED", (0,), 4.0), Part("others", (1, 2), 8.0))
    objectives = (
        Objective(np.zeros(3), np.zeros(3), worst, 1.0),
        Objective(np.array([1.0, 2.0, 0.5]), np.array([10.0, 20.0, 5.0])),
    )
    protect = (Part("Trust", (0, 1), 6.5),)
    cases = [
        Case(name, share, np.array([2.0, 5.0, 3.0]), no_curve, None, objectives, protect)
        for name, share in (("summer", 0.75), ("winter", 0.25))
    ]
    return {"cases": tuple(cases), "risk": Risk(risk, 0.9, (3.0, 5.0)), "keeps": (2.5,)}


def small_model(**others) -> Model:
    """Three services in a row, of which the last cannot be bought but exchanged for beds."""
    problem = AllocationProblem(
        names=NAMES,
        servers=np.array([3.0, 6.0, 4.5]),
        load=np.array([2.0, 5.0, 3.0]),
        curve=no_curve,
        loss_curve=no_curve,
        goal="cost",
        budget=40.0,
        cost_per_server=np.array([10.0, 20.0, 5.0]),
        price=np.array([10.0, 20.0, math.nan]),
        refund=np.array([math.nan, 15.0, math.nan]),
        weight=np.array([1.0, 2.0, 0.5]),
        min_servers=np.array([0.0, 4.0, 0.0]),
        max_servers=np.array([math.inf, 8.0, math.inf]),
        exchanges=check_exchanges([("Ward", "Home care", 2.3, 5.0, 2.0, 9.0)], NAMES),
        flows=Flows(
            np.array([10.0, 1.0, 0.0]),
            np.array([0.2, 0.625, 1.25]),
            np.array([0, 1]),
            np.array([1, 2]),
            np.array([0.7, 0.3]),
        ),
        margin=0.05,
        **others,
    )
    model = Model(check_problem(problem), Program("allocation"))
    form.decision_variables(model)
    form.curve_variables(model)
    goals.goal_variables(model)
    form.flow_variables(model)
    return model


def program_of(name: str) -> Program:
    """Return the program that one constraint, or one objective, alone writes."""
    others: dict = {}
    if name in OF_TERMS or name in {"budget", "minimize_effort"}:
        others["terms"] = terms_of_all_kinds()
        others["least"] = (Least("Ward: wait_probability", 1, 7.0),)
    if name in OF_GOALS:
        risk = {"worst_case": "regret", "tail_excess": "cvar"}.get(name, "expected")
        others |= cases_of_all_kinds(risk)
    model = small_model(**others)
    if "terms" in others:
        term_rows.term_variables(model)
    EVERY[name](model, *arguments(name, model))
    return model.program


def arguments(name: str, model: Model) -> tuple:
    """Return what a function takes beside the model."""

    def choice():
        return model.program.variables(["k5", "k6", "k7"], integer=True)

    knots, most = np.array([5.0, 6.0, 7.0]), np.array([20.0, 15.0, 30.0])
    lines = Cuts(np.array([1, 1, 2]), np.array([-4.0, -0.5, -0.25]), np.array([30.0, 6.0, 2.0]))
    kinds = {
        "changed_up": lambda: (most,),
        "opening": lambda: (most,),
        "training": lambda: (most,),
        "stability": lambda: ([0, 1],),
        "curve_cuts": lambda: (model.families[0], lines),
        "one_knot": lambda: (1, knots),
        "knot_servers": lambda: (1, choice(), knots),
        "knot_values": lambda: (model.families[1], 1, choice(), np.array([9.0, 4.0, 2.5])),
        "backlog": lambda: (1.5,),
        "saturation": lambda: (form.scale_variable(model),),
        "maximize_throughput": lambda: (form.scale_variable(model),),
    }
    return kinds[name]() if name in kinds else ()


def written(name: str, folder: Path) -> str:
    file = folder / f"{name}.lp"
    program_of(name).write_lp(file)
    return file.read_text(encoding="ascii")


@pytest.mark.skipif(PULP_4, reason="the files have the order of terms of PuLP 3")
@pytest.mark.parametrize("name", sorted(EVERY))
def test_each_writes_its_file(name: str, tmp_path: Path) -> None:
    file = FILES / f"{name}.lp"
    assert file.is_file(), f"{name} has no file in tests/lp_files"
    assert written(name, tmp_path) == file.read_text(encoding="ascii")


@pytest.mark.parametrize("name", sorted(EVERY))
def test_each_file_is_one_that_another_program_reads(name: str) -> None:
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.readModel(str(FILES / f"{name}.lp"))
    assert model.getNumCol() > 0


def test_no_file_is_left_over() -> None:
    assert {file.stem for file in FILES.glob("*.lp")} == set(EVERY)


def test_no_function_that_builds_is_left_out() -> None:
    builders = {
        function.__name__
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and next(iter(inspect.signature(function).parameters)) == "model"
    }
    variables = {function.__name__ for function in VARIABLES}
    assert builders == set(EVERY) | variables | {"case_value", "goal_pairs"}


def test_the_page_lists_every_function_and_every_name(repository: Path) -> None:
    page = (repository / "docs" / "formulation.md").read_text(encoding="utf-8")
    for function in (*CONSTRAINTS, *OBJECTIVES, *VARIABLES):
        assert f"`{function.__name__}`" in page
    for function in CONSTRAINTS:
        for name in program_of(function.__name__)._constraints:
            kind = re.sub(r"\[.*", "", name)
            assert f"`{kind}" in page, f"the constraint {name} is not on the page"


def test_a_service_may_have_any_name() -> None:
    names = ("<script>", "a b", "a_b", "救急")
    problem = AllocationProblem(
        names=names, servers=np.full(4, 2.0), load=np.ones(4), goal="throughput"
    )
    model = Model(check_problem(problem), Program("names"))
    form.decision_variables(model)
    form.balance(model)
    form.saturation(model, scale := form.scale_variable(model))
    form.maximize_throughput(model, scale)
    solution = model.program.solve(relaxed=True)
    assert solution.objective == pytest.approx(2.0)
    assert {"balance[<script>]", "saturation[救急]"} <= solution.duals.keys()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for each in sorted(EVERY):
            (FILES / f"{each}.lp").write_text(written(each, Path(scratch)), encoding="ascii")
