# %% [markdown]
# # HUD: do the metrics work?
#
# *Takes some seconds with the `smoke` profile on two CPU cores.*
#
# A number that says "these tiles are good" has to say "these are bad" of bad ones. HUD
# {cite}`shen2025hud` proposes two such numbers, point fidelity and block diversity, and adds the
# inception score and FID. This chapter puts all of them to the test, in four ways:
#
# 1. real tiles that we damage, more and more: which metric sees which damage?
# 2. *null models*, which nobody would call generators: which metric puts them below a trained one?
# 3. a model that saw one half of a scene only: does it copy that half?
# 4. fewer and fewer steps of the sampler: from where on are the tiles worse?

# %%
import torch
from IPython.display import Markdown, display

from hsirepro.generation import Patches
from hsirepro.papers.cells import fill
from hsirepro.papers.hud import (
    DAMAGED,
    HALVES,
    NULLS,
    PARAMETERS,
    PROFILES,
    SAMPLERS,
    STUDIED,
    keys,
    prepare,
    run_cell,
    scene_label,
)
from hsirepro.papers.hud.findings import (
    ceiling_notes,
    damage_notes,
    damage_table,
    halves_table,
    null_notes,
    sampler_notes,
)
from hsirepro.papers.hud.recording import Judge
from hsirepro.papers.hud.scores import COLUMNS, columns_of, scores
from hsirepro.params import check_chapter
from hsirepro.records import RecordStore
from hsirepro.report import plot_scene, provenance_line
from hsirepro.report.judging import (
    plot_damages,
    plot_halves,
    plot_rows,
    plot_samplers,
)
from hsirepro.scenes import to_tensor

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

# %%
p = check_chapter(globals(), _known, PARAMETERS)
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")
store = RecordStore()

# %% mystnb={"image": {"alt": "The scene in false colour beside the spectra of three marked pixels against wavelength in nm"}}
prepared = prepare(
    p["scene"], key=p["key"], wavelengths=p["wavelengths"], part=p["part"]
)
for note in prepared.notes:
    print(note)
plot_scene(prepared.cube)

# %% [markdown]
# ## 1. Damage that we know
#
# Real tiles, and five things done to them, from strength 0 (nothing) to 1:
#
# | damage | strength |
# |---|---|
# | `shuffled` | share of pixels that change places, over all tiles |
# | `noisy` | deviation of added noise, over that of the tiles |
# | `brighter` | share by which every value is raised |
# | `faded` | how far every pixel goes to the mean of its tile |
# | `collapsed` | share of tiles that become copies of the first |
#
# A metric that works gets worse with strength. One whose line is flat does not see that damage, and
# one that gets *better* takes it for progress: of block diversity, and of its ratio to fidelity,
# less is meant to be good.

# %% tags=["remove-stderr"]
label = scene_label(p["scene"], prepared)


def run(table: str, rows: list | None = None) -> list:
    """Run cells of a study on this scene, or take what was run before."""
    cells = keys(
        label,
        p["profile"],
        rows,
        [p["seed"]],
        table=table,
        endmembers=p["endmembers"],
    )
    return fill(
        cells,
        lambda cell, checkpoint: run_cell(
            cell,
            prepared,
            device=p["device"],
            checkpoint=checkpoint,
            progress=True,
        ),
        say=print,
    )


def recorded(table: str, crop: str) -> list:
    """Return the recorded runs of a study on a crop, of one profile."""
    for length in ("paper", "quick"):
        place = {"paper": "hud", "table": table, "scene": crop}
        found = store.find(**place, profile=length)
        if found:
            order = [one.method for one in keys(crop, length, table=table)]
            return sorted(found, key=lambda r: order.index(r.key.method))
    return []


damaged = run(DAMAGED)

# %% mystnb={"image": {"alt": "Each metric against the strength of each of five damages"}}
plot_damages(damaged, [*columns_of(damaged)])

# %%
display(Markdown("\n".join(damage_table(damaged))))

# %% [markdown]
# And as recorded on real crops:

# %% mystnb={"image": {"alt": "Each metric against the strength of each of five damages, on a recorded crop"}}
notes = []
for crop in STUDIED:
    found = recorded(DAMAGED, crop)
    if found:
        display(Markdown(f"**{crop}**"))
        display(plot_damages(found, [*columns_of(found)]))
        display(Markdown(provenance_line(found)))
        display(Markdown("\n".join(damage_table(found))))
        notes += [f"- {crop}: {note}" for note in damage_notes(found)]

# %% [markdown]
# ## 2. Null models
#
# `null-tiles` copies real tiles, `null-unmixed` copies them as the endmembers can explain them (the
# most that HUD can reach, were its diffusion perfect), `null-shuffled` puts real pixels in random places, `null-mixtures`
# draws every pixel as a random mixture of the endmembers, `null-flat` is one grey everywhere. Hollow
# dots are nulls, full ones trained methods; all runs of the `quick` profile.

# %% mystnb={"image": {"alt": "Every metric of every recorded run by method, null models hollow, one figure a crop"}}
frame = scores(store)
for crop, runs in frame.groupby("scene"):
    if runs.method.isin(NULLS).all():
        continue
    values = {
        metric: {
            name: list(mine[metric].dropna())
            for name, mine in runs.groupby("method", sort=False)
        }
        for metric in COLUMNS
        if metric in runs and runs[metric].notna().any()
    }
    display(Markdown(f"**{crop}**"))
    display(
        plot_rows(
            values, set(NULLS), {m for m in values if m.startswith("FID")}
        )
    )
verdicts = null_notes(frame)
display(Markdown("\n".join(f"- {note}" for note in verdicts)))

# %% [markdown]
# How much of HUD's distance to real tiles is the diffusion's, and how much the unmixing's? Real
# tiles, unmixed and mixed again, are what a perfect diffusion of abundances would draw.

# %%
ceilings = ceiling_notes(frame)
display(Markdown("\n".join(f"- {note}" for note in ceilings)))

# %% [markdown]
# ## 3. Does it copy?
#
# The paper trains and judges on the same scene. Whether tiles are new cannot be told that way: a
# model that has learned the scene by heart has the best of all numbers. Here each model sees one half
# of a scene. Its tiles are held against that half and against the other. Real tiles of the other
# half, held against the seen one, show what is to be had without copying (dashed).

# %% tags=["remove-stderr"]
own = run(HALVES, ["null-tiles", "null-mixtures", "hud"])


def show_halves(records: list) -> None:
    """Draw and list how near tiles come to both halves."""
    rows, real = halves_table(records)
    display(plot_halves(rows, real))
    lines = ["| method | seen half | unseen half | gap |"]
    lines += ["|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {seen:.4f} | {unseen:.4f} | {seen - unseen:+.4f} |"
        for name, (seen, unseen) in rows.items()
    ]
    lines.append(f"| *real tiles, unseen half* | {real:.4f} | — | — |")
    display(Markdown("\n".join(lines)))


# %% mystnb={"image": {"alt": "Block diversity of each method's tiles against the half of the scene that it saw and the other half"}}
show_halves(own)

# %% mystnb={"image": {"alt": "Block diversity of each method's tiles against the half of a recorded crop that it saw and the other half"}}
for crop in STUDIED:
    found = recorded(HALVES, crop)
    if found:
        display(Markdown(f"**{crop}**"))
        show_halves(found)
        display(Markdown(provenance_line(found)))

# %% [markdown]
# `null-tiles` is what copying looks like. A method whose tiles are no nearer to the seen half than
# the dashed line has not copied, and one to the right of it has, or draws what is easy: `null-mixtures`
# has never seen where anything lies.
#
# ## 4. How many steps?
#
# The paper's sampler takes a thousand steps. DDIM and DPM-Solver++ solve the same equation in fewer.
# The grey band is where three draws of the thousand-step sampler lie, each of 64 tiles. It also
# tells how far two values of a metric must be apart to mean anything.

# %% mystnb={"image": {"alt": "Metrics and seconds per tile against the number of steps of two samplers, with the band of the thousand-step sampler"}}
drawn = []
for crop in STUDIED:
    for record in recorded(SAMPLERS, crop):
        drawn += sampler_notes(record)
        shown = [*columns_of([record]), "seconds per tile"]
        display(Markdown(f"**{crop}**"))
        display(plot_samplers(record, shown))
        display(Markdown("\n".join(sampler_notes(record))))
        display(Markdown(provenance_line([record])))
if not drawn:
    print(
        "Nothing is recorded yet; `hsirepro run hud --table samplers "
        "--scene pavia-centre-crop --method hud --profile quick` does it."
    )

# %% [markdown]
# ## Change me
#
# Make a damage of your own, and see who notices.


# %% tags=["remove-stderr"]
def my_damage(tiles: torch.Tensor) -> torch.Tensor:
    """Mirror every tile: left becomes right."""
    return tiles.flip(3)


plan = PROFILES[p["profile"]]
judge = Judge(
    prepared.cube,
    prepared.labels,
    size=plan.size,
    clusters=5,
    iterations=plan.judging,
)
real = Patches([to_tensor(prepared.cube)], plan.size).draw(
    plan.count, torch.Generator().manual_seed(1)
)
before, after = judge.scores(real), judge.scores(my_damage(real))
for name in before:
    print(f"{name}: {before[name]:.4f} before, {after[name]:.4f} after")

# %% [markdown]
# ## What to believe
#
# Put together from the records above, not typed.

# %%
display(
    Markdown(
        "\n".join(
            [*notes, *(f"- {n}" for n in (*verdicts, *ceilings)), *drawn]
        )
    )
)
