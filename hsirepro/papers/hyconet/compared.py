"""What is recorded of a study: the crops on which its variants can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import mean
from types import MappingProxyType

from hsirepro.papers.hyconet.experiments import keys, table_of
from hsirepro.papers.hyconet.studies import STUDIES, known, study_keys
from hsirepro.records import Record, RecordStore

Variants = Mapping[str, list[Record]]
LOSS_TERMS: Mapping[str, str] = MappingProxyType(
    {
        "z_a": "|Z - Z_a|",
        "z_b": "|Z - Z_b|",
        "y": "|Y - Y^|",
        "lr_msi": "|SRF(Z) - PSF(Y)|",
        "sum_to_one": "sum-to-one",
        "sparsity": "sparsity",
    }
)
"""Curves of a record of HyCoNet that make up its loss (19), and their names in the book."""


def recorded_variants(
    study: str, scene: str, store: RecordStore | None = None
) -> dict[str, list[Record]]:
    """Return the records of each variant of a study, all of one profile.

    Parameters
    ----------
    study : str
        A key of :data:`STUDIES`.
    scene : str
        Name under which records are kept.
    store : RecordStore, optional

    Returns
    -------
    dict of str to list of Record
        By variant, in the study's order and by seed; an empty list where nothing is recorded.
        Runs of different lengths are not comparable: of the paper's and the quick profile, the
        one that has more of the variants is returned, the paper's if both have as many.
    """
    shelf = store or RecordStore()
    found: dict[str, dict[str, list[Record]]] = {}
    for profile in ("paper", "quick"):
        found[profile] = {}
        for name in STUDIES[known("study", study, STUDIES)].variants:
            (key, *_) = study_keys(study, scene, profile, [name], [0])
            place = {part: getattr(key, part) for part in ("paper", "table", "scene", "condition")}
            found[profile][name] = shelf.find(**place, method=key.method, profile=profile)
    return max(found.values(), key=lambda variants: sum(map(bool, variants.values())))


def study_notes(
    study: str, store: RecordStore | None = None, least: int = 2
) -> Iterator[tuple[str, str, Variants]]:
    """Yield what a chapter shows of a study, crop by crop: a note, and what to draw below it.

    Parameters
    ----------
    study : str
        A key of :data:`STUDIES`.
    store : RecordStore, optional
    least : int
        Variants that have to be recorded on a crop to make a comparison.

    Yields
    ------
    scene : str
    note : str
        Markdown: the scene, what is varied, the runs behind it, and how to fill the gaps.
    variants : mapping of str to list of Record
        As :func:`recorded_variants` returns them. Last comes, where there are any, one note on
        the scenes that still wait for runs, under no name and with nothing to draw.
    """
    from hsirepro.report.provenance import provenance_line

    entry = STUDIES[known("study", study, STUDIES)]
    command = f"hsirepro sweep hyconet --table {study} --profile"
    shown = list(_comparable(study, store, least))
    for scene, found, variants in shown:
        records = [record for some in variants.values() for record in some]
        note = f"**{scene}**, {entry.title}. {found} {provenance_line(records)}"
        lacking = [name for name, some in variants.items() if not some]
        if lacking:
            # Of the profile that is shown: runs of another length would stand apart from it.
            note += (
                f" {len(lacking)} of {len(variants)} variants are not recorded; "
                f"`{command} {records[0].key.profile} --scene {scene}` runs them."
            )
        yield scene, note, variants
    there = {scene for scene, *_ in shown}
    waiting = ", ".join(scene for scene in entry.scenes if scene not in there)
    if waiting:
        yield "", f"Not yet comparable, {entry.title}: {waiting}. `{command} paper` runs them.", {}


def study_findings(study: str, store: RecordStore | None = None, least: int = 2) -> list[str]:
    """Return what the records of a study say, in a line of Markdown per scene.

    Parameters
    ----------
    study, store, least
        As in :func:`study_notes`.
    """
    title = STUDIES[known("study", study, STUDIES)].title
    lines = []
    for scene, found, variants in _comparable(study, store, least):
        profile = next(run.key.profile for some in variants.values() for run in some)
        lines.append(f"- *{title}*, {scene}, profile {profile}: {found}")
    return lines or [f"- *{title}*: nothing to compare is recorded yet."]


def _comparable(
    study: str, store: RecordStore | None, least: int
) -> Iterator[tuple[str, str, Variants]]:
    """Yield the scenes on which variants can be compared, with what comes out, and their runs."""
    for scene in STUDIES[study].scenes:
        variants = recorded_variants(study, scene, store)
        if sum(map(bool, variants.values())) >= least:
            yield scene, _found(variants, _bicubic(scene, store)), variants


def _found(variants: Variants, plain: float) -> str:
    """Say which variant has the highest mPSNR, which the lowest, and which did not train at all.

    ``plain`` is the mPSNR of bicubic interpolation, or NaN.
    """
    runs = {name: some for name, some in same_seeds(variants).items() if some}
    scores = {name: mean(run.metrics["mPSNR"] for run in some) for name, some in runs.items()}
    best, worst = (pick(scores, key=scores.__getitem__) for pick in (max, min))
    text = f"The highest mPSNR has {best}, {scores[best]:.2f} dB"
    if worst != best:
        text += f", the lowest {worst}, {scores[worst]:.2f} dB"
    seeds = ", ".join(map(str, sorted({run.key.seed for some in runs.values() for run in some})))
    text += f" (seed {seeds})."
    stuck = [name for name, score in scores.items() if score < plain]
    if stuck:
        names = ", ".join(stuck)
        text += f" Below bicubic interpolation ({plain:.2f} dB), so not trained: {names}."
    spread = {
        name: max(found) - min(found)
        for name, some in variants.items()
        if len(found := [run.metrics["mPSNR"] for run in some]) > 1
    }
    if spread:
        widest = max(spread, key=spread.__getitem__)
        text += f" Seeds are up to {spread[widest]:.2f} dB apart ({widest})."
    return text


def same_seeds(variants: Variants) -> Variants:
    """Leave out seeds that not every recorded variant has; if none is shared, nothing is."""
    seeds = [{run.key.seed for run in some} for some in variants.values() if some]
    shared = set.intersection(*seeds) if seeds else set()
    if not shared:
        return variants
    return {
        name: [run for run in some if run.key.seed in shared] for name, some in variants.items()
    }


def _bicubic(scene: str, store: RecordStore | None) -> float:
    """Return the mPSNR of bicubic interpolation at sigma 0.5, or NaN."""
    (key,) = keys(table_of(scene), scene, 0.5, "paper", ["bicubic"], [0])
    place = {part: getattr(key, part) for part in ("paper", "table", "scene", "condition")}
    found = (store or RecordStore()).find(**place, method=key.method)
    return found[0].metrics["mPSNR"] if found else float("nan")


def sparsity_note(scene: str, store: RecordStore | None = None) -> str:
    """Return what share of the loss the sparsity term is at the end, or "" if nothing tells."""
    from hsirepro.report.terms import loss_shares

    shares = [
        f"{100 * loss_shares(run, LOSS_TERMS)['sparsity']:.2g} % ({name}, seed {run.key.seed})"
        for name, some in recorded_variants("presets", scene, store).items()
        for run in some
    ]
    if not shares:
        return ""
    return f"**{scene}**: at the end of the training the term is {', '.join(shares)} of the loss."


def sum_to_one_note(scene: str, store: RecordStore | None = None) -> str:
    """Return what the sum-to-one term does on a crop, in a sentence, or "" if nothing tells.

    Compares runs with the term (``full`` of Fig. 5) with runs without it: their mPSNR, and the
    median over the pixels of ``|1 - sum of the abundances|``.
    """
    variants = recorded_variants("fig-5", scene, store)
    pair = {name: variants[name] for name in ("full", "without-sum-to-one")}
    with_it, without = same_seeds(pair).values()
    if not with_it or not without:
        return ""

    def off(records: list[Record]) -> float:
        return mean(float(record.arrays["abundance_sum_error"]) for record in records)

    gain = mean(r.metrics["mPSNR"] for r in without) - mean(r.metrics["mPSNR"] for r in with_it)
    return (
        f"Without the sum-to-one term the median of |1 - sum| is {off(without):.2f} instead of "
        f"{off(with_it):.2f}, and the mPSNR {gain:+.2f} dB."
    )
