"""Worker processes for a transform: they read the file themselves and return what changes, in order.

They are started afresh, so that no thread or lock is copied, and get a pipe each. A worker that dies
shows as the end of its pipe. Whatever happens, none outlives the iteration.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, NamedTuple

from insitu.core.protocols import Cancel
from insitu.core.spans import Span
from insitu.errors import CancelledError, FunctionError, InsituError, RequestError
from insitu.views.transform_work import Changes, Failure

Work = Callable[[Span], Changes | Failure]

# A worker has its next task waiting while its result is on the way.
_TASKS_AHEAD: Final = 2

# Results that wait for their turn, to a worker: at most so many windows' changes are held.
_RESULTS_AHEAD: Final = 4

_CANCEL_INTERVAL_S: Final = 0.1

_END_TIMEOUT_S: Final = 2.0


Value = Changes | Failure | InsituError


class _Result(NamedTuple):
    number: int
    value: Value


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    tasks: list[Span]


def in_order(
    start: Callable[[], Work], tasks: Iterator[Span], count: int, cancel: Cancel | None
) -> Iterator[tuple[Span, Value]]:
    """Has tasks done by worker processes and yields them with their results, in order.

    Args:
        start: makes the work, in each process; can be pickled.
        count: how many processes.

    Raises:
        FunctionError: a process died.
        CancelledError: ``cancel`` said so.

    Cost: per worker two tasks under way and at most four results waiting.
    """
    crew = _Crew(start, count)
    try:
        yield from crew.results(tasks, cancel)
    finally:
        crew.end()


class _Crew:
    def __init__(self, start: Callable[[], Work], count: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        try:
            for number in range(count):
                ours, theirs = spawning.Pipe()
                process = spawning.Process(
                    target=_serve, args=(theirs, start), name=f"insitu-transform-{number}", daemon=True
                )
                self._workers.append(_Worker(process, ours, []))
                process.start()
                theirs.close()
        except BaseException:
            self.end()
            raise

    def results(self, tasks: Iterator[Span], cancel: Cancel | None) -> Iterator[tuple[Span, Value]]:
        """Yields tasks and results, in order."""
        ready: dict[int, Value] = {}
        given: dict[int, Span] = {}
        count = 0
        for turn in itertools.count():
            for worker in self._workers:
                while len(worker.tasks) < _TASKS_AHEAD and len(given) < _RESULTS_AHEAD * len(self._workers):
                    if (task := next(tasks, None)) is None:
                        break
                    given[count] = task
                    self._give(worker, count, task)
                    count += 1
            if not given:
                return
            while turn not in ready:
                if cancel is not None and cancel():
                    raise CancelledError("The transform was cancelled; the file is unchanged.")
                self._take(ready)
            yield given.pop(turn), ready.pop(turn)

    def _give(self, worker: _Worker, number: int, task: Span) -> None:
        worker.tasks.append(task)
        try:
            worker.pipe.send((number, task))
        except OSError:
            raise self._died(worker) from None

    def _take(self, ready: dict[int, Value]) -> None:
        """Takes in the results that are there, or waits a moment for one."""
        pipes = {worker.pipe: worker for worker in self._workers if worker.tasks}
        for pipe in wait(list(pipes), _CANCEL_INTERVAL_S):
            assert isinstance(pipe, Connection)
            worker = pipes[pipe]
            try:
                result: _Result = pipe.recv()
            except (EOFError, OSError):
                raise self._died(worker) from None
            worker.tasks.pop(0)
            ready[result.number] = result.value

    def _died(self, worker: _Worker) -> FunctionError:
        worker.process.join(_END_TIMEOUT_S)
        code = worker.process.exitcode
        how = "stopped answering" if code is None else _ending(code)
        span = worker.tasks[0]
        return FunctionError(
            f"A worker process {how} while it worked on bytes {span.start:,} to {span.stop:,}; "
            "nothing was changed.",
            hint="If the function ends the process or takes too much memory, mend it; a script that calls "
            "this needs its calls below: if __name__ == '__main__'",
            offset=span.start,
            exit_code=code,
        )

    def end(self) -> None:
        """Ends all processes, at once."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.process.pid is not None:
                worker.process.terminate()
        for worker in self._workers:
            if worker.process.pid is not None:
                worker.process.join(_END_TIMEOUT_S)
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()
                worker.process.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def check_not_a_worker() -> None:
    """Refuses in a worker that runs the caller's script a second time, in order to import its functions.

    Raises:
        RequestError: this is one; that it ends tells the caller.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RequestError(
            "A transform with workers was started by a worker that imports the script: what the script does "
            "belongs below: if __name__ == '__main__'",
        )


def _serve(pipe: Connection, start: Callable[[], Work]) -> None:
    """What a worker does: answers tasks until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us is told, and ends us
    work: Work | None = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            number, task = pipe.recv()
            value: Value
            try:
                work = work or start()
                value = work(task)
            except InsituError as error:
                value = error
            pipe.send(_Result(number, value))
