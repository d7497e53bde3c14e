"""Many cells at once: what is recorded is skipped, what fails is told, the rest goes on.

A sweep may be cut off at any moment. The next one starts where records end, and a training that
was under way goes on from its checkpoint.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from hsirepro.errors import HsireproError, RecordError
from hsirepro.papers.cells import fill, recorded
from hsirepro.records import Record, RecordKey, RecordStore

Run = Callable[..., Record]


def missing(cells: Iterable[RecordKey], store: RecordStore) -> list[RecordKey]:
    """Return the cells that have no current record in ``store``, each once, in order."""
    return [key for key in dict.fromkeys(cells) if recorded(key, [store]) is None]


def sweep(
    cells: Sequence[RecordKey],
    run: Run,
    *,
    store: RecordStore,
    device: str = "cpu",
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Run the cells that are missing, several at a time.

    Parameters
    ----------
    cells : sequence of RecordKey
        In the order in which they are started.
    run : callable
        ``(key, device=..., checkpoint=...) -> Record``, importable by name: a paper's ``run_cell``.
    store : RecordStore
        Where records go.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``; all jobs share it.
    jobs : int
        Processes; each takes its share of the processor's cores, or ``OMP_NUM_THREADS``.
    say : callable
        Is told, in a line, how far the sweep is.

    Returns
    -------
    list of str
        What failed, one text per cell; empty if nothing did.

    Raises
    ------
    RecordError
        If the store cannot be written: before any run starts.
    """
    left = missing(cells, store)
    say(f"{len(left)} of {len(dict.fromkeys(cells))} cells are to be run, {jobs} at a time")
    if not left:
        return []
    store.check_writable()
    failures = []
    # More threads than cores slow every job down; who runs other things beside says how many.
    told = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(told) if told.isdigit() else max(1, (os.cpu_count() or 1) // jobs)
    # A fresh interpreter per job: a forked one cannot use a GPU.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        started = {
            pool.submit(_work, key, run, str(store.root), device, threads): key for key in left
        }
        try:
            for number, future in enumerate(as_completed(started), start=1):
                problem = future.exception()
                key = started[future]
                if problem is None:
                    say(f"{number} of {len(left)}: {key} {future.result()}")
                    continue
                text = str(problem) if isinstance(problem, HsireproError) else repr(problem)
                failures.append(f"{key}: {text}")
                say(f"{number} of {len(left)}: FAILED {failures[-1]}")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return failures


def _work(key: RecordKey, run: Run, root: str, device: str, threads: int) -> str:
    import torch

    torch.set_num_threads(threads)

    def one(cell: RecordKey, checkpoint: Path) -> Record:
        return run(cell, device=device, checkpoint=checkpoint)

    (record,) = fill([key], one, store=RecordStore(root))
    if not record.metrics:
        raise RecordError(f"The record of {key} holds no metric.")
    name, value = next(iter(record.metrics.items()))
    return f"in {record.provenance['wall_time_s']:.0f} s, {name} {value:.4g}"
