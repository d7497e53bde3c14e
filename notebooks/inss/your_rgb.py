# %% [markdown]
# # Your RGB image
#
# *Takes some seconds with the `smoke` profile on two CPU cores, some minutes with `quick`, and hours on a
# GPU with `paper`.*
#
# You have a colour image and no hyperspectral one. This chapter trains INSS {cite}`liu2023inss`, or another
# method of its Table I, on images that have both, and gives every pixel of yours a spectrum and abundances of
# a spectral library. Three numbers cannot tell dozens: *the spectra are guesses*, the likeliest that the
# training images suggest. So the chapter says what these were, how your colours were brought to their unit, and how
# far your image is from them.
#
# Without an image of yours, it takes a planted one.

# %%
import time

import torch
from IPython.display import Markdown, display

from hsirepro.papers.inss import (
    METHODS_COMPARED,
    PARAMETERS,
    open_dataset,
    trained,
)
from hsirepro.papers.inss.own_image import (
    SCALINGS,
    UNLIKE,
    band_numbers,
    likeness,
    open_image,
    scaled,
    trained_on,
)
from hsirepro.papers.inss.recording import picked_pixels
from hsirepro.params import Parameter, check_chapter
from hsirepro.records import Meter
from hsirepro.recovery.output import (
    check_recovered_output,
    recovered_cube,
    write_recovered,
)
from hsirepro.report import plot_scene
from hsirepro.report.generation import plot_maps

SCHEMA = {
    **PARAMETERS,
    "image": Parameter("str", "planted", "a colour image"),
    "bands": Parameter("str", "", "red, green, blue of a GeoTIFF, from 1"),
    "full_scale": Parameter(
        "float",
        0.0,
        "stored value of full brightness; 0: by its type",
        minimum=0,
    ),
    "scaling": Parameter(
        "str", "match", "how colours are brought", choices=SCALINGS
    ),
    "method": Parameter(
        "str", "inss", "a row of Table I", choices=tuple(METHODS_COMPARED)
    ),
    "tile": Parameter("int", 0, "side of a tile", "pixels", minimum=0),
    "overlap": Parameter("int", 0, "what tiles share", "pixels", minimum=0),
    "output": Parameter("str", "", "file for the result, .nc or .hdr"),
}
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# ```sh
# papermill notebooks/inss/your_rgb.ipynb out.ipynb \
#     -p image my_photo.tif -p scene abu-crops -p profile quick -p output mine.nc
# ```
#
# A name in `.nc` takes the image and its abundances as NetCDF, one in `.hdr` as two ENVI images. Both keep the
# map that a GeoTIFF lies on.

# %% tags=["parameters"]
image = "planted"  # your image: PNG, JPEG, TIFF or GeoTIFF, 8 or 16 bits
bands = ""  # of a GeoTIFF, red, green, blue from 1, such as "3,2,1"
full_scale = 0.0  # stored value of full brightness; 0: by the file's type
scene = "planted"  # training: planted, abu-crops, houston-chip, or a folder
scaling = "match"  # how your colours are brought to theirs, or factor, none
method = "inss"  # a row of Table I
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed of the training
device = "cpu"  # where to train: cpu, cuda, or auto
tile = 0  # side of the tiles in pixels; 0: twice what they share
overlap = 0  # pixels that tiles share; 0: as many as the method can see
output = ""  # file for the result: .nc (NetCDF) or .hdr (ENVI)

# %%
p = check_chapter(globals(), _known, SCHEMA)
target = check_recovered_output(p["output"])
picture = open_image(
    p["image"], band_numbers(p["bands"]), p["full_scale"] or None
)
data = open_dataset(p["scene"])
for note in (*picture.attrs["notes"], *data.notes):
    print(note)

# %% [markdown]
# ## Is it like the training images?
#
# The network expects the colours of the training images in their unit: bands near 685, 541 and 443 nm of a
# spectrometer, or the 8-bit chip of `houston-chip`, and not what a camera makes of them. `scaling` states what
# is done: `match` gives each colour the mean and spread of theirs, `factor` multiplies all three by one
# number, which keeps hues, and `none` leaves the file's values over its full scale.

# %%
train = data.sides["train"]
print(trained_on(data))
rgb, said = scaled(picture, train, p["scaling"])
print(said)
found = likeness(rgb, train)
lines = ["| colour | yours | theirs |", "|---|---|---|"]
lines += [
    f"| {name} | {found.mean[i]:.3f} ± {found.spread[i]:.3f} | "
    f"{found.training_mean[i]:.3f} ± {found.training_spread[i]:.3f} |"
    for i, name in enumerate(("red", "green", "blue"))
]
share = (
    f"{100 * found.outside:.1f} % of its pixels lie where 1 % of theirs do"
)
lines += ["", f"After scaling, mean and spread. Of your image, {share}."]
if not found.alike:
    lines += [
        "",
        f"**Your image is unlike the training images**: more than {100 * UNLIKE:.0f} % lie out there. What "
        "the network makes of them is extrapolation.",
    ]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## Train and apply
#
# The fitted network is kept: a second image waits for no training.

# %% tags=["remove-stderr"]
start = time.perf_counter()
model = trained(
    p["scene"],
    p["profile"],
    p["seed"],
    method=p["method"],
    prepared=data,
    device=p["device"],
).model
ready = time.perf_counter() - start
shared = p["overlap"] or max(2 * (model.reach or 0), 64)
side = p["tile"] or 2 * shared
how = {"tile": side, "overlap": shared, "seed": p["seed"]}
with Meter() as meter:
    made = model.reconstruct(rgb, **how)
print(
    f"{ready:.1f} s until the model was there, {meter.wall_time_s:.1f} s for {rgb[0].numel()} "
    f"pixels in tiles; peak memory {meter.peak_memory_mb:.0f} MB"
)

# %% [markdown]
# ## Do the tiles show?
#
# Tiles bound the memory, whatever the size of the image. A pixel is the same with and without them where nothing
# further away than half of what they share matters to it. By its layers INSS's U-Net looks far, and so tiles share
# much unless you say otherwise: less is faster, and no longer exact. Both are computed, on a strip of your image, mirrored
# until two tiles are needed.

# %%
both = torch.cat([rgb[:, :64], rgb[:, :64].flip(2)], dim=2)
strip = both.repeat(1, 1, -(-2 * side // both.shape[2]))[
    :, :, : side + shared
]
whole = model.reconstruct(strip, seed=p["seed"]).image
for given in dict.fromkeys((64, shared)):
    tiled = model.reconstruct(
        strip, tile=side, overlap=given, seed=p["seed"]
    ).image
    apart = (tiled - whole).abs().amax(dim=0) / whole.abs().mean()
    print(
        f"tiles of {side} that share {given} pixels: they differ from the whole by "
        f"{100 * float(apart.max()):.4f} % of the mean at most"
    )
print(
    f"{p['method']} looks at the whole image, or draws at random: tiles are never quite equal to it."
    if model.reach is None
    else f"{p['method']} looks {model.reach} pixels far."
)

# %% [markdown]
# ## What came out
#
# Marked pixels differ as much as can be. No truth is drawn beside their spectra: for your image there is none.
# INSS has weights of its own for every 16 x 16 pixels; where it was trained for a few steps only, as with `smoke`,
# such squares can show.

# %% mystnb={"image": {"alt": "The recovered image in false colour beside the spectra of marked pixels against wavelength in nm"}}
units = "relative radiance" if data.scale == 1 else "counts"
cube = recovered_cube(
    data.scale * made.image,
    data.library.wavelength.values,
    picture,
    units=units,
    made_by=f"{p['method']}, profile {p['profile']}, seed {p['seed']}",
    learned_from=p["scene"],
    scaling=said,
)
rows, columns = picked_pixels(made.image)
pixels = list(zip(rows.tolist(), columns.tolist(), strict=True))[:4]
plot_scene(cube, pixels)

# %% mystnb={"image": {"alt": "Maps of the abundances of the six most abundant spectra of the library"}}
titles = [str(title) for title in data.library.title.values]
if made.abundances is None:
    print(f"{p['method']} gives no abundances; inss and pdass do.")
else:
    shares = made.abundances.mean(dim=(1, 2))
    most = shares.argsort(descending=True)[:6].tolist()
    for i in most:
        print(f"{100 * float(shares[i]):5.1f} %  {titles[i]}")
    names = [titles[i].replace("_", " ")[:16] for i in most]
    display(
        plot_maps(
            made.abundances[most],
            names,
            "Abundance (unitless)",
            columns=3,
        )
    )

# %% [markdown]
# ## Keep it

# %%
if target is None:
    print("no file written; -p output mine.nc writes one")
else:
    for path in write_recovered(cube, made, titles, target):
        print(path)

# %% [markdown]
# ## Change me
#
# How much of the spectra hangs on the brightness that was assumed? With all colours 20 % brighter, a method that
# knew brightness as such would give spectra 20 % brighter, of the same shape.

# %%
brighter = model.reconstruct(1.2 * rgb, **how).image
gain = float(brighter.mean() / made.image.mean())
angle = torch.nn.functional.cosine_similarity(brighter, made.image, dim=0)
turned = angle.clamp(-1, 1).arccos().rad2deg().mean()
print(
    f"spectra {100 * (gain - 1):+.1f} %, turned by {float(turned):.2f} degrees on average"
)
