"""Sweeps: rows against networks solved one by one, executors to the last bit, kill and resume."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study.sweep_cases import GRID, MEASURES, clinic

import flownet as fn
from flownet.errors import ParameterError, ReadError, StoreError, UnknownNameError
from flownet.execute import shown
from flownet.kernels.blocking_compressed import solve_compressed, with_slopes
from flownet.network.compile import compile_network
from flownet.study import sweep_rows, sweep_store
from flownet.study.neighbours import neighbourhoods


def swept(**options):
    return fn.sweep(clinic(), GRID, MEASURES, chunk=4, progress=False, **options)


@pytest.fixture(scope="module")
def result():
    return swept()


def test_each_row_is_the_network_solved_by_itself(result):
    assert len(result.table) == 24
    for row in (0, 5, 7, 23):
        solution = fn.solve(result.scenario(row).apply(clinic()))
        found = result.table.loc[row]
        # a sweep stops at a residual of 1e-6, and starts elsewhere
        assert found["delay"] == pytest.approx(solution.system["delay"], rel=1e-5)
        within = solution.within(2.0).loc[("all", 2.0), "probability"]
        assert found["within 2"] == pytest.approx(within, rel=1e-5)
        assert found["method"] == solution.method


def test_poison_is_a_row_with_its_error(result):
    bad = result.table["servers at ward"] == -1
    assert (result.table.loc[bad, "error"].str.contains("must be a number above 0")).all()
    assert result.table.loc[bad, "delay"].isna().all()
    assert (result.table.loc[~bad, "error"] == "").all()
    assert len(result.failed) == bad.sum() == 6
    assert "6 failed" in repr(result)


def test_whatever_one_row_fails_with_the_others_go_on(result, monkeypatch):
    real = sweep_rows.solve_compilation

    def breaks(network, compilation, *given, **options):
        if compilation.arrays.servers[1] == 5:
            message = "a bug"
            raise RuntimeError(message)
        return real(network, compilation, *given, **options)

    monkeypatch.setattr(sweep_rows, "solve_compilation", breaks)
    table = swept().table
    broken = table["servers at ward"] == 5
    assert (table.loc[broken, "error"] == "RuntimeError: a bug").all()
    fine = table["servers at ward"] == 6
    assert (table.loc[fine, "error"] == "").all()
    assert table.loc[fine, "delay"].to_numpy() == pytest.approx(
        result.table.loc[fine, "delay"].to_numpy(), rel=1e-5
    )


def test_progress_tells_rows_done_and_a_bar_shows_the_time_left(capfd, monkeypatch):
    told = []
    fn.sweep(clinic(), GRID, ["delay"], chunk=8, progress=lambda *how_far: told.append(how_far))
    assert told == [(0, 24), (8, 24), (16, 24), (24, 24)]
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal
    monkeypatch.setenv("TERM", "xterm")
    with shown("scenarios", progress=True) as tell:
        tell(1, 2)
    bar = capfd.readouterr().err
    assert "scenarios" in bar
    assert "left" in bar
    with shown("scenarios", progress=False) as tell:
        tell(1, 2)
    assert capfd.readouterr().err == ""


def test_a_grid_goes_to_xarray(result):
    grid = result.to_xarray()
    assert grid["delay"].dims == tuple(GRID)
    here = dict(zip(GRID, (6.0, 1.0, 0.5), strict=True))
    assert float(grid["delay"].sel(here)) == result.table["delay"].iloc[-1]
    sampled = fn.sweep(clinic(), {"servers at ward": (4, 8)}, "delay", samples=3)
    with pytest.raises(ParameterError, match="not a regular grid"):
        sampled.to_xarray()


def test_best_front_and_tornado(result):
    known = result.table[result.table["error"] == ""]
    best = known["within 2"].idxmax()
    assert result.best("within 2") == result.scenario(best)
    assert result.ranking("within 2").index[0] == best
    with pytest.raises(ParameterError, match="goal delay"):
        fn.sweep(clinic(), GRID, ["delay"], progress=False).best("delay")
    bars = result.tornado("within 2")
    means = known.groupby("service_time at ward")["within 2"].mean()
    assert bars.table.loc["service_time at ward", "low"] == pytest.approx(means[0.4])
    assert bars.table.loc["service_time at ward", "high"] == pytest.approx(means[0.5])
    assert json.dumps(bars.to_dict())
    assert json.dumps(result.to_dict())


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_table_is_the_same_to_the_last_bit(kind, result, tmp_path):
    spawned = multiprocessing.get_context("spawn")  # forking beside threads can hang
    pool = ThreadPoolExecutor(2) if kind == "threads" else ProcessPoolExecutor(1, spawned)
    with pool:
        again = swept(executor=pool, path=tmp_path / "sweep")
    pd.testing.assert_frame_equal(again.table, result.table, check_exact=True)
    read = fn.SweepResult.from_path(tmp_path / "sweep")
    pd.testing.assert_frame_equal(read.table, result.table, check_exact=True)
    assert len(pd.read_parquet(tmp_path / "sweep")) == 24


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(result, tmp_path, monkeypatch):
    def stop(done, _total):
        if done >= 8:
            raise KeyboardInterrupt

    first = fn.sweep(clinic(), GRID, MEASURES, chunk=4, path=tmp_path, progress=stop)
    assert not first.complete
    assert "interrupted" in repr(first)
    assert len(first.table) == 8
    computed = []
    real = fn.study.sweep.solve_rows
    monkeypatch.setattr(
        "flownet.study.sweep.solve_rows",
        lambda job, chunk: computed.append(chunk.number) or real(job, chunk),
    )
    again = swept(path=tmp_path)
    assert computed == [2, 3, 4, 5]
    pd.testing.assert_frame_equal(again.table, result.table, check_exact=True)


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import flownet as fn
from study.sweep_cases import GRID, MEASURES, clinic
import time
def slowly(done, total):
    print(done, flush=True)
    time.sleep(0.05)
fn.sweep(clinic(), GRID, MEASURES, chunk=1, path={path!r}, progress=slowly)
"""


def test_a_process_that_is_killed_leaves_whole_rows_and_another_goes_on(tmp_path):
    path, tests = tmp_path / "sweep", str(Path(__file__).parents[1])
    code = KILLED.format(tests=tests, path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        for _ in range(6):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    kept = fn.SweepResult.from_path(path)
    assert 4 <= len(kept.table) < 24
    again = fn.sweep(clinic(), GRID, MEASURES, chunk=1, path=path, progress=False)
    assert list(again.table.index) == list(range(24))
    alone = fn.sweep(clinic(), GRID, MEASURES, chunk=1, progress=False)
    pd.testing.assert_frame_equal(again.table, alone.table, check_exact=True)


def test_a_full_disk_leaves_the_earlier_rows_readable(tmp_path, result, monkeypatch):
    real = os.fsync
    written = []

    def full(number):
        written.append(number)
        if len(written) > 4:  # the design and three parts
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_store.os, "fsync", full)
        with pytest.raises(StoreError, match=r"disk is full. 12 of 24 rows are kept"):
            swept(path=tmp_path)
    kept = fn.SweepResult.from_path(tmp_path)
    assert len(kept.table) == 12
    same = result.table.loc[kept.table.index]
    pd.testing.assert_frame_equal(kept.table, same, check_exact=True)
    assert not list(tmp_path.glob(".*"))  # nothing half-written
    pd.testing.assert_frame_equal(swept(path=tmp_path).table, result.table, check_exact=True)


def test_a_part_that_was_damaged_is_computed_again(tmp_path, result):
    swept(path=tmp_path)
    part = tmp_path / "part-00002.parquet"
    part.write_bytes(part.read_bytes()[:100])
    assert len(fn.SweepResult.from_path(tmp_path).table) == 20
    pd.testing.assert_frame_equal(swept(path=tmp_path).table, result.table, check_exact=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"sharp": -1.0}, "sharp = -1.0: must be a number between 0 and 1"),
     ({"sharp": float("nan")}, "sharp = nan"), ({"chunk": 0}, "chunk = 0"),
     ({"executor": "dask"}, "executor = str: must have submit")],
)  # fmt: skip
def test_what_a_sweep_cannot_work_with_is_named(options, words):
    with pytest.raises(ParameterError, match=words):
        fn.sweep(clinic(), {"servers at ward": [4]}, ["delay"], **({"progress": False} | options))


def test_a_folder_with_something_else_is_refused(tmp_path):
    swept(path=tmp_path / "one")
    with pytest.raises(ParameterError, match=r"another sweep \(it differs in measures"):
        fn.sweep(clinic(), GRID, ["delay"], path=tmp_path / "one", chunk=4)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("hello")
    with pytest.raises(ParameterError, match="not empty"):
        swept(path=tmp_path / "letters")
    with pytest.raises(ReadError, match="no sweep"):
        fn.SweepResult.from_path(tmp_path / "letters")


@pytest.mark.parametrize("sampling", ["sobol", "latin_hypercube"])
def test_samples_cover_the_ranges_evenly(sampling):
    ranges = {"servers at ward": (3, 6), "scale service_time": (0.5, 1.5)}
    make = fn.Design.sobol if sampling == "sobol" else fn.Design.latin_hypercube
    design = make(ranges, 64, seed=5)
    counts = np.unique(design.points[:, 0], return_counts=True)
    assert list(counts[0]) == [3, 4, 5, 6]
    assert list(counts[1]) == [16, 16, 16, 16]  # both fill each quarter of a margin alike
    cells = np.histogram(design.points[:, 1], bins=64, range=(0.5, 1.5))[0]
    assert (cells == 1).all()  # both put one point in each 64th of a margin
    assert (make(ranges, 64, seed=5).points == design.points).all()
    assert not (make(ranges, 64, seed=6).points == design.points).all()
    assert len(make(ranges, 50).points) == 50


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ({}, "needs a parameter"),
        ({"servers at ward": []}, "must list values"),
        ({"servers at ward": [3, 3]}, "each once"),
        ({"servers at ward": ["many"]}, "must be numbers"),
        ({"servers at ward": range(10**6), "service_time at ward": range(10**6)}, "sample instead"),
        ([3, 4], "must be a Design"),
        (pd.DataFrame({"servers at ward": ["x"]}), "numbers only"),
    ],
)
def test_designs_that_cannot_be_are_refused(design, words):
    with pytest.raises(ParameterError, match=words):
        fn.sweep(clinic(), design)


def test_what_never_works_fails_at_once():
    with pytest.raises(UnknownNameError, match="did you mean 'ward'"):
        fn.sweep(clinic(), {"servers at wrad": [3]})
    with pytest.raises(UnknownNameError, match="did you mean 'delay'"):
        fn.sweep(clinic(), GRID, ["dealy"])
    with pytest.raises(ParameterError, match="no price"):
        fn.sweep(fn.example("stroke"), {"scale external_arrival_rate": [1.0]}, ["goal cost"])
    with pytest.raises(ParameterError, match="lower first"):
        fn.sweep(clinic(), {"servers at ward": (5, 3)}, samples=4)


def test_a_table_of_rows_is_a_design(result):
    rows = result.table[list(GRID)].iloc[[3, 20]]
    again = fn.sweep(clinic(), rows, MEASURES, progress=False)
    assert again.table["delay"].to_numpy() == pytest.approx(
        result.table["delay"].iloc[[3, 20]].to_numpy(), rel=1e-5
    )


def test_rows_of_a_group_lie_close_and_each_row_is_in_one():
    points = np.random.default_rng(2).uniform(size=(1000, 2))
    groups = neighbourhoods(points, 64)
    assert sorted(np.concatenate(groups)) == list(range(1000))
    assert [len(group) for group in groups].count(64) == 15
    # sixteen groups over the unit square: each within about a quarter of it either way
    spread = [np.ptp(points[group], axis=0).max() for group in groups]
    assert np.median(spread) < 0.4


def test_a_start_from_a_neighbour_leads_to_the_same_fixed_point_in_fewer_sweeps():
    compilation = compile_network(clinic())
    arrays = compilation.arrays
    like = arrays._replace(external_arrival_rate=arrays.external_arrival_rate * 1.02)
    cold, near = solve_compressed(arrays), solve_compressed(like)
    warm = solve_compressed(arrays, start=with_slopes(like, near).rest)
    assert warm.iterations < cold.iterations
    assert warm.number_waiting == pytest.approx(cold.number_waiting, rel=1e-7)
    other = solve_compressed(arrays, start=np.zeros(3))
    assert (other.number_waiting == cold.number_waiting).all()  # another length counts as none


@pytest.mark.slow
def test_a_dask_worker_that_dies_loses_no_row_and_doubles_none(tmp_path):
    from distributed import Client, LocalCluster

    design = {**GRID, "scale external_arrival_rate": list(np.linspace(0.7, 1.1, 40))}
    alone = fn.sweep(clinic(), design, MEASURES, chunk=4, progress=False)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        killed = []

        def kill_one(done, _total):
            if done >= 40 and not killed:
                killed.append(next(iter(pids.values())))
                os.kill(killed[0], signal.SIGKILL)
                time.sleep(0.5)

        found = fn.sweep(
            clinic(), design, MEASURES, chunk=4, executor=client, path=tmp_path, progress=kill_one
        )
        assert killed
        assert found.complete
        assert list(found.table.index) == list(range(len(alone.table)))
        pd.testing.assert_frame_equal(found.table, alone.table, check_exact=True)
