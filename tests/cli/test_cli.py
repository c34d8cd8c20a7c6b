"""The shell command: every command, its machine forms, and its exit codes."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

import flownet as fn
from flownet.cli import app

FINE, FAULT, USAGE, UNSTABLE = 0, 1, 2, 3


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def clinic(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text(
        """
        [network]
        name = "clinic [red]x[/red]"
        time_unit = "hour"
        currency = "GBP"
        [[services]]
        name = "desk [bold]"
        servers = 2
        service_time = 0.1
        external_arrival_rate = 15.0
        cost_per_server = 20.0
        [[services]]
        name = "nurse"
        servers = 4
        service_time = 0.25
        cost_per_server = 40.0
        [[routes]]
        from = "desk [bold]"
        to = "nurse"
        routing_probability = 0.9
        """
    )
    return path


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_version_and_help():
    assert run("--version").output.strip() == f"flownet {fn.__version__}"
    assert "Exit codes" in " ".join(run("--help").output.split())
    assert run().exit_code == USAGE


@pytest.mark.parametrize("command", ["check", "solve", "find"])
def test_a_stable_system_is_fine_in_every_form(clinic, command):
    assert run(command, clinic).exit_code == FINE
    result = run(command, clinic, "--json")
    assert result.exit_code == FINE
    strict(result.stdout)
    if command != "check":
        rows = list(csv.DictReader(io.StringIO(run(command, clinic, "--csv").stdout)))
        assert {row["service"] for row in rows} == {"desk [bold]", "nurse"}


def test_markup_in_names_is_literal(clinic):
    output = run("solve", clinic).output
    assert "clinic [red]x[/red]" in output
    assert "desk [bold]" in output


def test_tables_are_wide_enough_to_read_where_there_is_no_terminal():
    output = run("solve", "urgent_care").output
    assert any("Emergency department" in line for line in output.splitlines())


def test_an_overloaded_system_has_its_own_exit_code():
    for command in ("solve", "find"):
        assert run(command, "discharge_to_assess").exit_code == UNSTABLE
    result = run("solve", "discharge_to_assess", "--json")
    assert strict(result.stdout)["standing"] == UNSTABLE


def test_faults_are_told_together_with_exit_code_one(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('[network]\n[[services]]\nname = "a"\nservers = -1\n')
    result = run("check", path)
    assert result.exit_code == FAULT
    for part in ("time_unit", "servers = -1", "service_time"):
        assert part in result.output
    assert run("solve", path).exit_code == FAULT
    assert len(strict(run("check", path, "--json").stdout)) >= 3


def test_a_missing_file_is_a_fault_and_a_wrong_word_is_usage(clinic):
    assert run("solve", "nowhere.toml").exit_code == FAULT
    assert run("solve", clinic, "--method", "magic").exit_code == USAGE
    assert run("find", clinic, "--goal", "magic").exit_code == USAGE
    assert run("solve", clinic, "--colour").exit_code == USAGE
    assert run("examples", "strok").exit_code == USAGE
    # blocking where nothing can block
    assert run("solve", clinic, "--method", "blocking").exit_code == USAGE


def test_reallocate_writes_the_changed_network(clinic, tmp_path):
    target = tmp_path / "after.toml"
    result = run("reallocate", clinic, "--budget", "45", "--output", target, "--json")
    assert result.exit_code == FINE, result.output
    plan = strict(result.stdout)
    after = fn.read(target)
    for name, count in plan["servers"].items():
        assert after.graph.nodes[name]["servers"] == count
    assert plan["spent"] <= 45
    changed = run("compare", clinic, target)
    assert changed.exit_code == FINE
    strict(run("compare", clinic, target, "--json").stdout)


def test_exchanges_come_from_a_table(clinic, tmp_path):
    table = tmp_path / "exchanges.csv"
    table.write_text("from,to,rate,limit\ndesk [bold],nurse,0.5,1\n")
    result = run("reallocate", clinic, "--exchanges", table)
    assert result.exit_code == FINE, result.output
    table.write_text("from,to\ndesk [bold],nurze\n")
    result = run("reallocate", clinic, "--exchanges", table)
    assert result.exit_code == FAULT
    assert "did you mean 'nurse'" in result.output


def test_report_writes_a_page(clinic, tmp_path):
    target = tmp_path / "page.html"
    result = run("report", clinic, "--budget", "45", "--output", target)
    assert result.exit_code == FINE, result.output
    assert "desk [bold]" in target.read_text(encoding="utf-8")
    assert run("report", clinic, "--output", tmp_path / "clinic.toml" / "x.html").exit_code == FAULT


def test_solve_says_how_many_leave_in_time():
    """Every class and time a row, the same figures as JSON and as CSV."""
    shown = run("solve", "urgent_care", "--within", "4", "--within", "12")
    assert shown.exit_code == FINE, shown.output
    assert "probability" in shown.output
    shares = strict(run("solve", "urgent_care", "--within", "4", "--json").stdout)["within"]
    solution = fn.solve(fn.example("urgent_care"))
    expected = solution.within(4.0)["probability"]
    assert [row["probability"] for row in shares] == pytest.approx(expected.tolist())
    table = run("solve", "urgent_care", "--within", "4", "--csv").stdout
    assert table.startswith("class,target,probability\n")
    assert run("solve", "urgent_care", "--within", "-1").exit_code == FAULT


def test_examples_are_listed_and_printed():
    listed = run("examples")
    assert all(name in listed.output for name in fn.examples())
    assert strict(run("examples", "--json").stdout) == list(fn.examples())
    assert run("examples", "stroke").output.startswith(("#", "["))


def test_the_page_of_attributes_is_the_printed_one(repository):
    page = (repository / "docs" / "attributes.md").read_text(encoding="utf-8")
    assert run("attributes", "--markdown").output == page
