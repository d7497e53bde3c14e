# %% [markdown]
# # Unmixing
#
# *Takes some seconds with the `smoke` profile on two CPU cores.*
#
# HUD stands on a linear mixing model: every pixel is a mixture of a few endmembers, in shares that
# are not negative and sum to one. How many endmembers, which ones, and in which shares? This
# chapter answers the three questions on a scene whose truth we planted, and then asks how well the
# answers hold on three scenes for which others have published theirs.

# %%
import numpy as np
import torch
from IPython.display import Markdown, display

from hsirepro.papers.hud import (
    FINDERS,
    PARAMETERS,
    REFERENCED,
    UNMIXING,
    prepare,
)
from hsirepro.papers.hud.unmixing import STEP
from hsirepro.params import Parameter, check_chapter
from hsirepro.records import RecordStore
from hsirepro.report import plot_scene, provenance_line, run_table
from hsirepro.report.generation import (
    plot_endmembers,
    plot_maps,
    plot_matches,
)
from hsirepro.scenes import to_tensor
from hsirepro.scenes.simulate import simulate
from hsirepro.unmixing import (
    abundance_rmse,
    fcls,
    hfc,
    hysime,
    match_endmembers,
    ncls,
    nfindr,
    vca,
)

SCHEMA = {
    name: PARAMETERS[name]
    for name in (
        "scene",
        "key",
        "wavelengths",
        "part",
        "endmembers",
        "seed",
    )
}
SCHEMA["snr"] = Parameter("float", 40.0, "signal-to-noise ratio", "dB")
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/hud/unmixing.ipynb out.ipynb -p scene my.hdr -p endmembers 6` unmixes a scene
# of your own; there is then no truth to compare with.

# %% tags=["parameters"]
scene = "planted"  # catalogue name, or path of your own cube
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
endmembers = 0  # how many to look for; 0 takes the planted ones, or HFC's
snr = 40.0  # signal-to-noise ratio of the planted scene, dB
seed = 0  # random seed of the planted scene and of VCA

# %%
p = check_chapter(globals(), _known, SCHEMA)

# %% [markdown]
# ## Look first
#
# The planted scene has five materials, slopes and shadows.

# %% mystnb={"image": {"alt": "The scene in false colour beside the spectra of three marked pixels against wavelength in nm"}}
materials = ("vegetation", "dry_grass", "soil", "red_tile", "metal_roof")
recipe = {"size": 64, "materials": materials, "variability": 0.0}
planted = None
if p["scene"] == "planted":
    planted = simulate(**recipe, snr_db=p["snr"], seed=p["seed"])
    cube = planted.cube
else:
    given = {name: p[name] for name in ("key", "wavelengths", "part")}
    prepared = prepare(p["scene"], **given)
    cube = prepared.cube
    for note in prepared.notes:
        print(note)
image = to_tensor(cube)
pixels = image.flatten(1)
plot_scene(cube)

# %% [markdown]
# ## How many?
#
# HFC tests, direction by direction, whether there is more than noise; HySime estimates the noise
# band by band from the other bands, and counts the directions in which the signal is worth it
# {cite}`bioucas2008hysime`.

# %%
counts = {"HFC": hfc(pixels), "HySime": hysime(pixels)[0]}
if planted is not None:
    counts = {"planted": len(materials), **counts}
print(", ".join(f"{name} {number}" for name, number in counts.items()))
count = p["endmembers"] or max(2, next(iter(counts.values())))

# %% [markdown]
# ## Which ones?
#
# Under the linear model the pixels lie in a simplex whose corners are the endmembers. VCA looks for
# the farthest pixel in random directions {cite}`nascimento2005vca`; N-FINDR for the pixels that span
# the largest volume.

# %% mystnb={"image": {"alt": "Spectra of the endmembers that VCA found, against wavelength in nm"}}
found = {
    "VCA": vca(pixels, count, seed=p["seed"], restarts=20)[0],
    "N-FINDR": pixels[:, nfindr(pixels, count)],
}
plot_endmembers(found["VCA"], cube)

# %%
order = torch.arange(count)
if planted is not None and count >= len(materials):
    truth = torch.from_numpy(planted.endmembers.T)
    for finder, spectra in reversed(found.items()):
        order, angles = match_endmembers(spectra, truth)
        each = ", ".join(
            f"{name} {float(angle):.2f}"
            for name, angle in zip(planted.materials, angles, strict=True)
        )
        print(f"{finder:<8} angles to the planted ones (degrees): {each}")

# %% [markdown]
# ## In which shares?
#
# With the endmembers known, the abundances of a pixel solve a small quadratic programme: not
# negative and summing to one (FCLS), or not negative only (NCLS). The planted scene has slopes and
# shadows, and the sum of NCLS shows them: a pixel in shadow has less of everything.

# %% mystnb={"image": {"alt": "Abundance maps found by FCLS, from 0 to 1, below the planted ones where they are known"}}
shares = fcls(pixels, found["VCA"])
free = ncls(pixels, found["VCA"]).sum(dim=0)
print(f"NCLS: sums from {float(free.min()):.3f} to {float(free.max()):.3f}")
maps = shares[order]
titles = [f"FCLS {i + 1}" for i in range(len(maps))]
if planted is not None and len(order) == len(materials):
    known = torch.from_numpy(
        np.moveaxis(planted.abundances, -1, 0)
    ).flatten(1)
    errors = abundance_rmse(shares, known, order)
    total = float(errors.square().mean().sqrt())
    print(f"FCLS: root mean square error {total:.4f}")
    maps = torch.cat([known, maps])
    titles = [
        f"{kind} {n}" for kind in ("planted", "FCLS") for n in materials
    ]
plot_maps(
    maps.reshape(-1, *image.shape[1:]),
    titles,
    "Abundance (unitless)",
    (0, 1),
)

# %% [markdown]
# ## Against published unmixings
#
# Jasper Ridge, Samson and Moffett Field come with endmembers and abundances that were published and
# are used as references everywhere. Nobody measured them on the ground. `vca` is the best of twenty
# starts by volume, `vca-once` a single start, and `vca-affine` the best of twenty with the projection
# that VCA keeps for noisy scenes; all with the number of endmembers of the reference, and FCLS for
# the abundances.

# %%
store = RecordStore()
SHOWN = "vca-affine"
COLUMNS = {
    "mean angle": ("degree", "lower"),
    "largest angle": ("degree", "lower"),
    "abundance RMSE": ("", "lower"),
    "reconstruction error": ("%", "lower"),
}
recorded = {
    scene: store.find(paper="hud", table=UNMIXING, scene=scene)
    for scene in REFERENCED
}
for records in recorded.values():
    if records:
        display(run_table(records, columns=COLUMNS))

# %% mystnb={"image": {"alt": "Endmembers of each scene as VCA found them with its projection for noisy scenes, solid, and as published, dashed, against wavelength in nm or band number"}}
for records in recorded.values():
    first = [r for r in records if (r.key.method, r.key.seed) == (SHOWN, 0)]
    for record in first:
        display(plot_matches(record))

# %% mystnb={"image": {"alt": "Abundance maps of each scene: published above, found by VCA and FCLS below"}}
for scene, records in recorded.items():
    for record in records:
        if record.key.method == SHOWN and record.images:
            both = record.images["abundances"] * STEP
            names = record.settings["materials"]
            rows, columns = (
                both.shape[0] // 2,
                both.shape[1] // len(names),
            )
            tiles = both.reshape(2, rows, len(names), columns)
            stack = tiles.transpose(0, 2, 1, 3).reshape(-1, rows, columns)
            titles = [
                f"{kind} {name}"
                for kind in ("published", "found")
                for name in names
            ]
            display(
                plot_maps(
                    stack,
                    titles,
                    f"Abundance on {scene} (unitless)",
                    (0, 1),
                    columns=len(names),
                )
            )

# %% [markdown]
# ## Change me
#
# How much noise can VCA bear? And what if `"water"`, the darkest material, is among `materials` above?

# %%
for noise in (50, 40, 30, 20):  # dB
    other = simulate(**recipe, snr_db=noise, seed=p["seed"])
    cloud = to_tensor(other.cube).flatten(1)
    corners = vca(cloud, len(materials), seed=p["seed"], restarts=20)[0]
    truth = torch.from_numpy(other.endmembers.T)
    largest = match_endmembers(corners, truth)[1].max()
    print(f"{noise} dB: largest angle {float(largest):.2f} degrees")

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
lines = []
for scene, records in recorded.items():
    if not records:
        continue
    means = {
        name: np.mean(
            [
                r.metrics["mean angle"]
                for r in records
                if r.key.method == name
            ]
        )
        for name in FINDERS
    }
    best = min(means, key=means.get)
    counts = records[0].metrics
    lines.append(
        f"- {scene}: nearest to the published endmembers is {best}, "
        f"{means[best]:.1f}° on average; the best of twenty starts of VCA is "
        f"{means['vca']:.1f}° away. HFC counts "
        f"{counts['endmembers by HFC']:.0f} endmembers, HySime "
        f"{counts['endmembers by HySime']:.0f}, the reference has "
        f"{len(records[0].settings['materials'])}."
    )
everything = [record for records in recorded.values() for record in records]
if everything:
    lines.append("\n" + provenance_line(everything))
display(Markdown("\n".join(lines)))

# %% [markdown]
# VCA has two projections, and takes the first where there is little noise: it divides every pixel by
# its brightness. Dark pixels, which are mostly noise, may then be the corners, and the volume
# prefers them. Abundances that sum to one cannot make anything bright of dark endmembers, which the
# reconstruction error shows. HUD's abundances do sum to one, so here HUD takes `vca-affine` on every
# scene.
