# %% [markdown]
# # INSS: Table I
#
# *Takes some seconds with the `smoke` profile, and some minutes a method with `quick`, on two CPU
# cores.*
#
# INSS {cite}`liu2023inss` gives a colour image 196 bands, and is set beside five other ways to do
# so: best in four of five metrics, second in the fifth. This chapter trains and scores methods on
# images of your choice, here and now, and sets what is recorded on real images beside what the
# paper prints. Two things are added that the paper does not have: a *regression* that looks at one pixel
# at a time and has no network, and the same PSNR without two habits that flatter it.
#
# The six flight lines of the paper are nowhere named. Twelve crops of the same sensor stand in for
# them, and one real colour image over CASI bands; every table says so.

# %%
from IPython.display import Markdown, display

from hsirepro.papers.cells import fill
from hsirepro.papers.inss import (
    COMPARED,
    METHODS_COMPARED,
    PARAMETERS,
    PROFILES,
    STAND_INS,
    keys,
    open_dataset,
    run_cell,
)
from hsirepro.papers.inss.findings import table_notes
from hsirepro.papers.inss.recording import NOT_GIVEN, OWN_PEAK, scores_of
from hsirepro.params import Parameter, check_chapter, listed
from hsirepro.records import RecordStore
from hsirepro.report import comparison_table, provenance_line, run_table
from hsirepro.report.recovery import plot_error_by_band, plot_recovered

SCHEMA = {
    **PARAMETERS,
    "methods": Parameter(
        "str", "regression, pdass, inss", "rows to run, with commas"
    ),
}
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/inss/tables.ipynb out.ipynb -p scene abu-crops -p profile quick` sets them from
# outside. A folder of your own holds cubes in `train`, `validation` and `test`.

# %% tags=["parameters"]
scene = "planted"  # planted, abu-crops, houston-chip, or a folder
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
methods = "regression, pdass, inss"  # what to run, of the rows below

# %%
p = check_chapter(globals(), _known, SCHEMA)
chosen = listed(p["methods"])
cells = keys(p["scene"], p["profile"], chosen, [p["seed"]])
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")
print(f"rows there are: {', '.join(METHODS_COMPARED)}")

# %% [markdown]
# ## Look first

# %%
data = open_dataset(p["scene"])
for note in data.notes:
    print(note)
for side, pairs in data.sides.items():
    sizes = ", ".join(f"{h.shape[1]} x {h.shape[2]}" for h in pairs.hsi)
    print(
        f"{side}: {len(pairs.hsi)} images of {pairs.bands} bands, {sizes}"
    )
print(f"bands that are the input itself: {len(data.given)}")

# %% [markdown]
# ## Run
#
# A cell learns from random crops of the training images, is kept as it was best on the validation
# images, and is scored on images of other places.

# %% tags=["remove-stderr"]
records = fill(
    cells,
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

# %%
COLUMNS = {
    "RMSE": ("counts", "lower"),
    "MRAE": ("", "lower"),
    "SAM": ("radian", "lower"),
    "MSSIM": ("", "higher"),
    "MPSNR": ("dB", "higher"),
}
run_table(records, columns=COLUMNS)

# %% mystnb={"image": {"alt": "The first test image in false colour, what each method made of it, and maps of root mean square error in counts and of spectral angle in degrees"}}
plot_recovered(records)

# %% [markdown]
# ## Beside the paper
#
# *Difference* is ours minus the paper's, and is formed for runs of the `paper` profile only. HSCNN+ of
# the paper is HSCNN-R here; HSCNN-D, the larger of the two networks of that name, has a row of its own.

# %%
store = RecordStore()
PRINTED = tuple(COLUMNS)
NAMES = {name: row.published for name, row in METHODS_COMPARED.items()}


def runs_of(images: str) -> list:
    """Return the recorded runs of some images, in the best profile of each row."""
    place = {"paper": "inss", "table": COMPARED, "scene": images}
    return [
        record
        for method in METHODS_COMPARED
        for record in store.best_seeds(
            **place, condition="rgb", method=method
        )
        if record.key.profile != "smoke"
    ]


for images in STAND_INS:
    found = runs_of(images)
    if not found:
        continue
    display(
        comparison_table(
            paper="inss",
            table=COMPARED,
            scene=images,
            condition="rgb",
            methods=tuple(METHODS_COMPARED),
            metrics=PRINTED,
            records=found,
            published_names=NAMES,
        )
    )
    display(Markdown(provenance_line(found)))

# %% [markdown]
# ## Two habits that flatter
#
# The paper's PSNR has 65535 as its peak, which nothing in the images comes near, and counts the three
# bands that are the input itself: whoever hands those through has no error there. Beside it, the PSNR
# without those three, and the same with the largest count of the image as peak.

# %%
PEAKS = {
    "MPSNR": ("dB", "higher"),
    NOT_GIVEN: ("dB", "higher"),
    OWN_PEAK: ("dB", "higher"),
}
for images in STAND_INS:
    for one in ("paper", "quick"):
        same = [r for r in runs_of(images) if r.key.profile == one]
        if same:
            display(run_table(same, columns=PEAKS))

# %% [markdown]
# Where the errors are, band by band:

# %% mystnb={"image": {"alt": "Root mean square error in counts of every recorded method against wavelength in nm, with a dotted line at each band that is the input"}}
for images in STAND_INS:
    first = [r for r in runs_of(images) if r.key.seed == 0]
    if first:
        display(plot_error_by_band(first))

# %% [markdown]
# ## Change me
#
# How much of the score is the mean spectrum alone? Every test pixel gets the mean spectrum of the
# training images, or that spectrum scaled to the pixel's brightness. Change the power of the
# brightness.

# %%
mean = data.sides["train"].band_statistics()[0][:, None, None]
level = data.sides["train"].colour_statistics()[0].mean()
rgb, true = data.sides["test"].rgb[0], data.sides["test"].hsi[0]
for power in (0.0, 0.5, 1.0):
    made = mean * (rgb.mean(dim=0, keepdim=True) / level) ** power
    told = scores_of(made, true, data.given)
    print(
        f"brightness to the power of {power}: MPSNR {told['MPSNR']:.1f} dB, "
        f"of the own peak {told[OWN_PEAK]:.1f} dB"
    )

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
lines = [f"- {note}" for n in STAND_INS for note in table_notes(runs_of(n))]
display(Markdown("\n".join(lines) or "Nothing is recorded yet."))
