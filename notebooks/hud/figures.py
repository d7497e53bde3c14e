# %% [markdown]
# # HUD: the figures
#
# *Takes some seconds: all but the last cells show recorded runs.*
#
# Figure 3 of the paper {cite}`shen2025hud` shows tiles of every method in pseudo-colour beside real
# ones, and says of each what is wrong with it: a grid in the GAN's, blur in the VAE's, poor colours
# in those of UD and UBF. Figure 4 shows the clouds of their spectra. This chapter draws both from
# recorded runs, and puts numbers to what the paper sees.

# %%
from IPython.display import Markdown, display

from hsirepro.papers.cells import fill
from hsirepro.papers.hud import (
    NULLS,
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    STAND_INS,
    TABLE,
    VARIANTS,
    keys,
    prepare,
    run_cell,
    scene_label,
)
from hsirepro.papers.hud.looks import looks_of
from hsirepro.params import Parameter, check_chapter, listed
from hsirepro.records import Record, RecordStore
from hsirepro.report import provenance_line
from hsirepro.report.generation import plot_densities, plot_mosaics
from hsirepro.scenes import CATALOGUE

SCHEMA = {
    **PARAMETERS,
    "methods": Parameter("str", "hud", "rows to run, with commas"),
}

_known = set(globals())

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
scene = "planted"  # catalogue name, or path of your own cube
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
endmembers = 0  # number of endmembers; 0 takes the paper's for the scene
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
methods = "null-tiles, null-mixtures, hud"  # what to run and draw here

# %%
p = check_chapter(globals(), _known, SCHEMA)
chosen = listed(p["methods"])
wanted = keys(p["scene"], p["profile"], chosen)  # or says what is wrong
print(f"{len(wanted)} methods on {p['scene']}, profile {p['profile']}")

# %% [markdown]
# ## Figure 3: tiles
#
# Sixteen real tiles, and the first sixteen that each method drew, in the false colour of their
# scene. `null-mixtures`, where every pixel is a random mixture of the endmembers on its own, stands
# beside them as what no method should look like.

# %%
store = RecordStore()
SHOWN = [
    name
    for name in VARIANTS
    if PUBLISHED_NAMES[name] or name == "null-mixtures"
]


def pictured(crop: str) -> list[Record]:
    """Return one recorded run with pictures of each row, the longest."""
    place = {"paper": "hud", "table": TABLE, "scene": crop}
    found = (
        store.best(**place, condition="tiles=32", method=name)
        for name in SHOWN
    )
    return [r for r in found if r is not None and r.key.profile != "smoke"]


def name_of(record: Record) -> str:
    """Return the name of a row, and the paper's."""
    theirs = PUBLISHED_NAMES[record.key.method]
    same = theirs is None or theirs.lower() == record.key.method
    return record.key.method if same else f"{record.key.method} ({theirs})"


def show(draw, wanted: str) -> None:
    """Draw a figure of the records of every crop, or say which are missing."""
    without = []
    for crop in STAND_INS:
        runs = [
            r for r in pictured(crop) if wanted in (*r.images, *r.arrays)
        ]
        if not any(r.key.method not in NULLS for r in runs):
            without.append(crop)
            continue
        display(draw(runs))
        title = CATALOGUE[crop].title
        display(Markdown(f"{crop}: {title}. {provenance_line(runs)}"))
    if without:
        display(
            Markdown(
                f"Nothing to draw of {', '.join(without)}: not run yet "
                "(`hsirepro sweep hud --profile quick`), or, for tiles, "
                "without the wavelengths that a false colour needs."
            )
        )


# %% mystnb={"image": {"alt": "For each crop sixteen real tiles and sixteen tiles of each method, in the same false colour"}}
show(
    lambda runs: plot_mosaics(
        {
            "real": runs[0].images["real"],
            **{name_of(r): r.images["generated"] for r in runs},
        },
        int(runs[0].settings["size"]),
    ),
    "generated",
)

# %% [markdown]
# ## What one sees in them, measured
#
# *Detail* is the mean difference of neighbouring pixels over that of the real tiles: below 1 is
# blur, above 1 is noise. *Frame* is how much the outermost pixels of a tile stand off from what is
# beside them, again over the real tiles: 1 for a scene and for noise alike. Side by side, tiles
# with frames look as if a grid lay over them, which is what the paper says of the GAN's. Both are of
# the pictures above.

# %%
lines = ["| crop | method | profile | detail | frame |"]
lines += ["|---|---|---|---:|---:|"]
seen = []
for crop in STAND_INS:
    for record in pictured(crop):
        if "generated" not in record.images:
            continue
        side = int(record.settings["size"])
        looks = looks_of(
            record.images["generated"], record.images["real"], side
        )
        seen.append((crop, record.key.method, looks))
        lines.append(
            f"| {crop} | {name_of(record)} | {record.key.profile} "
            f"| {looks.detail:.2f} | {looks.frame:.2f} |"
        )
display(Markdown("\n".join(lines)))


# %%
def word_on(method: str, what: str, holds) -> str:
    """Say on how many crops the paper's remark on a method holds."""
    asked = [looks for _, name, looks in seen if name == method]
    name = PUBLISHED_NAMES[method]
    if not asked:
        return f"- {name}: no pictures are recorded."
    count = sum(holds(looks) for looks in asked)
    return f"- {name}: {what} on {count} of {len(asked)} crops."


remarks = [
    word_on(
        "wgan-gp",
        "the frame is stronger than twice the real",
        lambda k: k.frame > 2,
    ),
    word_on(
        "vae",
        "there is less than half the detail",
        lambda k: k.detail < 0.5,
    ),
    word_on(
        "hud",
        "detail is within a third of real",
        lambda k: 0.67 < k.detail < 1.5,
    ),
]
display(Markdown("\n".join(remarks)))

# %% [markdown]
# These are runs of the profile that the table names: a remark that fails after minutes of training
# says nothing of the paper's models, which had hours.
#
# ## Figure 4: clouds of spectra
#
# How often each value occurs at each wavelength, in all pixels of all tiles. The paper reads from
# it that UD and UBF keep the shape of the spectra and shift their level.

# %% mystnb={"image": {"alt": "For each crop, how often each value occurs at each wavelength in nm, in the scene and in the tiles of each method"}}
show(
    lambda runs: plot_densities(
        {
            "real": runs[0].arrays["density_real"],
            **{name_of(r): r.arrays["density_generated"] for r in runs},
        },
        runs[0].arrays["wavelength"],
        runs[0].settings["density_top"],
    ),
    "density_generated",
)

# %% [markdown]
# ## The same on your scene

# %% tags=["remove-stderr"]
prepared = prepare(
    p["scene"], key=p["key"], wavelengths=p["wavelengths"], part=p["part"]
)
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")
cells = keys(
    scene_label(p["scene"], prepared),
    p["profile"],
    chosen,
    [p["seed"]],
    endmembers=p["endmembers"],
)
records = fill(
    cells,
    lambda cell, checkpoint: run_cell(
        cell,
        prepared,
        device=p["device"],
        checkpoint=checkpoint,
        progress=True,
        pictures=True,
    ),
    say=print,
)

# %% mystnb={"image": {"alt": "Sixteen real tiles and sixteen tiles of each chosen method, in the same false colour"}}
pictures = {
    r.key.method: r.images["generated"] for r in records if r.images
}
if pictures:
    display(
        plot_mosaics(
            {"real": records[0].images["real"], **pictures},
            PROFILES[p["profile"]].size,
        )
    )

# %% mystnb={"image": {"alt": "How often each value occurs at each wavelength in nm, in the scene and in the tiles of each chosen method"}}
plot_densities(
    {
        "real": records[0].arrays["density_real"],
        **{r.key.method: r.arrays["density_generated"] for r in records},
    },
    records[0].arrays["wavelength"],
    records[0].settings["density_top"],
)

# %% [markdown]
# ## Change me
#
# Which method has the right mean spectrum, and which the right spread? `percentiles_generated` holds
# five percentiles (5, 25, 50, 75, 95) a band.

# %%
lower, upper = 1, 3  # of the five: the quartiles

for record in records:
    width = {
        name: (
            record.arrays[f"percentiles_{name}"][upper]
            - record.arrays[f"percentiles_{name}"][lower]
        ).mean()
        for name in ("real", "generated")
    }
    print(
        f"{record.key.method}: the middle half of the values spans "
        f"{width['generated']:.4f}, of real ones {width['real']:.4f}"
    )

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
display(Markdown("\n".join(remarks)))
