# %% [markdown]
# # INSS: the figures
#
# *Takes some seconds with the `smoke` profile on two CPU cores; the recorded runs took minutes each.*
#
# Figures 2 to 7 of the paper {cite}`liu2023inss` show what Table I cannot: whether colours, spectra and single
# bands look right, where errors lie, and what the two things mean that INSS learns beside spectra, the factor t and the
# abundances. Each is drawn here from recorded runs on images that stand in for the paper's, and of a run of
# your choice, made here and now. Fig. 8, the mixing models of classes, is in [](classification.ipynb).

# %%
import numpy as np
from IPython.display import Markdown, display

from hsirepro.papers.cells import fill
from hsirepro.papers.inss import (
    COMPARED,
    METHODS_COMPARED,
    PARAMETERS,
    STAND_INS,
    keys,
    open_dataset,
    run_cell,
)
from hsirepro.papers.inss.findings import light_notes
from hsirepro.params import Parameter, check_chapter, listed
from hsirepro.records import RecordStore
from hsirepro.report import provenance_line
from hsirepro.report.generation import plot_maps
from hsirepro.report.library import CHAPTERS, plot_light
from hsirepro.report.recovery import (
    error_map,
    plot_band_images,
    plot_picked_spectra,
    plot_recovered,
)

SCHEMA = {
    **PARAMETERS,
    "methods": Parameter("str", "pdass, inss", "rows to run, with commas"),
}
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/inss/figures.ipynb out.ipynb -p scene abu-crops -p profile quick -p methods inss` draws
# them of a run of some minutes.

# %% tags=["parameters"]
scene = "planted"  # planted, abu-crops, houston-chip, or a folder
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
methods = "pdass, inss"  # what to run: rows of Table I

# %% tags=["remove-stderr"]
p = check_chapter(globals(), _known, SCHEMA)
chosen = listed(p["methods"])
data = open_dataset(p["scene"])
fresh = fill(
    keys(p["scene"], p["profile"], chosen, [p["seed"]]),
    lambda cell, checkpoint: run_cell(
        cell,
        data,
        device=p["device"],
        checkpoint=checkpoint,
        progress=True,
        pictures=True,
    ),
    say=print,
)
store = RecordStore()


def pictured(images: str) -> list:
    """Return a recorded run of each method that has pictures."""
    found = []
    for method in METHODS_COMPARED:
        runs = store.best_seeds(
            paper="inss",
            table=COMPARED,
            scene=images,
            condition="rgb",
            method=method,
        )
        found += [
            run for run in runs if run.images and run.key.profile != "smoke"
        ][:1]
    return found


shown = {images: pictured(images) for images in STAND_INS}
shown = {images: runs for images, runs in shown.items() if runs} or {
    p["scene"]: fresh
}
for images, runs in shown.items():
    display(Markdown(f"{images}: {provenance_line(runs)}"))

# %% [markdown]
# ## Figures 2 and 5: false colour, and where the errors are
#
# The first test image. Above each the MPSNR of that image; above each map its mean. The paper shows the
# bands that were the input: a method that hands them through looks perfect there. The colours
# here are the bands nearest to 650, 550 and 450 nm.

# %% mystnb={"image": {"alt": "A test image in false colour, what each method made of it, and maps of root mean square error in counts and of spectral angle in degrees"}}
for runs in shown.values():
    display(plot_recovered(runs))

# %% [markdown]
# ## Figure 3: spectra of six pixels
#
# The brightest pixel, and then each time the one whose spectrum differs most from those picked. They are picked by the
# truth alone, not by hand.

# %% mystnb={"image": {"alt": "Spectra of six pixels in counts against wavelength in nm: the truth wide and grey, and a line for each method"}}
for runs in shown.values():
    display(plot_picked_spectra(runs))

# %% [markdown]
# ## Figure 4: bands as images
#
# The first and the last band that the sensor has, where there is most noise, and some between.

# %% mystnb={"image": {"alt": "Images of some bands, a row each with its wavelength in nm, of the truth and of each method"}}
for runs in shown.values():
    display(plot_band_images(runs))

# %% [markdown]
# ## Figure 6: the atmosphere
#
# The paper says that the learned t shows the light of the Sun at the ground. [](library.ipynb) shows what the
# images give without any network, and [](ablations.ipynb) what other starts of t end with.

# %% mystnb={"image": {"alt": "The learned factor t over its mean, against wavelength in nm, over the light of the Sun at the ground"}}
for runs in shown.values():
    lit = [run for run in runs if "atmosphere" in run.arrays]
    if lit:
        display(plot_light(lit))

# %% [markdown]
# ## Figure 7: abundances
#
# The six spectra that have the largest share of the image, and the sums over the chapters of the library.

# %% mystnb={"image": {"alt": "Maps of the abundance of the six library spectra with the largest share, and of each chapter of the library, from 0 to 1"}}
for runs in shown.values():
    for run in (run for run in runs if "abundances" in run.images):
        titles = [title[:24] for title in run.settings["mapped"]]
        maps = np.split(run.images["abundances"] / 255, len(titles), axis=1)
        known = run.settings["chapters"]
        if len(known) > 1:
            titles += [f"all of: {CHAPTERS.get(c, c)}" for c in known]
            maps += np.split(
                run.images["chapters"] / 255, len(known), axis=1
            )
        print(f"{run.key.scene}, {run.key.method} ({run.key.profile})")
        display(plot_maps(maps, titles, "Abundance (unitless)", (0, 1), 4))

# %% [markdown]
# ## Change me
#
# Are errors where the image is bright? The correlation of each map with the brightness of the picture;
# try `"sam"` or `"mrae"`.

# %%
for runs in shown.values():
    for run in runs:
        light = run.images["true"].mean(axis=2).ravel()
        wrong = error_map(run, "rmse").ravel()
        told = np.corrcoef(light, wrong)[0, 1]
        print(f"{run.key.scene}, {run.key.method}: {told:+.2f}")

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
lines = []
for images, runs in shown.items():
    noisy = []
    for run in runs:
        made, true = (
            run.images[n].astype(float)
            for n in ("bands_made", "bands_true")
        )
        count = len(run.settings["bands_shown"])
        parts = zip(
            np.split(made, count, axis=1),
            np.split(true, count, axis=1),
            strict=True,
        )
        last, seen = list(parts)[-1]
        told = "nothing, as it is constant"
        if last.std() > 0:
            told = f"{np.corrcoef(last.ravel(), seen.ravel())[0, 1]:.2f}"
        noisy.append(f"{run.key.method} {told}")
    nm = runs[0].arrays["wavelength"][runs[0].settings["bands_shown"][-1]]
    lines.append(
        f"- {images}: the image of the last band, {nm:.0f} nm, correlates with the "
        f"true one by: {', '.join(noisy)}."
    )
    lines += [f"- {note}" for note in light_notes(runs)]
display(Markdown("\n".join(lines)))
