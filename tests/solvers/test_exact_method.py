"""The method ``exact`` behind ``solve``: closed forms, options, refusals."""

import json

import pytest

import flownet as fn
from flownet.errors import MethodError, ParameterError
from flownet.solvers.solution import Solution
from oracles.station_chains import two_classes
from oracles.stations import erlang_c, number_waiting


def network(*services, routes=(), **whole):
    return fn.Network.from_dict(
        {"network": {"time_unit": "hour", **whole}, "services": list(services),
         "routes": list(routes)}
    )  # fmt: skip


def desk(load=0.5, **attributes):
    given = {"name": "desk", "service_time": 1.0, "external_arrival_rate": load}
    return network(given | attributes)


def tandem(rate, places=1):
    return network(
        {"name": "a", "capacity": places, "service_time": 1.0, "external_arrival_rate": rate,
         "external_when_full": "wait_outside"},
        {"name": "b", "capacity": places, "service_time": 1.0},
        routes=[{"from": "a", "to": "b"}],
    )  # fmt: skip


@pytest.mark.parametrize(("servers", "load"), [(1, 0.8), (3, 2.1)])
def test_several_servers_wait_as_erlang_says(servers, load):
    solution = fn.solve(desk(load, servers=servers), "exact")
    row = solution.services.loc["desk"]
    assert row["number_waiting"] == pytest.approx(number_waiting(servers, load), rel=1e-8)
    assert row["wait_probability"] == pytest.approx(erlang_c(servers, load), rel=1e-8)
    assert (solution.method, solution.exact, solution.converged) == ("exact", True, True)
    assert solution.choice == "asked for by name"
    assert "Markov chain" in solution.explain()


def test_a_limited_waiting_room_loses_as_the_birth_death_chain_says():
    """M/M/1/3 at load 1: all four states have probability 1/4."""
    row = fn.solve(desk(1.0, capacity=3), "exact").services.loc["desk"]
    assert row["loss_probability"] == pytest.approx(0.25, abs=1e-12)
    assert row["probability_full"] == pytest.approx(0.25, abs=1e-12)
    assert row["number_waiting"] == pytest.approx((1 + 2) / 4, abs=1e-12)


def test_phases_wait_as_pollaczek_and_khinchine_say():
    """M/E2/1 and M/H2/1: W_q = lambda E[S^2] / (2 (1 - rho))."""
    for scv in (0.5, 2.0):
        solution = fn.solve(desk(0.5, service_scv=scv), "exact")
        wait = 0.5 * (1 + scv) / (2 * 0.5)
        assert solution.services.loc["desk", "waiting_time"] == pytest.approx(wait, rel=1e-8)


def test_a_tandem_without_buffer_carries_two_thirds():
    """Hunt (1956), Oper. Res. 4:674: 2/3 of the service rate; 0.8 are offered, 2/15 too many."""
    solution = fn.solve(tandem(0.8), "exact")
    assert solution.overloaded == ("a",)
    assert solution.system["throughput"] == pytest.approx(2 / 3, rel=1e-8)
    assert solution.system["growth_rate"] == pytest.approx(0.8 - 2 / 3, rel=1e-7)


def test_auto_does_not_take_it():
    assert fn.solve(desk()).method == "product_form"
    assert fn.solve(desk(capacity=3)).method == "decomposition"
    assert fn.solve(tandem(0.5)).method == "blocking"


def test_more_states_than_allowed_are_refused_with_their_number():
    model = tandem(0.3, places=3)
    with pytest.raises(ParameterError, match=r"max_states = 20, .* estimate from above \d"):
        fn.solve(model, "exact", max_states=20)
    assert fn.solve(model, "exact", max_states=100_000).converged


def test_options_go_to_methods_that_take_them_and_to_no_other():
    with pytest.raises(ParameterError, match="takes only max_states, truncation_mass, fit"):
        fn.solve(desk(), "exact", max_state=5)
    for method in ("auto", "product_form", "decomposition"):
        with pytest.raises(ParameterError, match=f"method '{method}', max_states = 5"):
            fn.solve(desk(), method, max_states=5)
    with pytest.raises(ParameterError, match="truncation_mass = 2"):
        fn.solve(desk(), "exact", truncation_mass=2.0)


def test_laws_without_phases_are_refused_or_replaced_as_asked():
    model = network(
        {"name": "desk", "external_arrival_rate": 0.5,
         "service_distribution": {"family": "gamma", "mean": 1.0, "scv": 0.5}}
    )  # fmt: skip
    with pytest.raises(MethodError, match="service 'desk', class 'all': a gamma service time"):
        fn.solve(model, "exact")
    fitted = fn.solve(model, "exact", fit=True)
    assert not fitted.exact
    assert "same mean and scv" in fitted.assumptions[0]
    assert "approximate" in repr(fitted)
    # one server waits by mean and scv alone (Pollaczek and Khinchine)
    assert fitted.services.loc["desk", "waiting_time"] == pytest.approx(0.75, rel=1e-8)


def test_simulation_is_no_method_of_solve():
    with pytest.raises(MethodError, match=r"flownet\.simulate"):
        fn.solve(desk(), "simulation")


def test_what_if_questions_keep_the_options():
    solution = fn.solve(tandem(0.3), "exact", truncation_mass=1e-6)
    again = solution.again(solution.compilation.arrays)
    assert again.services.equals(solution.services)
    back = Solution.from_dict(json.loads(json.dumps(solution.to_dict(), allow_nan=False)))
    assert back.options == {"truncation_mass": 1e-6}
    assert back.to_dict() == solution.to_dict()


def test_the_constraint_is_found_by_the_exact_chain():
    """Of two single servers in a row, the one at load 0.6 is the constraint, not that at 0.3."""
    model = network(
        {"name": "a", "capacity": 2, "service_time": 0.5, "external_arrival_rate": 0.6,
         "external_when_full": "wait_outside"},
        {"name": "b", "capacity": 2, "service_time": 1.0},
        routes=[{"from": "a", "to": "b"}],
    )  # fmt: skip
    finding = fn.find_constraint(model, "delay", "exact")
    assert finding.constraint == "b"


def ranked(discipline="preemptive", **attributes):
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "classes": {"urgent": {"priority": 1}, "other": {"priority": 2}},
            "services": [{
                "name": "desk", "servers": 2, "discipline": discipline, "capacity": 25,
                "service_time": {"urgent": 0.5, "other": 2.0},
                "external_arrival_rate": {"urgent": 0.8, "other": 0.4}, **attributes,
            }],
        }
    )  # fmt: skip


@pytest.mark.parametrize("discipline", ["preemptive", "priority"])
def test_ranks_wait_as_the_chain_of_numbers_says(discipline):
    """Loads of 0.6 leave less than 1e-7 of the time beyond the 23 places of the waiting room."""
    found = fn.solve(ranked(discipline), "exact").service_classes
    truth = two_classes((0.8, 0.4), (0.5, 2.0), 2, preemptive=discipline == "preemptive", most=23)
    for job_class, delay in zip(("urgent", "other"), truth, strict=True):
        row = found.loc["desk", job_class]
        assert row["number_waiting"] / row["arrival_rate"] == pytest.approx(delay, rel=2e-4)


def test_interrupted_jobs_keep_their_place_and_move_on():
    """Nobody is lost or made: what comes in goes out, also where the next service blocks."""
    document = ranked(capacity=4).to_dict()
    document["services"].append({"name": "next", "service_time": 0.6, "capacity": 1})
    document["routes"] = [{"from": "desk", "to": "next"}]
    table = fn.solve(fn.Network.from_dict(document), "exact").service_classes
    for job_class in ("urgent", "other"):
        row, after = table.loc["desk", job_class], table.loc["next", job_class]
        assert row["loss_rate"] > 0.01
        assert row["number_blocked"] > 0.01
        assert after["throughput"] == pytest.approx(row["arrival_rate"] - row["loss_rate"])


def test_an_overloaded_rank_is_served_what_the_better_one_leaves():
    found = fn.solve(
        ranked(servers=1, capacity="inf", external_arrival_rate={"urgent": 0.8, "other": 0.4}),
        "exact",
    ).service_classes
    # the urgent are an M/M/1 of load 0.4 of their own; the rest of the server is 0.6
    assert found.loc[("desk", "urgent"), "number_waiting"] == pytest.approx(0.16 / 0.6, rel=1e-8)
    assert found.loc[("desk", "other"), "throughput"] == pytest.approx(0.6 / 2.0, rel=1e-8)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"service_scv": 0.5}, "a chain needs exponential times"),
        ({"patience": 3.0}, "a chain has no patience"),
    ],
)
def test_what_no_chain_of_interrupted_jobs_holds(attributes, says):
    with pytest.raises(MethodError, match=says):
        fn.solve(ranked(**attributes), "exact")


def test_formulas_leave_interruptions_to_others():
    with pytest.raises(MethodError, match="interrupt others there; simulate"):
        fn.solve(ranked())
    with pytest.raises(MethodError, match="none is interrupted"):
        fn.exact_chain(ranked()).time_in_system([1.0])
    # where all have one rank, nobody interrupts
    assert fn.solve(desk(discipline="preemptive")).method == "product_form"
