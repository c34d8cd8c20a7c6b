"""The command ``flownet simulate``, and the method exact from the shell."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from flownet.cli import app

FINE, FAULT, USAGE, UNSTABLE = 0, 1, 2, 3


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def desk(tmp_path):
    def write(rate):
        path = tmp_path / "desk.toml"
        path.write_text(
            f"""
            [network]
            time_unit = "hour"
            [[services]]
            name = "desk"
            service_time = 1.0
            external_arrival_rate = {rate}
            """
        )
        return path

    return write


def test_simulate_prints_figures_with_their_half_widths(desk):
    given = ("simulate", desk(0.5), "--horizon", 500, "--replications", 4, "--seed", 7)
    text = run(*given, "--target", 3, "--explain")
    assert text.exit_code == FINE
    assert "4 replications to 500 hours" in text.output
    assert "±" in text.output
    assert "within 3" in text.output
    assert "MSER-5" in text.output
    data = json.loads(run(*given, "--json").stdout)
    assert data["standing"] == FINE
    assert data["design"]["seed"] == 7
    (row,) = data["services"]
    (cells,) = csv.DictReader(io.StringIO(run(*given, "--csv").stdout))
    assert float(cells["waiting_time"]) == pytest.approx(row["waiting_time"])
    assert row["waiting_time_halfwidth"] > 0
    assert run(*given, "--csv").stdout == run(*given, "--csv").stdout


def test_simulate_says_what_is_wrong_by_its_exit_code(desk):
    overloaded = run("simulate", desk(1.5), "--horizon", 1000, "--replications", 5)
    assert overloaded.exit_code == UNSTABLE
    assert "overloaded at desk" in overloaded.output
    short = run("simulate", desk(0.5), "--horizon", 10, "--warmup", 20)
    assert short.exit_code == FAULT
    assert "longer than the warm-up" in short.output
    assert run("simulate", desk(0.5)).exit_code == USAGE


def test_exact_from_the_shell(desk):
    solved = run("solve", desk(0.5), "--method", "exact")
    assert solved.exit_code == FINE
    assert "method exact (exact)" in solved.output
    few = run("solve", desk(0.5), "--method", "exact", "--max-states", 3)
    assert few.exit_code == FAULT
    assert "max_states = 3" in few.output
    assert run("solve", desk(0.5), "--method", "simulation").exit_code == USAGE


def test_simulate_prints_numbers_by_time_of_a_cycle(desk):
    given = ("simulate", desk(0.5), "--horizon", 480, "--replications", 2, "--cycle", 24)
    assert "start" in run(*given).output
    rows = list(csv.DictReader(io.StringIO(run(*given, "--csv").stdout)))
    assert [float(row["start"]) for row in rows] == list(range(24))
    assert len(json.loads(run(*given, "--json").stdout)["profile"]) == 24
    wrong = run(*given, "--step", 7)
    assert wrong.exit_code == FAULT
    assert "a whole number of times" in wrong.output
