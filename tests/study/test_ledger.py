"""The ledger: only ever added to, paged, verified, and whole whatever happens to its writers."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

import flownet as fn
from flownet.errors import ParameterError, ReadError, StoreError, UnknownNameError


def record(title="a bed", **more):
    return fn.TestOfChange([3, 4, 3, 4], title, (1, 2), [2, 1, 2], **more)


@pytest.fixture
def ledger(tmp_path):
    return fn.Ledger(tmp_path / "tests.sqlite")


def test_what_was_recorded_comes_back(ledger):
    assert ledger.append(record("first")) == 1
    assert ledger.append(record("second", follows=1)) == 2
    assert len(ledger) == 2
    assert ledger[2].change == "second"
    assert [test.change for test in fn.Ledger(ledger.path)] == ["first", "second"]
    assert ledger.verify() == 2
    assert "second (too early)" in repr(ledger)
    with pytest.raises(UnknownNameError, match="there are 2"):
        ledger[3]
    with pytest.raises(ParameterError, match="there are 2"):
        ledger.append(record(follows=7))
    with pytest.raises(ParameterError, match="must be a TestOfChange"):
        ledger.append("a bed")
    assert len(ledger) == 2


def test_pages_have_the_newest_first(ledger):
    for number in range(7):
        ledger.append(record(f"no. {number + 1}"))
    page = ledger.page(2, size=3)
    assert list(page.index) == [4, 3, 2]
    assert list(page["title"]) == ["no. 4", "no. 3", "no. 2"]
    assert page.attrs["pages"] == 3
    with pytest.raises(ParameterError, match="from 1 to 3"):
        ledger.page(4, size=3)


def test_records_cannot_be_changed_or_removed(ledger):
    ledger.append(record())
    connection = sqlite3.connect(ledger.path)
    for statement in ("UPDATE records SET title = 'x'", "DELETE FROM records"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            connection.execute(statement)
    connection.execute("DROP TRIGGER never_changed")
    connection.execute("UPDATE records SET document = replace(document, '2.0', '9.0')")
    connection.commit()
    connection.close()
    with pytest.raises(ReadError, match="not what was recorded"):
        ledger.verify()


def test_what_is_no_ledger_is_refused(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("dear " * 1000)
    with pytest.raises(ReadError, match="no ledger"):
        fn.Ledger(letter)
    with pytest.raises(StoreError, match="nothing was recorded"):
        fn.Ledger(tmp_path / "nowhere" / "tests.sqlite")


WRITER = """
import sys
import flownet as fn
ledger = fn.Ledger(sys.argv[1])
test = fn.TestOfChange([3, 4, 3, 4], sys.argv[2], (1, 2), [2, 1, 2])
while True:
    print(ledger.append(test), flush=True)
"""


@pytest.mark.slow
def test_two_writers_killed_at_random_lose_and_corrupt_nothing(ledger):
    generator = np.random.default_rng(4)
    acknowledged = set()
    for _ in range(3):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(ledger.path), name], stdout=subprocess.PIPE
            )
            for name in ("east", "west")
        ]
        for writer in writers:
            writer.stdout.readline()  # both have begun
        time.sleep(generator.uniform(0.05, 0.4))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            time.sleep(generator.uniform(0.0, 0.1))
        for writer in writers:
            # the last line may be cut off; the first was read above
            acknowledged |= {int(line) for line in writer.stdout.read().split(b"\n")[:-1] if line}
            writer.stdout.close()
            writer.wait()
    count = ledger.verify()
    assert acknowledged
    assert acknowledged <= set(range(1, count + 1))
    assert ledger.append(record("afterwards")) == count + 1
    assert {test.change for test in ledger} == {"east", "west", "afterwards"}
