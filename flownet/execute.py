"""One adapter for executors and progress: independent tasks, in threads or as the user asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, as_completed
from typing import Generic, NamedTuple, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Outcome(NamedTuple, Generic[Answer]):
    """The answers in the order of their tasks; fewer than the tasks where it was interrupted."""

    answers: list[Answer]
    interrupted: bool


def run_all(
    function: Callable[[Task], Answer],
    tasks: Sequence[Task],
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome[Answer]:
    """Return what `function` says to each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        For an executor of processes it must stand at the top of a module.
    tasks : sequence
        One argument each.
    executor : concurrent.futures.Executor, optional
        Where the tasks run; default threads, one a core. It is not shut down.
    progress : callable, optional
        Called with the number of tasks done and of all tasks after each.

    Returns
    -------
    Outcome
        After a KeyboardInterrupt, the answers that were finished by then; what had not begun is
        cancelled, and what was under way ends unheard.

    Examples
    --------
    >>> run_all(abs, [-1, 2]).answers
    [1, 2]
    """
    own = executor is None
    pool = executor or ThreadPoolExecutor(max(min(len(tasks), os.cpu_count() or 1), 1))
    futures: list[Future[Answer]] = []
    interrupted = False
    try:
        futures += [pool.submit(function, task) for task in tasks]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            if progress is not None:
                progress(done, len(tasks))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for future in futures:
            future.cancel()
        if own:
            pool.shutdown(wait=False, cancel_futures=True)
    return Outcome([future.result() for future in futures if _succeeded(future)], interrupted)


def _succeeded(future: Future[Answer]) -> bool:
    try:
        return future.done() and future.exception() is None
    except CancelledError:
        return False
