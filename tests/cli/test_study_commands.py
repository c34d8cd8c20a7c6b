"""flownet study, sweep and goal-seek: thin doors to the public functions."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import flownet as fn
from flownet.cli import app
from flownet.errors import ParameterError
from flownet.study.design import axis_of

CLINIC = """
[network]
time_unit = "hour"
[[services]]
name = "desk"
servers = 2
service_time = 0.15
external_arrival_rate = 10.0
"""


@pytest.fixture
def clinic(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text(CLINIC)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_study_prints_the_best_first(clinic, tmp_path):
    paths = []
    for servers in (3, -3):
        path = tmp_path / f"{servers}.toml"
        path.write_text(fn.Scenario(f"desk {servers}").set("desk", servers=servers).to_toml())
        paths.append(path)
    found = run("study", clinic, paths[0], "--measure", "occupancy at desk")
    assert found.exit_code == 0
    assert "best delay: desk 3" in found.output
    assert "occupancy at desk" in found.output
    both = run("study", clinic, *paths, "--json")
    assert both.exit_code == 1
    rows = json.loads(both.stdout)["table"]
    assert "must be a number above 0" in rows[2]["error"]


def test_sweep_keeps_its_rows_and_prints_them(clinic, tmp_path):
    given = ["sweep", clinic, "--vary", "servers at desk=2:4", "--measure", "delay"]
    found = run(*given, "--out", tmp_path / "rows", "--csv")
    assert found.exit_code == 0
    assert len(found.stdout.splitlines()) == 4
    assert len(pd.read_parquet(tmp_path / "rows")) == 3
    sampled = run(*given, "--samples", "5", "--json")
    assert json.loads(sampled.stdout)["design"] == "sobol"
    assert run("sweep", clinic, "--vary", "servers at dsek=2:4").exit_code == 2
    assert run("sweep", clinic, "--vary", "servers at desk").exit_code == 1


def test_goal_seek_says_the_value_or_that_there_is_none(clinic):
    found = run("goal-seek", clinic, "servers at desk", "wait_probability at desk <= 1 in 20")
    assert found.exit_code == 0
    fewest = next(c for c in range(2, 20) if fn.queues.erlang_c(c, 1.5) <= 0.05)
    assert f"servers at desk = {fewest}" in found.output
    none = run("goal-seek", clinic, "servers at desk", "within 0.01 >= 50 %")
    assert none.exit_code == 3
    assert "no value" in none.output
    assert run("goal-seek", clinic, "servers at desk", "delay <= 1", "--low", "2").exit_code == 2


@pytest.mark.parametrize("text", ["servers", "=3", "servers=", "servers=5:3", "servers=1:2:3:4"])
def test_values_that_cannot_be_read_are_told(text):
    with pytest.raises(ParameterError, match="must"):
        axis_of(text)
