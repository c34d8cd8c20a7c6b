"""One adapter for executors and progress: independent tasks, here, in threads, or as asked."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]
"""Called with the number of tasks done and of all tasks."""


class Outcome(NamedTuple, Generic[Answer]):
    """The answers in the order of their tasks; fewer than the tasks where it was interrupted."""

    answers: list[Answer]
    interrupted: bool


def run_all(
    function: Callable[[Task], Answer],
    tasks: Sequence[Task],
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Outcome[Answer]:
    """Return what `function` says to each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        For an executor of processes it must stand at the top of a module.
    tasks : sequence
        One argument each.
    executor : concurrent.futures.Executor, optional
        Where the tasks run, as for `stream`; default threads, one a core. It is not shut down.
    progress : callable, optional
        Called with the number of tasks done and of all tasks after each.

    Returns
    -------
    Outcome
        After a KeyboardInterrupt, the answers that were heard by then; what had not begun is
        cancelled, and what was under way ends unheard.

    Examples
    --------
    >>> run_all(abs, [-1, 2]).answers
    [1, 2]
    """
    own = executor is None
    pool = executor or ThreadPoolExecutor(max(min(len(tasks), os.cpu_count() or 1), 1))
    answers: dict[int, Answer] = {}
    interrupted = False
    heard = stream(_called, function, tasks, pool)
    try:
        for position, answer in heard:
            answers[position] = answer
            if progress is not None:
                progress(len(answers), len(tasks))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        heard.close()
        if own and isinstance(pool, ThreadPoolExecutor):
            pool.shutdown(wait=False, cancel_futures=True)
    return Outcome([answers[position] for position in sorted(answers)], interrupted)


def _called(function: Callable[[Task], Answer], task: Task) -> Answer:
    return function(task)


def stream(
    function: Callable[[Shared, Task], Answer],
    shared: Shared,
    tasks: Sequence[Task],
    executor: Any = None,
) -> Generator[tuple[int, Answer], None, None]:
    """Yield the position of each task and what `function` says to it, as they are done.

    Parameters
    ----------
    function : callable
        Takes `shared` and a task; for processes it must stand at the top of a module, and for
        Dask a task may run twice (where a worker dies), so that it must have no other effect.
    shared : object
        What all tasks need. It travels once to each process or Dask worker.
    tasks : sequence
        What differs.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Where the tasks run; default here, one after the other. It is not shut down.

    Yields
    ------
    (int, object)
        Each position exactly once. What has not begun is cancelled when the iterator is closed.

    Examples
    --------
    >>> list(stream(pow, 2, [3, 4]))
    [(0, 8), (1, 16)]
    """
    if executor is None:
        for position, task in enumerate(tasks):
            yield position, function(shared, task)
    elif is_dask(executor):
        yield from _on_dask(function, shared, tasks, executor)
    else:
        with _carried(function, shared, executor) as carried:
            yield from _on_executor(carried, tasks, executor)


def is_dask(executor: Any) -> bool:
    """Return whether `executor` is a client of Dask's `distributed`."""
    package = type(executor).__module__.partition(".")[0]
    return package == "distributed" and hasattr(executor, "scheduler_info")


def _on_executor(
    submit: Callable[[Executor, Any], Future[Answer]], tasks: Sequence[Any], executor: Executor
) -> Iterator[tuple[int, Answer]]:
    waiting: dict[Future[Answer], int] = {}
    try:
        for position, task in enumerate(tasks):
            waiting[submit(executor, task)] = position
        for future in as_completed(list(waiting)):
            yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()


@contextlib.contextmanager
def _carried(
    function: Callable[[Any, Any], Any], shared: Any, executor: Executor
) -> Iterator[Callable[[Executor, Any], Future[Any]]]:
    """Give what submits one task; processes read what is shared from a file, each once."""
    if not isinstance(executor, ProcessPoolExecutor):
        yield lambda pool, task: pool.submit(function, shared, task)
        return
    with tempfile.TemporaryDirectory(prefix="flownet-") as folder:
        path = Path(folder) / "shared.pickle"
        path.write_bytes(pickle.dumps((function, shared)))
        yield lambda pool, task: pool.submit(_from_file, str(path), task)


@lru_cache(maxsize=1)
def _loaded(path: str) -> tuple[Callable[[Any, Any], Any], Any]:
    found: tuple[Callable[[Any, Any], Any], Any] = pickle.loads(Path(path).read_bytes())  # noqa: S301  # our own
    return found


def _from_file(path: str, task: Any) -> Any:
    function, shared = _loaded(path)
    return function(shared, task)


def _on_dask(
    function: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any], client: Any
) -> Iterator[tuple[int, Any]]:
    """Run tasks on a Dask cluster; what a dead worker held is computed again by another."""
    import distributed

    carried = client.submit(_itself, shared, pure=False)  # workers hand it to each other
    waiting = {
        client.submit(function, carried, task, pure=False): position
        for position, task in enumerate(tasks)
    }
    try:
        futures = list(waiting)
        # the call has no types in distributed
        done: Iterable[Any] = distributed.as_completed(futures, with_results=True)  # type: ignore[no-untyped-call]
        for future, answer in done:
            yield waiting.pop(future), answer
    finally:
        client.cancel(list(waiting))


def _itself(shared: Shared) -> Shared:
    return shared


@contextlib.contextmanager
def shown(what: str, *, progress: Progress | bool | None) -> Iterator[Progress]:
    """Give a callback of progress: the caller's own, or a bar with the time left.

    Parameters
    ----------
    what : str
        Stands beside the bar.
    progress : callable or bool, optional
        The caller's own callback; whether to show a bar; default a bar where somebody can see it,
        in a terminal or a notebook.
    """
    if callable(progress):
        yield progress
        return
    if progress is None:
        progress = sys.stderr.isatty() or "ipykernel" in sys.modules
    if not progress:
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)
