"""Fill the cells of a table: take what is recorded, run what is missing, lose nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hsirepro.errors import RecordError
from hsirepro.records import Record, RecordKey, RecordStore, code_hash, default_root

CHECKPOINTS = ".checkpoints"  # inside a store; git ignores it


def scratch_store() -> RecordStore:
    """Return where chapters keep their runs: ``HSIREPRO_SCRATCH``, or ``_build/records``.

    Chapters find what they ran before, but only ``hsirepro run`` adds to ``results/``.
    """
    told = os.environ.get("HSIREPRO_SCRATCH")
    return RecordStore(told or default_root().parent / "_build" / "records")


def is_current(record: Record) -> bool:
    """Tell whether a record may stand for a run of today's code.

    Records of the ``paper`` profile cost hours: they stay valid and show the code they came from.
    Shorter ones are re-made when the code has changed.
    """
    return record.key.profile == "paper" or record.provenance.get("code_hash") == code_hash()


def recorded(key: RecordKey, stores: Iterable[RecordStore]) -> Record | None:
    """Return the current record of exactly this cell, or None."""
    for store in stores:
        path = store.root / key.path
        if not os.path.exists(path):  # unlike Path.exists, also where the folder is closed to us
            continue
        try:
            record = store.read(path)
        except RecordError:
            continue  # torn or altered: made again
        if is_current(record):
            return record
    return None


def fill(
    keys: Sequence[RecordKey],
    run: Callable[[RecordKey, Path], Record],
    *,
    store: RecordStore | None = None,
    again: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Record]:
    """Return the records of ``keys``, running those that are missing.

    Parameters
    ----------
    keys : sequence of RecordKey
        Cells, in the order in which they are run.
    run : callable
        ``(key, checkpoint) -> Record``; keeps its state in ``checkpoint`` while it runs.
    store : RecordStore, optional
        Where new records go; :func:`scratch_store` by default. Older ones are also looked up in
        the default record store.
    again : bool
        Run also what is recorded.
    say : callable
        Is told, in a line, what happens.

    Returns
    -------
    list of Record

    Raises
    ------
    RecordError
        If the store cannot be written: before any run starts.
    """
    target = store or scratch_store()
    found: dict[RecordKey, Record | None] = {}
    if not again:
        found = {key: recorded(key, (target, RecordStore())) for key in keys}
    missing = [key for key in keys if found.get(key) is None]
    if missing:
        target.check_writable()
    for number, key in enumerate(missing, start=1):
        say(f"run {number} of {len(missing)}: {key}")
        checkpoint = target.root / CHECKPOINTS / key.path.with_suffix(".ckpt")
        made = run(key, checkpoint)
        target.write(made)
        found[key] = made
        for leftover in checkpoint.parent.glob(checkpoint.name + "*"):
            leftover.unlink()
    return [record for key in keys if (record := found[key]) is not None]
