"""Sentences on INSS's tables, for the chapters.

A sentence here is put together from records and never typed; where runs are missing there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hsirepro.papers.inss.claims import BETTER_HIGH, GASES, has_minimum
from hsirepro.papers.inss.recording import BEYOND, EXCHANGED, LAST, NOT_GIVEN, OWN_PEAK
from hsirepro.records import Record

NULL = "regression"
ALL_BANDS = "MPSNR"


def means(records: Sequence[Record], metric: str) -> dict[str, float]:
    """Return the mean of a metric over the seeds of each method that has it."""
    values: dict[str, list[float]] = {}
    for record in records:
        if metric in record.metrics:
            values.setdefault(record.key.method, []).append(record.metrics[metric])
    return {method: float(np.mean(found)) for method, found in values.items()}


def table_notes(records: Sequence[Record]) -> list[str]:
    """Return what records of Table I on one set of images say.

    Parameters
    ----------
    records : sequence of Record
        Of one set of images; those of the longest profile are looked at.

    Returns
    -------
    list of str
        Who is best in each metric; whether networks beat the regression; what the bands that are
        given, the peak, and the choice of the best step are worth.
    """
    runs = longest(records)
    if not runs:
        return []
    scene, profile = runs[0].key.scene, runs[0].key.profile
    best = []
    for metric, high in BETTER_HIGH.items():
        values = means(runs, metric)
        best.append(f"{metric} {(max if high else min)(values, key=values.__getitem__)}")
    notes = [f"{scene} ({profile}): best are, by metric: {', '.join(best)}."]
    plain = means(runs, NOT_GIVEN)
    if NULL in plain and len(plain) > 1:
        null = plain.pop(NULL)
        above = sorted(name for name, value in plain.items() if value > null)
        notes.append(
            f"{scene}: without the bands that are given, the regression has {null:.2f} dB; of "
            f"{len(plain)} networks {len(above)} have more{': ' if above else ''}"
            f"{', '.join(above)}."
        )
    every, own = means(runs, ALL_BANDS), means(runs, OWN_PEAK)
    gains = {name: every[name] - value for name, value in means(runs, NOT_GIVEN).items()}
    if gains:
        most = max(gains, key=gains.__getitem__)
        notes.append(
            f"{scene}: the bands that are given are worth up to {gains[most]:.1f} dB ({most}), and "
            f"the peak of 65535 another {np.mean([every[n] - gains[n] - own[n] for n in own]):.1f}."
        )
    beyond, exchanged = means(runs, BEYOND), means(runs, EXCHANGED)
    if "inss" in beyond:
        notes.append(
            f"{scene}: all reflections after the first change INSS's image by "
            f"{beyond['inss']:.1f} %; tiles that exchange their mixing models, by "
            f"{exchanged['inss']:.1f} %."
        )
    lasts = {n: every[n] - value for n, value in means(runs, LAST).items()}
    if lasts:
        most = max(lasts, key=lambda name: abs(lasts[name]))
        notes.append(
            f"{scene}: the step that was best on the validation images differs from the last by "
            f"{lasts[most]:+.2f} dB at most ({most}) on the test images."
        )
    return notes


def step_notes(variants: Mapping[str, Sequence[Record]], base: str = "inss") -> list[str]:
    """Return how much each variant of Table II differs from INSS on one set of images.

    Parameters
    ----------
    variants : mapping of str to sequence of Record
        By row; those of one profile.
    base : str
        The row that the others differ from.

    Returns
    -------
    list of str
        One sentence, beside the spread over the seeds of INSS where there are several.
    """
    values = {name: [r.metrics[ALL_BANDS] for r in runs] for name, runs in variants.items() if runs}
    ours = values.pop(base, [])
    if not ours or not values:
        return []
    steps = {name: float(np.mean(found) - np.mean(ours)) for name, found in values.items()}
    told = ", ".join(f"{name} {step:+.2f}" for name, step in steps.items())
    key = variants[base][0].key
    text = f"{key.scene} ({key.profile}), dB of MPSNR against INSS: {told}."
    if len(ours) > 1:
        text += f" Seeds of INSS differ by {max(ours) - min(ours):.2f} dB."
    return [text]


def light_notes(records: Sequence[Record]) -> list[str]:
    """Return how the learned factor t of each record follows the light of the Sun.

    Parameters
    ----------
    records : sequence of Record
        Of INSS, with the arrays ``atmosphere`` and ``irradiance``; others are passed over.
    """
    notes = []
    for record in records:
        if not {"atmosphere", "irradiance"} <= set(record.arrays):
            continue
        nm, t, sun = (record.arrays[n] for n in ("wavelength", "atmosphere", "irradiance"))
        alike = float(np.corrcoef(t, sun)[0, 1]) if t.std() > 0 else float("nan")
        dips = [f"{gas:.0f}" for gas in GASES if has_minimum(nm, t, gas)]
        notes.append(
            f"{record.key.scene}, {record.key.method} ({record.key.profile}): t and the Sun "
            f"correlate by {alike:.2f}; t has minima near {', '.join(dips) or 'none of the gases'}"
            f"{' nm' if dips else ''}."
        )
    return notes


def planted_notes(records: Sequence[Record]) -> list[str]:
    """Return what models of each order leave of images of a planted order.

    Parameters
    ----------
    records : sequence of Record
        Of the study of planted truth; those of the longest profile are looked at.
    """
    runs = longest(records)
    notes = []
    for condition in dict.fromkeys(record.key.condition for record in runs):
        same = [record for record in runs if record.key.condition == condition]
        left = means(same, "left of bands between")
        wrong = means(same, "RMSE of abundances from spectra")
        told = ", ".join(
            f"{name} {value:.1f} times the noise (abundances off by {wrong[name]:.3f})"
            for name, value in left.items()
        )
        notes.append(f"{condition} ({same[0].key.profile}), what a model leaves: {told}.")
    return notes


def longest(records: Sequence[Record]) -> list[Record]:
    """Return the records of the longest profile among them, smoke left out."""
    for profile in ("paper", "quick"):
        found = [record for record in records if record.key.profile == profile]
        if found:
            return found
    return []
