"""What is recorded of a study: the crops on which its variants can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hsirepro.papers.hyconet.studies import STUDIES, known, study_keys
from hsirepro.records import Record, RecordStore

Variants = Mapping[str, list[Record]]


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
    command = f"hsirepro sweep hyconet --profile paper --table {study}"
    waiting = []
    for scene in entry.scenes:
        variants = recorded_variants(study, scene, store)
        if sum(map(bool, variants.values())) < least:
            waiting.append(scene)
            continue
        records = [record for some in variants.values() for record in some]
        note = f"**{scene}**, {entry.title}. {provenance_line(records)}"
        lacking = [name for name, some in variants.items() if not some]
        if lacking:
            note += (
                f" {len(lacking)} of {len(variants)} variants are not recorded; "
                f"`{command} --scene {scene}` runs them."
            )
        yield scene, note, variants
    if waiting:
        note = f"Not yet comparable, {entry.title}: {', '.join(waiting)}. `{command}` runs them."
        yield "", note, {}
