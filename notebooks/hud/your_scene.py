# %% [markdown]
# # HUD: your scene
#
# *Takes some seconds with the `smoke` profile on two CPU cores, some minutes with `quick`, and
# hours on a GPU with `paper`.*
#
# You have one hyperspectral image and want more of the kind: to train a classifier on, or to try a
# detector. HUD {cite}`shen2025hud` needs no labels, no second image and not even the wavelengths.
# This chapter trains it on your cube, draws tiles with the abundances that they are mixed of, tells
# you what can be known of their quality, and writes them to a file.
#
# Without a file of yours, it takes a planted scene.

# %%
import torch
from IPython.display import Markdown, display

from hsirepro.generation import METHODS
from hsirepro.generation.hud import hud
from hsirepro.generation.output import (
    check_tiles_output,
    tiles_dataset,
    write_tiles,
)
from hsirepro.papers.hud import (
    PARAMETERS,
    PROFILES,
    prepare,
    scene_of,
    settings_of,
)
from hsirepro.papers.hud.recording import Judge, density, mosaic
from hsirepro.params import Parameter, check_chapter
from hsirepro.report import plot_curves, plot_scene
from hsirepro.report.generation import (
    plot_densities,
    plot_endmembers,
    plot_maps,
    plot_mosaics,
)
from hsirepro.scenes import to_tensor
from hsirepro.scenes.cube import has_wavelengths
from hsirepro.unmixing import hysime
from hsirepro.unmixing.autoencoder import unmixing_autoencoder

SCHEMA = {
    **PARAMETERS,
    "count": Parameter("int", 64, "tiles to draw", minimum=1),
    "size": Parameter(
        "int", 0, "side of a drawn tile; 0: that of training", "pixels", 0
    ),
    "output": Parameter("str", "", "file for the tiles, .nc or .hdr"),
}

_known = set(globals())

# %% [markdown]
# ## Parameters
#
# ```sh
# papermill notebooks/hud/your_scene.ipynb out.ipynb \
#     -p scene my_cube.hdr -p endmembers 6 -p profile quick -p output drawn.nc
# ```
#
# A name in `.nc` takes tiles, abundances and endmembers as NetCDF. One in `.hdr` takes two ENVI
# images, of the tiles side by side and of their abundances.

# %% tags=["parameters"]
scene = "planted"  # path of your own cube, or a catalogue name
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
endmembers = 0  # number of endmembers; 0 takes the scene's, 5 for your own
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same tiles
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
count = 64  # tiles to draw
size = 0  # side of a drawn tile in pixels; 0: that of training
output = ""  # file for the tiles: .nc (NetCDF) or .hdr (ENVI)

# %%
p = check_chapter(globals(), _known, SCHEMA)
target = check_tiles_output(p["output"])
plan = PROFILES[p["profile"]]
number = p["endmembers"] or scene_of(p["scene"]).endmembers
print(f"{number} endmembers, tiles of {plan.size} x {plan.size} pixels")

# %% [markdown]
# ## Look first

# %% mystnb={"image": {"alt": "The scene in false colour beside the spectra of three marked pixels against wavelength in nm"}}
prepared = prepare(
    p["scene"], key=p["key"], wavelengths=p["wavelengths"], part=p["part"]
)
for note in prepared.notes:
    print(note)
patches = prepared.patches(plan.size)
Y = to_tensor(prepared.cube)
print(f"{patches.positions} different tiles to learn from")
if has_wavelengths(prepared.cube):
    display(plot_scene(prepared.cube))
else:
    print("No wavelengths, so no false colour; HUD does not need them.")

# %% [markdown]
# ## How many endmembers?
#
# The paper takes the number of classes of its scenes. Without classes, look at how much of the
# scene a number of endmembers leaves unexplained: HUD cannot draw what they do not explain. More of
# them explain more, and leave the diffusion more to learn. HySime's estimate
# {cite}`bioucas2008hysime` is an upper end on real scenes.

# %% tags=["remove-stderr"]
pixels = patches.pixels()
print(f"HySime: {int(hysime(pixels)[0])} dimensions above the noise")
for some in sorted({2, 3, number, min(2 * number, len(pixels) - 1)}):
    tried = unmixing_autoencoder(pixels, some, seed=p["seed"])
    left = tried.decode(tried.encode(Y)[None])[0] - Y
    print(
        f"{some:3d} endmembers leave {100 * float(left.norm() / Y.norm()):.2f} % unexplained"
    )

# %% [markdown]
# ## Train

# %% tags=["remove-stderr"]
settings = settings_of("hud", p["profile"], number)
fitted = hud(
    patches,
    seed=p["seed"],
    device=p["device"],
    progress=True,
    **settings,
)

# %% mystnb={"image": {"alt": "Mean squared error of what the network predicts against iteration"}}
plot_curves(fitted.curves)

# %% mystnb={"image": {"alt": "Spectra of the endmembers against wavelength in nm"}}
A = fitted.model.autoencoder.endmembers
plot_endmembers(A, prepared.cube)

# %% [markdown]
# ## Draw
#
# Every pixel is a mixture of the endmembers above. The tiles are drawn and, with `output`, kept
# at once, in the units of your cube.

# %%
samples = fitted.model.sample(
    p["count"], size=p["size"] or None, seed=p["seed"]
)
drawn = tiles_dataset(
    samples,
    prepared.cube,
    units=prepared.units,
    scale=prepared.scale,
    endmembers=A,
    method=f"HUD, profile {p['profile']}, seed {p['seed']}",
    learned_from=p["scene"],
    synthetic="these pixels were drawn by a model, and never measured",
)
if target is None:
    print("no file written; -p output drawn.nc writes one")
else:
    for path in write_tiles(drawn, target):
        print(path)
drawn

# %% mystnb={"image": {"alt": "Sixteen real tiles and sixteen drawn tiles in the same false colour"}}
if has_wavelengths(prepared.cube):
    side = samples.tiles.shape[-1]
    among = prepared.patches(side) if side <= min(Y.shape[1:]) else patches
    real = among.draw(p["count"], torch.Generator().manual_seed(p["seed"]))
    display(
        plot_mosaics(
            {
                "real": mosaic(real, prepared.cube),
                "drawn": mosaic(samples.tiles, prepared.cube),
            },
            side if side <= min(Y.shape[1:]) else 0,
        )
    )

# %% mystnb={"image": {"alt": "Abundance maps of one drawn tile, one for each endmember"}}
plot_maps(
    samples.abundances[0],
    [f"endmember {i + 1}" for i in range(number)],
    "Abundance (unitless)",
    (0, 1),
)

# %% [markdown]
# ## How good are they?
#
# Against a scene, tiles can be too far (noise), or too near (copies). The rows above and below tell
# what the numbers of your tiles lie between: real tiles from other places are what a perfect
# generator would give, and pixels in random order are what no user wants.
# [](do_the_metrics_work.ipynb) tells which of them to believe.

# %% tags=["remove-stderr"]
judge = Judge(
    prepared.cube,
    prepared.labels,
    size=plan.size,
    clusters=max(2, number),
    iterations=plan.judging,
    device=p["device"],
)
if judge.why_not:
    print(f"No FID, precision or recall: {judge.why_not}")
own = samples.tiles
if own.shape[-1] != plan.size:  # the classifier knows one size
    own = fitted.model.sample(plan.count, seed=p["seed"]).tiles
nulls = {
    name: METHODS[name](patches, seed=p["seed"])
    .model.sample(plan.count)
    .tiles
    for name in ("null-tiles", "null-shuffled")
}
rows = {
    "real tiles": nulls["null-tiles"],
    "drawn": own,
    "real pixels, shuffled": nulls["null-shuffled"],
}
found = {name: judge.scores(some) for name, some in rows.items()}
shown = [name for name in found["drawn"] if "flattened" not in name]
lines = ["| " + " | ".join(["metric", *rows]) + " |", "|---" * 4 + "|"]
lines += [
    f"| {name} | "
    + " | ".join(f"{scores[name]:.4f}" for scores in found.values())
    + " |"
    for name in shown
]
display(Markdown("\n".join(lines)))

# %% mystnb={"image": {"alt": "How often each value occurs at each wavelength in nm, in the scene and in the drawn tiles"}}
if has_wavelengths(prepared.cube):
    spectra = {"real": Y[None], "drawn": own}
    display(
        plot_densities(
            {
                name: density(some.transpose(0, 1).flatten(1).numpy(), 1.25)
                for name, some in spectra.items()
            },
            prepared.cube.wavelength.values,
            1.25,
        )
    )
