# %% [markdown]
# # The spectral library
#
# *Takes some seconds with the `smoke` profile on two CPU cores.*
#
# INSS gives a colour image spectra by mixing those of a library: 345 of the USGS Spectral Library
# {cite}`kokaly2017usgs`, as an AVIRIS of 2014 would see them. The paper mixes them nonlinearly, and
# says that linear mixing is too simple. Before any network is trained, this chapter asks two things of the
# library alone. How well can pixels of real images be mixed of it at all, if nobody has to guess the
# shares from colours? And how much of the light of the Sun, which the paper's Fig. 6 shows as learned, is in
# the images?

# %%
from IPython.display import Markdown, display

from hsirepro.errors import SceneNotFound
from hsirepro.papers.inss import (
    PARAMETERS,
    STAND_INS,
    inss_library,
    keys,
    open_dataset,
    run_cell,
)
from hsirepro.papers.inss.claims import GASES, has_minimum
from hsirepro.papers.inss.spans import (
    METHODS,
    SPANNED,
    abundances,
    mixture_error,
    random_pixels,
)
from hsirepro.papers.published import published
from hsirepro.params import check_chapter
from hsirepro.records import RecordStore
from hsirepro.report import provenance_line, run_table
from hsirepro.report.library import plot_library, plot_light

SCHEMA = {name: PARAMETERS[name] for name in ("scene", "profile", "seed")}
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/inss/library.ipynb out.ipynb -p scene abu-crops -p profile quick` asks it of twelve
# crops of AVIRIS (some two minutes), `-p scene houston-chip` of a crop of CASI, and `-p scene my/folder`
# of cubes of your own in its folders `train`, `validation` and `test`.

# %% tags=["parameters"]
scene = "planted"  # planted, abu-crops, houston-chip, or a folder
profile = "smoke"  # smoke, quick or paper
seed = 0  # random seed of the pixels

# %%
p = check_chapter(globals(), _known, SCHEMA)

# %% [markdown]
# ## What is in it
#
# The paper names chapters, not spectra. The list that came with its code is met here by families of
# samples, title by title. Five of the 345 were never measured: USGS made them of a lawn, to try programs
# out, by shifting its spectrum and by adding 1. Four of them are the only "reflectances" above 1.

# %% mystnb={"image": {"alt": "Median reflectance of each chapter of the library and the range of nine of ten of its spectra, against wavelength in nm"}}
data = open_dataset(p["scene"])
for note in data.notes:
    print(note)
try:
    library = inss_library()
except SceneNotFound as missing:
    print(
        f"{missing}\n\nHere is the library of the planted scenes instead."
    )
    library = data.library
above = int((library.values > 1).any(axis=1).sum())
print(f"{len(library)} spectra, {above} of them above 1 somewhere.")
plot_library(library)

# %% [markdown]
# ## What it spans
#
# For pixels of the training images, abundances and the factor t of Sun, air and sensor are found in turn,
# each as well as can be, so that the error never grows: no network, no colours, no nonlinear term. t starts
# where this project starts it (training mean over the library's 10th percentile), flat, or at random.

# %%
fresh = [
    run_cell(key, data)
    for key in keys(
        p["scene"], p["profile"], None, [p["seed"]], table=SPANNED
    )
]
COLUMNS = {
    "RMSE with the first t": ("counts", "lower"),
    "RMSE": ("counts", "lower"),
    "RMSE on the test images": ("counts", "lower"),
    "spectra in a pixel": ("", "lower"),
    "correlation of the first t": ("", "higher"),
    "correlation with the Sun": ("", "higher"),
}
run_table(fresh, columns=COLUMNS)

# %% [markdown]
# The same on real images, as recorded. Pixels of the test images, which lie elsewhere, are mixed with the t of
# the training images.

# %%
store = RecordStore()
recorded = {
    name: [
        record
        for method in METHODS
        for record in store.find(
            paper="inss", table=SPANNED, scene=name, method=method
        )
    ]
    for name in STAND_INS
}
for records in recorded.values():
    if records:
        display(run_table(records, columns=COLUMNS))

# %% [markdown]
# ## The light
#
# The Sun's light at the ground, direct, is that of ASTM G173. Where oxygen (760 nm) and vapour (940 and 1130 nm)
# take it, a t that knows the light has a minimum. The files of the AVIRIS crops do not say which bands they kept, and
# these were found by such lines: there only the depth of the dips is news. CASI's wavelengths are known.

# %% mystnb={"image": {"alt": "The factor t that images told from three starts, over its mean, against wavelength in nm, over the light of the Sun at the ground"}}
for records in recorded.values():
    if records:
        display(plot_light(records))
if not any(recorded.values()):
    display(plot_light(fresh))

# %% [markdown]
# ## Change me
#
# How many spectra does it take? Every second, every fourth, every eighth of the library, with the t that all of
# them gave:

# %%
R, t = data.library.values.T, fresh[0].arrays["atmosphere"].astype(float)
pixels = random_pixels(data.sides["train"], 40, p["seed"])
for step in (1, 2, 4, 8):
    some = R[:, ::step]
    error = mixture_error(pixels, some, t, abundances(pixels, some, t))
    print(f"{some.shape[1]} spectra: {error:.1f} counts")

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
lines = []
for name, records in recorded.items():
    if not records:
        continue
    best = min(records, key=lambda record: record.metrics["RMSE"])
    lines.append(
        f"- {name}: mixed linearly, with the best abundances there are, the library leaves "
        f"{best.metrics['RMSE']:.0f} counts, and {best.metrics['RMSE on the test images']:.0f} on "
        f"other ground, with {best.metrics['spectra in a pixel']:.0f} spectra in a pixel."
    )
    for record in records:
        told, nm = record.metrics, record.arrays["wavelength"]
        dips = [
            f"{gas:.0f}"
            for gas in GASES
            if has_minimum(nm, record.arrays["atmosphere"], gas)
        ]
        lines.append(
            f"  - {record.key.method}: t and the Sun correlate by "
            f"{told['correlation of the first t']:.2f} at first, and by "
            f"{told['correlation with the Sun']:.2f} in the end; t has minima "
            f"near {', '.join(dips) or 'none of the gases'} nm."
        )
everything = [record for records in recorded.values() for record in records]
if everything:
    lines.append("\n" + provenance_line(everything))
table = published("inss").query("table == 'I' and metric == 'RMSE'").value
lines.append(
    f"\nThe paper prints {table.min():.0f} to {table.max():.0f} counts for the methods of its "
    "Table I, on its own images."
)
display(Markdown("\n".join(lines)))

# %% [markdown]
# Counts of two scenes should not be compared closely. But what the best linear mixtures leave is so far below what
# any method reaches from colours that the form of the mixture can hardly be what limits them: how much of it
# can be told from three colours is.
