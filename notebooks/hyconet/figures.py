# %% [markdown]
# # HyCoNet: the figures
#
# *Takes some seconds with the `smoke` profile on two CPU cores; of the recorded runs shown here the
# baselines took seconds, and HyCoNet from minutes to hours.*
#
# Figures 4 to 14 of the paper {cite}`zheng2021hyconet` ask what HyCoNet's settings, parts and
# constraints are worth, what it learns, and where its errors lie. This chapter draws each of them
# from recorded runs on crops that stand in for the paper's scenes, and runs one of the studies
# anew on a scene of your choice.

# %%
from functools import cache

from IPython.display import Markdown, display

from hsirepro.papers.cells import fill
from hsirepro.papers.hyconet import (
    LOSS_TERMS,
    PARAMETERS,
    PROFILES,
    SIGMAS,
    STUDIES,
    TABLE_METHODS,
    condition_of,
    prepare,
    run_cell,
    scene_label,
    study_findings,
    study_keys,
    study_notes,
    sum_to_one_note,
    table_of,
)
from hsirepro.params import Parameter, check_chapter
from hsirepro.records import RecordStore
from hsirepro.report import (
    plot_abundances,
    plot_against,
    plot_convergence,
    plot_error_maps,
    plot_grid,
    plot_kernels,
    plot_loss_shares,
    plot_psnr_by_band,
    plot_variants,
    provenance_line,
)

SCHEMA = {
    **PARAMETERS,
    "study": Parameter(
        "str",
        "abundances",
        "which study to run",
        choices=tuple(STUDIES),
    ),
}
PAVIA, HOUSTON = "pavia-centre-crop", "houston-2018-crop"
SMALL = "pavia-university-crop"

_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/hyconet/figures.ipynb out.ipynb -p study fig-5 -p scene pavia-centre-crop -p
# profile quick` runs the ablation of Fig. 5.

# %% tags=["parameters"]
scene = "planted"  # catalogue name, or path of your own cube
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
ratio = 0  # GSD of HSI over that of MSI; 0 takes the paper table's
sigma = 0.5  # width of the Gaussian PSF, in MSI pixels
profile = "smoke"  # smoke (seconds), quick (minutes), paper (hours)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
study = "abundances"  # fig-4a, fig-5, fig-7, or another name printed below

# %%
p = check_chapter(globals(), _known, SCHEMA)
store = RecordStore()
print(f"study {p['study']}, one of: {', '.join(STUDIES)}")


def show(name: str, figure, **options) -> None:
    """Draw a study on every crop where its variants can be compared."""
    for _, note, variants in study_notes(name, store):
        display(Markdown(note))
        if variants:
            display(figure(variants, **options))


def draw(figure, crop: str, records: list, **options) -> None:
    """Draw a figure of records of a crop, or say how to make some."""
    if records:
        display(figure(records, **options))
    else:
        print(
            "Nothing is recorded that this figure could show; make it with"
        )
        print(to_make(TABLE_METHODS, crop))


def to_make(methods: list, crop: str) -> str:
    """Return the command that runs rows of the tables, with pictures."""
    options = "".join(f" --method {method}" for method in methods)
    command = f"hsirepro run hyconet --scene {crop}{options}"
    return f"{command} --profile paper --seed 0 --again --pictures"


@cache
def rows(method: str, crop: str, width: float) -> list:
    """Return the records of a row of the tables, the longest first."""
    place = {"paper": "hyconet", "table": table_of(crop), "scene": crop}
    place |= {"condition": condition_of(width), "method": method}
    return [
        record
        for level in ("paper", "quick")
        for record in store.find(**place, profile=level)
    ]


def row(method: str, crop: str, width: float = 0.5, holds: str = ""):
    """Return the best record of a row of the tables, or None.

    ``holds`` names a picture or array that it has to have: older ones
    have fewer.
    """
    for record in rows(method, crop, width):
        if not holds or holds in {*record.images, *record.arrays}:
            return record
    return None


# %% [markdown]
# ## Figure 4: the weights of the loss
#
# $\alpha$ and $\beta$ weigh the errors of $\mathbf{Z}_b$ and of $\mathbf{Y}$, $\gamma$ that of the
# image both sensors would see at the coarse scale, $\mu$ the sum-to-one and $\nu$ the sparsity of
# the abundances. The paper prints pictures and no grid: the points are ours. As in the paper,
# $\gamma$, $\mu$ and $\nu$ are 1 while $\alpha$ and $\beta$ are varied; after that the others
# have the values that it settles on.


# %% mystnb={"image": {"alt": "Heat map of the mPSNR in dB over the weights alpha and beta of the loss, for the crop named above it"}}
def on_grid(variants: dict, axes: tuple[str, str]):
    """Draw mPSNR over the two settings in the name of a variant."""
    points = {}
    for variant, some in variants.items():
        at = dict(part.split("=") for part in variant.split("+"))
        values = [record.metrics["mPSNR"] for record in some]
        points[tuple(float(at[axis]) for axis in axes)] = (
            sum(values) / len(values) if values else float("nan")
        )
    x, y = (f"{axis} (unitless)" for axis in axes)
    return plot_grid(points, x=x, y=y, label="mPSNR (dB)")


show("fig-4a", on_grid, axes=("alpha", "beta"))

# %% mystnb={"image": {"alt": "mPSNR in dB and mean spectral angle in degrees for five values of the weight gamma, for the crop named above it"}}
show("fig-4b", plot_variants, metrics=("mPSNR", "mSAM"))

# %% mystnb={"image": {"alt": "Heat map of the mPSNR in dB over the weights mu and nu of the loss, for the crop named above it"}}
show("fig-4c", on_grid, axes=("mu", "nu"))

# %% [markdown]
# ## Figure 5: what each part is worth
#
# Each row takes one term of the loss away.

# %% mystnb={"image": {"alt": "mPSNR in dB and mean spectral angle in degrees of HyCoNet, whole and without each of six parts of its loss, for the crop named above it"}}
show("fig-5", plot_variants, metrics=("mPSNR", "mSAM"))

# %% [markdown]
# ## Figure 6: a clamp against a softmax
#
# The mPSNR is measured while training goes on; the training does not see it. `relu`, which clamps
# at 0 only, is what the code released in 2021 does.


# %% mystnb={"image": {"alt": "mPSNR in dB against the iteration for abundances kept in range by a clamp, a softmax or a ReLU, for the crop named above it"}}
def convergence(variants: dict):
    """Draw the first seed's curve of every variant that kept one."""
    curves = {name: some[0] for name, some in variants.items() if some}
    return plot_convergence(
        {n: one for n, one in curves.items() if "mPSNR" in one.curves}
    )


show("abundances", convergence)

# %% [markdown]
# ## Figure 7: the number of endmembers


# %% mystnb={"image": {"alt": "mPSNR in dB and mean spectral angle in degrees against the number of endmembers, a line per crop"}}
def against_endmembers(crops: dict):
    """Draw all crops in one figure."""
    return plot_against(
        {
            crop: {float(n[2:]): some for n, some in found.items() if some}
            for crop, found in crops.items()
        }
    )


series = {}
for crop, note, variants in study_notes("fig-7", store):
    display(Markdown(note))
    if variants:
        series[crop] = variants
if series:
    display(against_endmembers(series))

# %% [markdown]
# ## Figure 8: the learned point spread


# %% mystnb={"image": {"alt": "True and learned point spread functions for each recorded width, as grids of ratio by ratio pixels, for the crop named above it"}}
def kernels(crop: str) -> list:
    """Return the records of HyCoNet for the widths that were recorded."""
    found = [row("hyconet", crop, width) for width in SIGMAS]
    return [record for record in found if record is not None]


for crop in (SMALL, PAVIA, HOUSTON):
    found = kernels(crop)
    display(Markdown(f"**{crop}**. {provenance_line(found)}"))
    draw(plot_kernels, crop, found)

# %% [markdown]
# ## Figure 9: the abundances
#
# $\mathbf{A}$ comes from the multispectral image, $\mathbf{A}_h^a$ from the hyperspectral one, and
# $\mathbf{A}_h^b$ is $\mathbf{A}$ blurred by the learned PSF. The paper says that they are sparse
# and that they sum to one almost everywhere.

# %% mystnb={"image": {"alt": "Histograms of three kinds of abundances on a logarithmic axis, and maps of how far their sums are from one"}}
for crop in (SMALL, PAVIA):
    trained = row("hyconet", crop, holds="sum_error_a")
    if trained is not None:
        line = provenance_line([trained])
        display(Markdown(f"**{crop}**. {line}"))
        display(plot_abundances(trained))
    else:
        print(
            "No record of HyCoNet with its abundances is here; make it with"
        )
        print(to_make(["hyconet"], crop))

# %% [markdown]
# Why do the sums stray so far from one? An error of the images counts every band of every pixel,
# with a weight of 10 for $\mathbf{Z}_b$ and for $\mathbf{Y}$. The sum-to-one counts one number per
# pixel, with a weight of $\mu = 0.001$. Below is what each term of the loss is worth when the
# training ends.

# %% mystnb={"image": {"alt": "Share of each of the six terms in the loss at the end of the training, on a logarithmic axis, a mark per crop"}}
trained = {crop: row("hyconet", crop) for crop in (SMALL, PAVIA, HOUSTON)}
trained = {
    crop: record for crop, record in trained.items() if record is not None
}
for crop in trained:
    note = sum_to_one_note(crop, store)
    if note:
        display(Markdown(f"**{crop}**. {note}"))
if trained:
    display(Markdown(provenance_line(list(trained.values()))))
    display(plot_loss_shares(trained, LOSS_TERMS))
else:
    print("No record of HyCoNet is here; make one with")
    print(to_make(["hyconet"], SMALL))

# %% [markdown]
# ## Figures 10 to 13: where the errors lie
#
# For every method, from left to right: the fused image in false colour, the error of these three
# bands, the relative error of all bands, and the spectral angle. All methods share one scale per
# column, and it does not stretch for a method that fails.


# %%
def shown(crop: str) -> list:
    """Return the records with pictures, in the order of the tables."""
    found = [row(m, crop, holds="rmse_colour") for m in TABLE_METHODS]
    kept = [record for record in found if record is not None]
    text = f"**{crop}**. {provenance_line(kept)}" if kept else f"**{crop}**"
    lacking = [
        m for m in TABLE_METHODS if m not in {r.key.method for r in kept}
    ]
    if lacking:
        text += (
            f" Without pictures: {', '.join(lacking)}; "
            f"`{to_make(lacking, crop)}` makes them."
        )
    display(Markdown(text))
    return kept


# %% mystnb={"image": {"alt": "Fused images of the Pavia Centre crop by each method in false colour, with maps of RMSE, relative error and spectral angle in degrees"}}
draw(plot_error_maps, PAVIA, shown(PAVIA))

# %% mystnb={"image": {"alt": "Fused images of the Jasper Ridge crop by each method in false colour, with maps of RMSE, relative error and spectral angle in degrees"}}
draw(plot_error_maps, "jasper-ridge", shown("jasper-ridge"))

# %% mystnb={"image": {"alt": "Fused images of the HYDICE Urban crop by each method in false colour, with maps of RMSE, relative error and spectral angle in degrees"}}
draw(plot_error_maps, "hydice-urban-crop", shown("hydice-urban-crop"))

# %% mystnb={"image": {"alt": "Fused images of the Houston crop by each method in false colour, with maps of RMSE, relative error and spectral angle in degrees"}}
draw(plot_error_maps, HOUSTON, shown(HOUSTON))

# %% [markdown]
# ## Figure 14: accuracy by band
#
# HyCoNet is the black line, where it is recorded. The grey spans are what the multispectral bands see. Outside them, the fine detail of a band has
# to be carried over from its neighbours.


# %% mystnb={"image": {"alt": "PSNR in dB of every band against its wavelength in nm for each method on the Pavia Centre crop"}}
def by_band(crop: str) -> list:
    """Return the records that tell the accuracy of every band."""
    found = [row(m, crop, holds="psnr_by_band") for m in TABLE_METHODS]
    kept = [record for record in found if record is not None]
    names = [f"{r.key.method} ({r.key.profile})" for r in kept]
    lacking = set(TABLE_METHODS) - {r.key.method for r in kept}
    text = f"**{crop}**, {', '.join(names)}."
    if lacking:
        text += f" Not recorded: {', '.join(sorted(lacking))}."
    display(Markdown(f"{text} {provenance_line(kept)}"))
    return kept


def black(records: list):
    """Draw the records, HyCoNet in black if it is among them."""
    there = "hyconet" in {record.key.method for record in records}
    return plot_psnr_by_band(
        records, highlight="hyconet" if there else None
    )


draw(black, PAVIA, by_band(PAVIA))

# %% mystnb={"image": {"alt": "PSNR in dB of every band against its wavelength in nm for each method on the Jasper Ridge crop"}}
draw(black, "jasper-ridge", by_band("jasper-ridge"))

# %% mystnb={"image": {"alt": "PSNR in dB of every band against its wavelength in nm for each method on the HYDICE Urban crop"}}
draw(black, "hydice-urban-crop", by_band("hydice-urban-crop"))

# %% mystnb={"image": {"alt": "PSNR in dB of every band against its wavelength in nm for each method on the Houston crop"}}
draw(black, HOUSTON, by_band(HOUSTON))

# %% [markdown]
# ## What held, and what did not
#
# Of each study one line per crop, put together from its records. [](verdict.ipynb) says what they
# make of the paper's claims.

# %%
FIGURES = ("fig-4a", "fig-4b", "fig-4c", "fig-5", "abundances", "fig-7")
lines = [line for name in FIGURES for line in study_findings(name, store)]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## Change me
#
# The same on your scene: every variant of one study, run here and now. With the `smoke` profile
# HyCoNet's runs are more than a hundred times shorter than the paper's: they show that the study
# works, not what it finds.

# %% tags=["remove-stderr"]
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")
plan = table_of(p["scene"])
prepared = prepare(
    p["scene"],
    p["sigma"],
    table=plan,
    ratio=p["ratio"],
    key=p["key"],
    wavelengths=p["wavelengths"],
    part=p["part"],
)
for note in prepared.notes:
    print(note)
label = scene_label(p["scene"], prepared)
cells = {
    variant: study_keys(
        p["study"],
        label,
        p["profile"],
        [variant],
        [p["seed"]],
        p["sigma"],
        p["ratio"],
    )
    for variant in STUDIES[p["study"]].variants
}
here = {
    variant: fill(
        keys,
        lambda cell, checkpoint: run_cell(
            cell,
            prepared,
            device=p["device"],
            checkpoint=checkpoint,
            progress=True,
        ),
        say=print,
    )
    for variant, keys in cells.items()
}

# %% mystnb={"image": {"alt": "mPSNR in dB and mean spectral angle in degrees of each variant of the chosen study on the chosen scene"}}
plot_variants(here, metrics=("mPSNR", "mSAM"))
