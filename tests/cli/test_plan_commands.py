"""What a plan must reach, two goals against each other, and money against gain, from the shell."""

import json
import math

import pytest
from typer.testing import CliRunner

import flownet as fn
from flownet.cli import app

FINE, FAULT, USAGE, UNSTABLE = 0, 1, 2, 3
LINE = """
[network]
time_unit = "hour"
[[services]]
name = "front"
service_time = 1.0
servers = 3
external_arrival_rate = 1.8
cost_per_server = 10.0
[[services]]
name = "back"
service_time = 1.0
servers = 2
cost_per_server = 10.0
[[routes]]
from = "front"
to = "back"
routing_probability = 1.0
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def line(tmp_path):
    """Two stations in a row of 1.8 erlangs each, of which the second is the tighter."""
    path = tmp_path / "line.toml"
    path.write_text(LINE)
    return path


def waiting(servers, load=1.8):
    """Mean number waiting at M/M/c: Erlang's formula as it stands in every textbook."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) / (1 - load / servers)
    return last / (sum(terms) + last) * load / (servers - load)


def test_a_plan_reaches_its_targets(line):
    """1.8 erlangs are 60 % of three servers and 45 % of four: only four keep to half."""
    free = json.loads(run("reallocate", line, "--budget", 10, "--json").stdout)
    assert free["servers"] == {"back": 3}
    half = "utilization at front <= 50 %"
    result = run("reallocate", line, "--budget", 10, "--target", half, "--json")
    assert result.exit_code == FINE, result.output
    assert json.loads(result.stdout)["servers"] == {"front": 4}


def test_targets_of_the_terms_and_of_the_command_line_both_hold(line, tmp_path):
    terms = tmp_path / "terms.toml"
    terms.write_text("targets = {back = {utilization = 0.5}}\n")
    options = ("--terms", terms, "--target", "utilization at front <= 1 in 2", "--json")
    result = run("reallocate", line, "--budget", 100, *options)
    assert result.exit_code == FINE, result.output
    servers = json.loads(result.stdout)["servers"]
    assert servers["front"] >= 4
    assert servers["back"] >= 4


def test_a_target_out_of_reach_is_told_with_what_it_would_take(line):
    result = run("reallocate", line, "--budget", 10, "--target", "utilization at back <= 1 %")
    assert result.exit_code == FAULT
    assert "takes 180 servers" in result.output


def test_targets_that_mean_nothing_are_told_together(line):
    wrong = ("utilization at bakc <= 0.5", "faster", "number_waiting at back <= 1", "p95 >= 2",
             "within 4 <= 95 %", "within 4 >= 101 %", "waiting_time at back >= 2")  # fmt: skip
    asked = [part for text in wrong for part in ("--target", text)]
    result = run("reallocate", line, "--budget", 10, *asked)
    assert result.exit_code == FAULT
    assert "did you mean 'back'?" in result.output
    for text in wrong[1:]:
        assert f"'{text}'" in result.output


def test_an_option_goes_before_the_same_one_of_the_terms(line, tmp_path):
    terms = tmp_path / "terms.toml"
    terms.write_text('goal = "cost"\n')
    both = ("reallocate", line, "--budget", 10, "--terms", terms, "--json")
    assert json.loads(run(*both).stdout)["goal"] == "cost"
    assert json.loads(run(*both, "--goal", "delay").stdout)["goal"] == "delay"


def test_two_goals_give_a_front(line):
    """Without a price of delay, cost is money alone: every cheaper plan is on the front."""
    asked = ("pareto", line, "--goal", "delay", "--goal", "cost", "--budget", 20)
    result = run(*asked, "--json")
    assert result.exit_code == FINE, result.output
    rows = json.loads(result.stdout)["table"]
    assert [row["spent"] for row in rows] == [20.0, 10.0, 0.0]
    # both at the back, or one at each: the same two stations
    assert rows[0]["delay"] == pytest.approx(waiting(3) + waiting(4))
    assert rows[-1]["delay"] == pytest.approx(waiting(3) + waiting(2))
    shown = run(*asked).output
    assert "3 plans between 'delay' and 'cost'" in shown
    assert run(*asked, "--csv").stdout.startswith("plan,delay,cost,spent\n")


def test_a_front_needs_two_goals_and_takes_them_from_its_options(line, tmp_path):
    assert run("pareto", line).exit_code == USAGE
    assert "two goals" in run("pareto", line, "--goal", "delay").output
    terms = tmp_path / "terms.toml"
    terms.write_text('goal = "cost"\n')
    result = run("pareto", line, "--goal", "delay", "--goal", "cost", "--terms", terms)
    assert result.exit_code == FAULT
    assert "it is the option --goal" in result.output


def test_money_against_gain(line):
    asked = ("budget-curve", line, 0, 10, 20)
    result = run(*asked, "--json")
    assert result.exit_code == FINE, result.output
    rows = json.loads(result.stdout)
    expected = [waiting(3) + waiting(2), 2 * waiting(3), waiting(3) + waiting(4)]
    assert [row["value"] for row in rows] == pytest.approx(expected)
    assert [row["budget"] for row in rows] == [0.0, 10.0, 20.0]
    assert run(*asked, "--csv").stdout.startswith("budget,value,growth,spent,gain_per_money\n")
    assert "delay after the best plan" in run(*asked).output
    assert run("budget-curve", line).exit_code == USAGE
    assert run("budget-curve", line, "nan").exit_code == FAULT


def test_a_backlog_that_no_money_stops_has_its_exit_code(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text(LINE.replace("1.8", "18.0"))
    assert run("budget-curve", path, 0, 10).exit_code == UNSTABLE


def test_words_and_tables_ask_for_the_same(line):
    network = fn.read(line)
    said = ["waiting_time at back <= 0.05", "p95 <= 9"]
    table = {"back": {"waiting_time": 0.05}, "network": {"within": (9.0, 0.95)}}
    by_words, by_table = (
        fn.reallocate(network, budget=100.0, targets=targets) for targets in (said, table)
    )
    assert by_words.servers == by_table.servers
    assert by_words.after.services.loc["back", "waiting_time"] <= 0.05
    assert float(by_words.after.within(9.0)["probability"].iloc[0]) >= 0.95


def test_moves_name_services_by_their_labels(line):
    line.write_text(LINE.replace('name = "back"', 'name = "back"\nlabel = "Back office"'))
    rows = run("reallocate", line, "--budget", 10).output.splitlines()
    (bought,) = (row for row in rows if row.split()[:2] == ["1", "buy"])
    assert "Back office" in bought
