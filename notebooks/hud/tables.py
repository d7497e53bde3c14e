# %% [markdown]
# # HUD: the tables
#
# *Takes some seconds with the `smoke` profile, and 3 to 9 minutes a method with `quick`, on two
# CPU cores.*
#
# HUD {cite}`shen2025hud` draws tiles of 32 x 32 pixels and sets them beside those of five other
# generators: by two metrics that it proposes (Table I), by the inception score (Table II) and by
# the Fréchet distance FID (Table III), on five scenes. This chapter trains and judges some of them
# on a scene of your choice, here and now, and sets what is recorded on real crops beside what the
# paper prints.
#
# The five scenes are not freely at hand. Crops of the same sensors stand in for them, and every
# table says so. Where you have the paper's own scene,
# `hsirepro run hud --scene pavia-centre --profile paper` records it, and it joins the tables below.

# %%
from IPython.display import Markdown, display

from hsirepro.generation import METHODS
from hsirepro.metrics.distribution import point_fidelity
from hsirepro.papers.cells import fill
from hsirepro.papers.hud import (
    DATASETS,
    NULLS,
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    STAND_INS,
    TABLE,
    TABLE_METHODS,
    VARIANTS,
    keys,
    prepare,
    run_cell,
    scene_label,
    scene_of,
)
from hsirepro.papers.hud.findings import null_notes
from hsirepro.papers.hud.scores import (
    columns_of,
    printed_averages,
    scores,
)
from hsirepro.params import Parameter, check_chapter, listed
from hsirepro.records import RecordStore
from hsirepro.report import (
    comparison_table,
    plot_scene,
    provenance_line,
    run_table,
)
from hsirepro.report.generation import plot_mosaics, plot_trade_off
from hsirepro.scenes import CATALOGUE

SCHEMA = {
    **PARAMETERS,
    "methods": Parameter(
        "str",
        "null-tiles, null-mixtures, null-flat, hud",
        "rows to run, with commas",
    ),
}

_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/hud/tables.ipynb out.ipynb -p scene pavia-centre-crop -p profile quick`
# sets them from outside.

# %% tags=["parameters"]
scene = "planted"  # catalogue name, or path of your own cube
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
endmembers = 0  # number of endmembers; 0 takes the paper's for the scene
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
methods = "null-tiles, null-mixtures, null-flat, hud"  # what to run, of the rows below

# %%
p = check_chapter(globals(), _known, SCHEMA)
chosen = listed(p["methods"])
keys(p["scene"], p["profile"], chosen)  # or says what is wrong
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")

# %% [markdown]
# ## Look first

# %% mystnb={"image": {"alt": "The scene in false colour beside the spectra of three marked pixels against wavelength in nm"}}
prepared = prepare(
    p["scene"], key=p["key"], wavelengths=p["wavelengths"], part=p["part"]
)
for note in prepared.notes:
    print(note)
plot_scene(prepared.cube)

# %% [markdown]
# ## Run
#
# One cell is one method on this scene: it learns from random tiles, draws new ones, and they are
# judged by every metric. Five of the rows are *null models*, which nobody would call generators:
# `null-tiles` copies real tiles, `null-unmixed` copies them as far as endmembers explain them,
# `null-shuffled` puts real pixels in random places, `null-mixtures`
# draws every pixel as a random mixture of the endmembers, and `null-flat` is one grey everywhere. A
# metric on which they do well does not measure what a generator is for.

# %% tags=["remove-stderr"]
label = scene_label(p["scene"], prepared)
cells = keys(
    label, p["profile"], chosen, [p["seed"]], endmembers=p["endmembers"]
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

# %%
run_table(records, columns=columns_of(records))

# %% mystnb={"image": {"alt": "Sixteen tiles of each method and sixteen real ones, in the same false colour"}}
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

# %% [markdown]
# *Point fidelity* is the mean cosine of a generated pixel and its nearest real one (eq. 16); *block
# diversity* that of a tile and its nearest place in the scene (eq. 17), read as the mean of the
# pixels' cosines, which never exceeds the fidelity: none of the thirty ratios that the paper prints
# exceeds 1, either. FID, precision and recall are taken on the features of a small network that was
# trained on the scene to tell classes of tiles. Where a scene has no classes, clusters of its
# spectra take their place, and the name says so: such numbers cannot be set beside the paper's.
#
# ## Beside the paper
#
# *Difference* is ours minus the paper's, and is formed for runs of the `paper` profile only.

# %%
store = RecordStore()
recorded = scores(store)
SIZE = "tiles=32"


def runs_of(crop: str) -> list:
    """Return the recorded runs of one crop, in the best profile of each row."""
    place = {"paper": "hud", "table": TABLE, "scene": crop}
    return [
        record
        for method in VARIANTS
        for record in store.best_seeds(
            **place, condition=SIZE, method=method
        )
        if record.key.profile != "smoke"
    ]


PRINTED = {
    "I": ("PointFidelity", "BlockDiversity", "DiversityOverFidelity"),
    "II": ("IS",),
    "III": ("FID",),
}
without, unlabelled = [], []
for crop, known in {**STAND_INS, **DATASETS}.items():
    found = runs_of(crop)
    if not known.dataset or (crop in DATASETS and not found):
        continue
    if not any(record.key.method in TABLE_METHODS for record in found):
        without.append(crop)
        continue
    for number, metrics in PRINTED.items():
        if not any(metrics[0] in record.metrics for record in found):
            continue
        display(
            comparison_table(
                paper="hud",
                table=number,
                recorded_in=TABLE,
                scene=crop,
                dataset=known.dataset,
                condition=SIZE,
                methods=TABLE_METHODS,
                metrics=metrics,
                records=found,
                published_names=PUBLISHED_NAMES,
            )
        )
    if not any("FID" in record.metrics for record in found):
        unlabelled.append(crop)
    title = CATALOGUE[crop].title
    display(Markdown(f"{crop} is: {title}. {provenance_line(found)}"))
if unlabelled:
    display(
        Markdown(
            f"Tables II and III are not set beside the paper's for "
            f"{', '.join(unlabelled)}: no classes are known there, and FID "
            "and IS of clusters, below, are others."
        )
    )
if without:
    display(
        Markdown(
            f"No row of the paper is recorded yet on {', '.join(without)}; "
            "`hsirepro sweep hud --profile quick` runs them."
        )
    )

# %% [markdown]
# ## All rows, and the nulls
#
# Every recorded row of every crop: the rows of the paper, our variants of HUD and of its rivals, and
# the null models.

# %%
for crop in STAND_INS:
    found = runs_of(crop)
    profiles = sorted({record.key.profile for record in found})
    for one in profiles:
        same = [record for record in found if record.key.profile == one]
        display(run_table(same, columns=columns_of(same)))

# %% mystnb={"image": {"alt": "Block diversity against point fidelity of every recorded run on one crop, null models hollow"}}
for crop in list(STAND_INS)[:1]:
    mine = recorded[recorded.scene == crop]
    points = {
        name: list(
            zip(runs.PointFidelity, runs.BlockDiversity, strict=True)
        )
        for name, runs in mine.groupby("method", sort=False)
    }
    if points:
        display(plot_trade_off(points, set(NULLS)))

# %% [markdown]
# On the dotted line a tile is as near to its nearest place as its pixels are to their nearest
# pixels.
#
# ## What the paper's averages do not follow from
#
# The paper averages its five scenes. Averages that its own rows do not give, beyond rounding:

# %%
lines = ["| table | metric | method | printed | of the rows |"]
lines += ["|---|---|---|---:|---:|"]
lines += [
    f"| {row.table} | {row.metric} | {row.method} | {row.printed:.3f} | "
    f"{row[-1]:.3f} |"
    for row in printed_averages().itertuples(index=False)
]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## Change me
#
# Does the number of endmembers matter to a null? Each answers in a second.

# %%
patches = prepared.patches(PROFILES[p["profile"]].size)
for number in (2, 3, scene_of(p["scene"]).endmembers):
    null = METHODS["null-mixtures"](patches, endmembers=number).model
    fidelity = point_fidelity(null.sample(8).tiles, patches.images[0])
    print(f"{number} endmembers: point fidelity {fidelity:.4f}")

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed. [](verdict.ipynb) decides every claim.

# %%
display(Markdown("\n".join(f"- {note}" for note in null_notes(recorded))))
