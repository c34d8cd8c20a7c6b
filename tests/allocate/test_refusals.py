"""What cannot be done is said in plain words: conflicts, limits without end, solvers, bad input."""

import math

import pytest

import flownet as fn
from flownet.programs.solvers import choose_solver
from oracles.stations import erlang_c


def test_the_smallest_conflict_and_the_cheapest_ways_out(clinic):
    """Doctor: 3.6 erlang; P(wait) <= 1 in 20 takes 8 servers by Erlang C, 4 more at 90 each."""
    assert erlang_c(8, 3.6) <= 0.05 < erlang_c(7, 3.6)
    target = {"doctor": {"wait_probability": 0.05}}
    with pytest.raises(fn.errors.ProgramError) as caught:
        fn.reallocate(clinic, budget=300.0, targets=target)
    told = str(caught.value)
    assert "the target of doctor: wait_probability, which takes 8 servers" in told
    assert "the budget of 300" in told
    assert "or 60 more money in the budget" in told
    assert fn.reallocate(clinic, budget=360.0, targets=target).servers == {"doctor": 8}


def test_resources_against_groups_are_named(clinic):
    with pytest.raises(fn.errors.ProgramError) as caught:
        fn.reallocate(
            clinic,
            budget=2000.0,
            groups={"medicine": {"services": ["triage", "doctor"], "min": 12}},
            budgets={"rooms": {"limit": 10, "use": {"triage": 1, "doctor": 1}}},
        )
    told = str(caught.value)
    assert "the budget 'rooms' of 10; at least 12 servers in the group 'medicine'" in told
    assert "2 more of 'rooms'; or 2 fewer servers in the group 'medicine'" in told


def test_time_that_is_up_leaves_the_best_found_and_its_gap():
    rows = [
        {"name": f"s{i}", "servers": 3 + i % 7, "service_time": 1.0,
         "cost_per_server": 10.0 + i % 5, "external_arrival_rate": (3 + i % 7) * (0.6 + 0.012 * i)}
        for i in range(30)
    ]  # fmt: skip
    many = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": rows})
    plan = fn.reallocate(many, budget=200.0, time_limit=1e-9)  # the first lines leave a gap
    assert plan.status == "stopped"
    assert plan.gap > 1e-3
    assert "stopped at a limit" in plan.how


def test_nothing_limits_what_is_bought(clinic):
    with pytest.raises(fn.errors.ParameterError, match="no upper bound"):
        fn.reallocate(clinic, prices=0.0)
    bounded = fn.reallocate(clinic, prices={"triage": 0.0}, bounds={"triage": (2, 6)}, budget=0.0)
    assert bounded.servers == {"triage": 6}


def test_a_solver_by_name(clinic):
    with pytest.raises(fn.errors.UnknownNameError, match="highs, cbc"):
        fn.reallocate(clinic, budget=200.0, solver="abacus")
    with pytest.raises(fn.errors.ProgramError, match="not installed"):
        fn.reallocate(clinic, budget=200.0, solver="GUROBI_CMD")
    try:
        choose_solver("cbc")
    except fn.errors.ProgramError:
        pytest.skip("no CBC found")
    ours, other = (fn.reallocate(clinic, budget=200.0, solver=name) for name in ("highs", "cbc"))
    assert other.servers == ours.servers


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prices": {"doctor": -1.0}}, "doctor = -1"),
        ({"prices": {"doktor": 1.0}}, "did you mean 'doctor'"),
        ({"release": {"doctor": 200.0}}, "money -> doctor -> money makes 2.22"),
        ({"release": {"doctor": 60.0}, "exchanges": [("triage", "doctor")]},
         "money -> triage -> doctor -> money"),
        ({"bounds": {"doctor": (5, 3)}}, "cross"),
        ({"targets": {"doctor": {"occupancy": 95}}}, "for 95 % write 0.95"),
        ({"targets": {"doctor": {"occupancy": -0.05}}}, "not negative"),
        ({"targets": {"doctor": {"utilization": 0.0}}}, "must be above 0"),
        ({"targets": {"doctor": {"wait_probability": {0: 1.2}}}}, "must be at most 1"),
        ({"targets": {"doctor": {"waiting_time": math.inf}}}, "finite time"),
        ({"targets": {"network": {"within": 4}}}, "(time, share)"),
        ({"bounds": {"doctor": 5}}, "a pair"),
        ({"decide": "beds"}, "servers, service_rate"),
        ({"decide": {"doktor": "servers"}}, "did you mean 'doctor'"),
        ({"gap": -1.0}, "gap"),
        ({"gap": math.nan}, "gap"),
        ({"time_limit": 0.0}, "seconds above 0"),
        ({"risk": "luck"}, "not known"),
        ({"risk": ["cvar"]}, "not known"),
        ({"risk": ("cvar", 1.0)}, "below 1"),
        ({"scenarios": []}, "at least one"),
        ({"max_changed": -1}, "whole number"),
        ({"shift": 0.0}, "above 0"),
        ({"protect": {"Truss": 0.1}}, "did you mean 'Trust'"),
        ({"targets": {"doctor": {"wait": 1.0}}}, "wait"),
        ({"targets": {"network": {"within": (4, 1.5)}}}, "between 0 and 1"),
        ({"groups": {"all": {"services": ["doctor"], "min": 5, "max": 3}}}, "cross"),
        ({"fixed_costs": {"doctor": -3.0}}, "not negative"),
        ({"integer": False, "max_changed": 1}, "most of changed"),
        ({"goal": {"delay": -1.0}}, "above 0"),
        ({"goal": []}, "at least one"),
        ({"goal": "worst_case"}, "not known"),
        ({"goal": [["delay"]]}, "a goal's name"),
        ({"targets": {"network": {"within": (4, 0.9, "nobody")}}}, "not a class"),
        ({"prices": {"doctor": math.inf}}, "must be finite"),
        ({"solver": 3}, "must be a name"),
        ({"integer": "yes"}, "True, False or None"),
        ({"progress": 3}, "a function"),
    ],
)  # fmt: skip
def test_damaged_input_is_refused_in_plain_words(clinic, options, says):
    with pytest.raises(fn.FlownetError, match=says):
        fn.reallocate(clinic, budget=100.0, **options)


def test_all_faults_are_told_together(clinic):
    with pytest.raises(fn.errors.ParameterError) as caught:
        fn.reallocate(clinic, budget=-5.0, prices={"doctor": -1.0}, bounds={"xray": (3, 1)})
    assert len(caught.value.faults) == 3


def test_a_time_given_as_a_distribution_is_not_scaled():
    services = [
        {"name": "a", "external_arrival_rate": 0.5,
         "service_distribution": {"family": "uniform", "low": 0.5, "high": 1.5}},
    ]  # fmt: skip
    network = fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})
    with pytest.raises(fn.errors.ParameterError, match="service_distribution"):
        fn.reallocate(network, budget=1.0, decide="service_rate", prices=1.0)


def test_faults_of_every_argument_are_told_together(clinic):
    with pytest.raises(fn.errors.ParameterError) as caught:
        fn.reallocate(
            clinic,
            "happiness",
            -1.0,
            [("doctor", "doctor")],
            prices={"doctor": -1.0},
            targets={"doctor": {"occupancy": 2.0}},
            max_changed=-2,
            gap=-1.0,
            risk="luck",
            scenarios=[],
        )
    told = [str(fault) for fault in caught.value.faults]
    asked = ("goal", "budget", "exchange 1", "prices", "occupancy", "max_changed", "gap")
    for part in (*asked, "risk", "scenarios"):
        assert any(part in each for each in told), part
