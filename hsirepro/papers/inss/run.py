"""Fill one cell of INSS's tables: open, fit, give the test images spectra, score, record."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

from filelock import FileLock

from hsirepro.papers.cells import CHECKPOINTS, scratch_store
from hsirepro.papers.inss.classification import NETWORK_SEED
from hsirepro.papers.inss.classified import classification_record
from hsirepro.papers.inss.embedding import EMBEDDED, embedding_record
from hsirepro.papers.inss.experiments import (
    COMPARED,
    ON_LABELS,
    PAPER,
    TRAINED,
    keys,
    settings_of,
)
from hsirepro.papers.inss.labelled import Labelled, open_labelled
from hsirepro.papers.inss.planted import PLANTED, planted_record
from hsirepro.papers.inss.recording import record_of
from hsirepro.papers.inss.scenes import Dataset, open_dataset
from hsirepro.papers.inss.spans import SPANNED, spans_record
from hsirepro.records import Meter, Record, RecordKey, code_hash, provenance
from hsirepro.recovery import METHODS, Fitted
from hsirepro.training import check_device

_opened = lru_cache(maxsize=1)(open_dataset)
_labelled = lru_cache(maxsize=1)(open_labelled)


def run_cell(
    key: RecordKey,
    prepared: Dataset | Labelled | None = None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: bool = False,
    pictures: bool | None = None,
) -> Record:
    """Compute one cell and return its record, not yet written.

    Parameters
    ----------
    key : RecordKey
        Which cell; see :func:`~hsirepro.papers.inss.experiments.keys`.
    prepared : Dataset or Labelled, optional
        The images, where they are not those of the name in ``key``; of Table III and Fig. 8 a
        labelled scene.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    checkpoint : Path, optional
        Where training keeps its state, and resumes from.
    progress : bool
        Show a bar with loss and time left.
    pictures : bool, optional
        Whether the record holds pictures; by default those of the first seed.

    Returns
    -------
    Record
        See :func:`~hsirepro.papers.inss.recording.record_of`; for the studies of what the library
        spans and of planted truth :func:`~hsirepro.papers.inss.spans.spans_record` and
        :func:`~hsirepro.papers.inss.planted.planted_record`; for Table III
        :func:`~hsirepro.papers.inss.classified.classification_record`, and for Fig. 8
        :func:`~hsirepro.papers.inss.embedding.embedding_record`.
    """
    check_device(device)
    if key.table == PLANTED:
        return planted_record(key)
    shown = key.seed == 0 if pictures is None else pictures
    if key.table in ON_LABELS:
        scene = prepared if isinstance(prepared, Labelled) else _labelled(key.scene)
        network = partial(network_for, scene.images, key.profile, device)
        if key.table == EMBEDDED:
            return embedding_record(key, scene, network)
        return classification_record(
            key,
            scene,
            network,
            device=device,
            checkpoint=checkpoint,
            progress=progress,
            pictures=shown,
        )
    data = prepared if isinstance(prepared, Dataset) else _opened(key.scene)
    if key.table == SPANNED:
        return spans_record(key, data)
    with Meter() as meter:
        fitted = _fit(key, data, device=device, progress=progress, checkpoint=checkpoint)
    sources = provenance(
        seed=key.seed,
        data_sha256=data.sha256,
        wall_time_s=fitted.earlier_s + meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device=device,
    )
    return record_of(key, fitted, data, sources, pictures=shown)


def trained(
    scene: str,
    profile: str,
    seed: int = 0,
    *,
    method: str = "inss",
    prepared: Dataset | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Fitted:
    """Return a row of Table I as fitted model: what chapters and classifiers go on from.

    Records hold no weights. A model is fitted when it is first asked for, and its last checkpoint
    is kept with the chapters' runs, for as long as the code stays as it is.

    Parameters
    ----------
    scene : str
        Images that it is trained on.
    profile, seed
        As in a record's key.
    method : str
        A row of Table I.
    prepared, device, progress
        As :func:`run_cell` takes them.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest are given.
    """
    check_device(device)
    (key,) = keys(scene, profile, [method], [seed], table=COMPARED)
    data = prepared or _opened(scene)
    made_of = f"{data.sha256[:8]}-{code_hash()[:8]}"  # other images or code: another model
    name = f"{scene.replace('/', '-')}-{method}-{profile}-{seed}-{made_of}.ckpt"
    checkpoint = scratch_store().root / CHECKPOINTS / PAPER / "trained" / name
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{checkpoint}.lock"):  # one cell of a sweep trains it, the others wait
        return _fit(key, data, device=device, progress=progress, checkpoint=checkpoint)


@lru_cache(maxsize=1)
def network_for(images: str, profile: str, device: str = "cpu") -> Fitted:
    """Return the INSS that classifiers ask; cells of a table that follow each other share it."""
    return trained(images, profile, NETWORK_SEED, device=device)


def _fit(
    key: RecordKey, data: Dataset, *, device: str, progress: bool, checkpoint: Path | None
) -> Fitted:
    variant = TRAINED[key.table][key.method]
    given = {"library": data.library} if variant.library else {}
    return METHODS[variant.method](
        data.sides["train"],
        validation=data.sides["validation"],
        seed=key.seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        **given,
        **settings_of(key.table, key.method, key.profile),
    )
