"""Open networks of product form against textbooks, other solvers and an exact chain."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.kernels.compiled import (
    DELAY,
    ERLANG,
    GAMMA,
    LOGNORMAL,
    LOST,
    PRIORITY,
    PROCESSOR_SHARING,
    WEIBULL,
    CompiledNetwork,
    Measures,
)
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.product_form import product_form_reasons, solve_product_form
from oracles.compiled_networks import build
from oracles.open_cases import load_cases, to_network

TEXTBOOK = {
    "external": [1.0, 4.0, 3.0],
    "servers": [1, 2, 1],
    "routing": [[0, 0.6, 0.3], [0.1, 0, 0.3], [0.4, 0.4, 0]],
}


def number_present(measures: Measures) -> np.ndarray:
    return measures.number_waiting + measures.number_in_service


def test_jackson_textbook(shared: Path) -> None:
    # pythonhealthdatascience/jackson-network-jupyterlite, three nodes
    cases = json.loads((shared / "cases" / "health.json").read_text())["cases"]
    expected = next(c for c in cases if c["id"] == "jackson_textbook3")["expected"]["nodes"]
    measures = solve_product_form(build([0.1, 0.1, 0.1], **TEXTBOOK))
    for i, node in enumerate(expected):
        assert measures.arrival_rate[i, 0] == pytest.approx(node["lam"], rel=1e-12)
        assert measures.number_waiting[i, 0] == pytest.approx(node["Lq"], rel=1e-7)
        assert number_present(measures)[i, 0] == pytest.approx(node["L"], rel=1e-7)
        assert measures.waiting_time[i, 0] == pytest.approx(node["Wq"], rel=1e-6)


@pytest.mark.parametrize("kind", ["open-jackson", "open-multiclass"])
def test_cases_of_other_solvers(shared: Path, kind: str) -> None:
    cases = load_cases(shared, kind)
    if kind == "open-multiclass":  # given by its visits; its notes give the routing
        rows = [[[0, 0.4, 0.3], [0.6, 0, 0.4], [0.5, 0.5, 0]]]
        rows.append([[0, 0.3, 0.6], [0.7, 0, 0.3], [0.4, 0.6, 0]])
        for case in cases:
            names = list(case["model"]["stations"])
            case["model"]["routing"] = {
                c: {a: dict(zip(names, row, strict=True)) for a, row in zip(names, r, strict=True)}
                for c, r in zip("AB", rows, strict=True)
            }
            case["model"]["external_arrivals"] = {"A": {"S1": 1.0}, "B": {"S1": 1.0}}
    assert cases
    for case in cases:
        compiled = to_network(case["model"])
        assert product_form_reasons(compiled) == []
        measures = solve_product_form(compiled)
        for k, name in enumerate(case["model"]["classes"]):
            for i, station in enumerate(case["model"]["stations"]):
                exact = case["recomputed"]
                present = number_present(measures)[i, k]
                assert present == pytest.approx(exact["Q"][name][station], rel=1e-8)
                assert measures.throughput[i, k] == pytest.approx(
                    exact["X"][name][station], rel=1e-8
                )


def test_two_sharing_services_against_their_joint_chain() -> None:
    # two classes at one sharing server, two exponential laws: the chain on (n1, n2), cut at 60
    rates, means = np.array([0.3, 0.2]), np.array([1.0, 2.0])
    size = 60
    states = size * size
    generator = np.zeros((states, states))
    for a in range(size):
        for b in range(size):
            here = a * size + b
            if a + 1 < size:
                generator[here, here + size] += rates[0]
            if b + 1 < size:
                generator[here, here + 1] += rates[1]
            if a:
                generator[here, here - size] += a / (a + b) / means[0]
            if b:
                generator[here, here - 1] += b / (a + b) / means[1]
    np.fill_diagonal(generator, -generator.sum(axis=1))
    system = np.vstack([generator.T[:-1], np.ones(states)])
    law = np.linalg.solve(system, np.r_[np.zeros(states - 1), 1.0]).reshape(size, size)
    expected = [
        (law.sum(axis=1) * np.arange(size)).sum(),
        (law.sum(axis=0) * np.arange(size)).sum(),
    ]
    compiled = build(means[None, :], external=rates[None, :], discipline=PROCESSOR_SHARING)
    np.testing.assert_allclose(number_present(solve_product_form(compiled))[0], expected, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), services=st.integers(1, 6), classes=st.integers(1, 3))
def test_the_decomposition_reproduces_product_form(seed: int, services: int, classes: int) -> None:
    compiled = random_product_form(np.random.default_rng(seed), services, classes)
    assert product_form_reasons(compiled) == []
    exact, approximate = solve_product_form(compiled), solve_decomposition(compiled)
    assert exact.status == approximate.status == 0
    for name in ("arrival_rate", "throughput", "number_waiting", "waiting_time", "growth_rate"):
        np.testing.assert_allclose(
            getattr(approximate, name), getattr(exact, name), rtol=1e-11, atol=1e-12, err_msg=name
        )


def random_product_form(rng: np.random.Generator, services: int, classes: int) -> CompiledNetwork:
    """Return a random network of product form, loads between 0.05 and 0.95 where finite."""
    discipline = rng.choice([0, PROCESSOR_SHARING, DELAY], services)
    matrix = rng.random((classes, services, services)) ** 3
    matrix /= matrix.sum(axis=2, keepdims=True) * rng.uniform(1.05, 3.0, (classes, services, 1))
    external = rng.random((services, classes)) + 0.01
    time = np.where(
        (discipline == 0)[:, None], np.ones((1, classes)), rng.uniform(0.2, 2, (services, classes))
    )
    rate = np.array(
        [np.linalg.solve(np.eye(services) - matrix[k].T, external[:, k]) for k in range(classes)]
    ).T
    servers = rng.integers(1, 6, services).astype(float)
    time = time / ((rate * time).sum(axis=1) / servers / rng.uniform(0.05, 0.95, services))[:, None]
    servers[discipline == DELAY] = np.inf
    scv = np.where((discipline == 0)[:, None], 1.0, rng.uniform(0, 4, (services, classes)))
    return build(
        time,
        external=external,
        routing=matrix,
        servers=servers,
        discipline=discipline,
        service_scv=scv if (discipline != 0).all() else 1.0,
    )


def test_saturated_services_pass_on_their_capacity() -> None:
    # Goodman and Massey 1984: the third service serves 10 of its arrivals, the others stay stable:
    # x1 = 1 + 0.1 x2 + 0.4 * 10, x2 = 4 + 0.6 x1 + 0.4 * 10
    compiled = build([0.1, 0.1, 0.1], **(TEXTBOOK | {"external": [1.0, 4.0, 30.0]}))
    first = (5.0 + 0.8) / (1.0 - 0.06)
    second = 8.0 + 0.6 * first
    third = 30.0 + 0.3 * first + 0.3 * second
    measures = solve_product_form(compiled)
    np.testing.assert_allclose(measures.arrival_rate[:, 0], [first, second, third], rtol=1e-12)
    np.testing.assert_allclose(measures.throughput[:, 0], [first, second, 10.0], rtol=1e-12)
    np.testing.assert_allclose(measures.growth_rate[:, 0], [0.0, 0.0, third - 10.0], rtol=1e-12)
    assert measures.number_waiting[2, 0] == measures.waiting_time[2, 0] == np.inf
    assert measures.waiting_time[0, 0] == pytest.approx(0.1 * first / (10.0 - first), rel=1e-12)


def test_a_service_that_a_saturated_one_shields_stays_stable() -> None:
    # alone, the second would get 3 and saturate at 2; the first lets only 1.5 through
    compiled = build([1 / 1.5, 0.5], external=[3.0, 0.0], routing=[[0, 1], [0, 0]])
    measures = solve_product_form(compiled)
    np.testing.assert_allclose(measures.throughput[:, 0], [1.5, 1.5], rtol=1e-12)
    np.testing.assert_allclose(measures.growth_rate[:, 0], [1.5, 0.0], atol=1e-12)
    assert measures.number_waiting[1, 0] == pytest.approx(0.75**2 / 0.25, rel=1e-12)


def test_a_saturated_sharing_service_lets_short_work_through() -> None:
    # growth g_k = lambda_k - (g_k/G)/s_k; here lambda = 1, s = 0.5 and 1, load 1.5.
    # sum lambda s/(G s + 1) = 1: 0.5/(0.5 G + 1) + 1/(G + 1) = 1, so 0.5 G^2 + 0.5 G - 0.5 = 0
    compiled = build([[0.5, 1.0]], external=[[1.0, 1.0]], discipline=PROCESSOR_SHARING)
    growth = (np.sqrt(5.0) - 1.0) / 2.0
    measures = solve_product_form(compiled)
    expected = [growth * 0.5 / (growth * 0.5 + 1.0), growth / (growth + 1.0)]
    np.testing.assert_allclose(measures.growth_rate[0], expected, rtol=1e-12)
    assert measures.number_in_service.sum() == pytest.approx(1.0, rel=1e-12)


def test_a_fed_trap_gives_no_numbers() -> None:
    compiled = build([1.0, 1.0], external=[1.0, 0.0], routing=[[0, 1], [0, 1]])
    assert product_form_reasons(compiled) == [("trap", 1)]
    measures = solve_product_form(compiled)
    assert measures.status == 2
    assert np.isnan(measures.number_waiting).all()


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("arrivals_not_poisson", {"arrival_scv": [1.0, 2.0]}),
        ("finite_capacity", {"capacity": [np.inf, 4.0], "external_when_full": LOST}),
        ("patience", {"patience": [np.inf, 2.0]}),
        ("priority", {"discipline": [0, PRIORITY], "priority": [[0, 0], [0, 1]]}),
        ("service_not_exponential", {"service_scv": [1.0, 0.5]}),
        ("service_not_exponential", {"family": [[0, 0], [LOGNORMAL, 0]]}),
        ("service_differs_by_class", {"service_time": [[0.1, 0.1], [0.1, 0.2]]}),
        (
            "held_transfer",
            {
                "routing": [[0, 0], [1, 0]],
                "transfer_delay": [[0, 0], [1.0, 0]],
                "holds_server": [[0, 0], [1, 0]],
            },
        ),
        ("fractional_servers", {"servers": [1.0, 2.5]}),
    ],
)
def test_reasons_name_the_service(reason: str, changes: dict[str, object]) -> None:
    settings: dict[str, object] = {"service_time": [[0.1, 0.1], [0.1, 0.1]], "external": 1.0}
    assert product_form_reasons(build(**settings)) == []
    assert product_form_reasons(build(**(settings | changes))) == [(reason, 1)]


def test_equal_ranks_and_exponential_laws_in_disguise_are_product_form() -> None:
    compiled = build(
        [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]],
        external=1.0,
        discipline=PRIORITY,
        priority=[[3, 3], [1, 1], [0, 0]],
        family=[[ERLANG] * 2, [GAMMA] * 2, [WEIBULL] * 2],
    )
    compiled.service_parameters.flags.writeable = True
    compiled.service_parameters[..., 0] = 1.0
    assert product_form_reasons(compiled) == []


def test_a_free_transfer_delay_changes_nothing_here() -> None:
    plain = solve_product_form(build([0.1, 0.1, 0.1], **TEXTBOOK))
    delayed = build([0.1, 0.1, 0.1], **TEXTBOOK, transfer_delay=2.0)
    assert product_form_reasons(delayed) == []
    np.testing.assert_array_equal(solve_product_form(delayed).number_waiting, plain.number_waiting)
