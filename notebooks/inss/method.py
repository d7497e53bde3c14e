# %% [markdown]
# # INSS: the method
#
# *Takes some seconds with the `smoke` profile on two CPU cores.*
#
# Three numbers per pixel are to become two hundred. INSS {cite}`liu2023inss` says: guess not the spectrum, but
# of what the pixel is made. A network looks at the colour image and gives every pixel shares of the 345 spectra of
# a library. Mixed linearly, by light that meets one material and then the sensor, they are not the whole
# truth: light can meet several. So a second network writes, for every tile of the image, a small network of
# its own, which says what further reflections add. This chapter takes that mixing model apart on one pixel,
# and then trains it all on a scene that we planted ourselves.

# %%
import torch
from IPython.display import Markdown, display

from hsirepro.papers.inss import (
    COMPARED,
    PARAMETERS,
    PROFILES,
    STAND_INS,
    open_dataset,
    trained,
)
from hsirepro.papers.inss.recording import (
    BEYOND,
    EXCHANGED,
    picked_pixels,
)
from hsirepro.params import check_chapter
from hsirepro.records import RecordStore
from hsirepro.recovery.mixing import Mixing, place_codes
from hsirepro.report import (
    plot_curves,
    plot_scene,
    plot_spectra,
    provenance_line,
)
from hsirepro.report.generation import plot_maps
from hsirepro.report.recovery import plot_orders
from hsirepro.scenes import make_cube

SCHEMA = dict(PARAMETERS)
_known = set(globals())

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
scene = "planted"  # planted, abu-crops, houston-chip, or a folder
profile = "smoke"  # smoke (seconds), quick (minutes), paper (GPU)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here

# %%
p = check_chapter(globals(), _known, SCHEMA)
print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")
data = open_dataset(p["scene"])
rgb, truth = data.sides["test"].rgb[0], data.sides["test"].hsi[0]
nm = data.library.wavelength.values
R = torch.from_numpy(data.library.values.T).float()
print("R", tuple(R.shape), "bands, spectra")

# %% [markdown]
# ## Look first
#
# The input, as a colour image, is three bands of the image itself, or a real one. The output has all bands.

# %% mystnb={"image": {"alt": "A test image beside the spectra of three of its pixels against wavelength in nm"}}
cube = make_cube(
    truth.permute(1, 2, 0).numpy(), nm, units="share of full scale"
)
plot_scene(cube)

# %% [markdown]
# ## One reflection
#
# Light of the Sun, $\mathbf{t}$, meets the materials of a pixel in shares $\mathbf{a}$ that sum to one, once
# (eq. 2):
#
# ```{math}
# \mathbf{l} = \mathbf{t} \odot \mathbf{R}\mathbf{a}.
# ```
#
# By hand, for a pixel of two materials:

# %%
t = torch.ones(len(nm))
a = torch.zeros(R.shape[1])
a[0], a[-1] = 0.7, 0.3
linear = t * (R @ a)
print(
    "l",
    tuple(linear.shape),
    f"from {linear.min():.3f} to {linear.max():.3f}",
)

# %% [markdown]
# ## Further reflections
#
# What arrives after $k$ reflections is what came after $k - 1$ times a response (eq. 4, 5). The response is again
# made of the library, so that it has the dips that materials have; how much of each is said by a small network
# $\mathcal{M}^k$, which is told the abundances and the place in the tile:
#
# ```{math}
# \mathbf{e}^1 = \mathbf{l}, \quad
# \mathbf{e}^k = \mathbf{e}^{k-1} \odot \mathbf{R}\mathbf{h}^k, \quad
# \mathbf{h}^k = 0.1 \tanh \mathcal{M}^k(\mathbf{a}, E(\mathbf{p})), \quad
# \mathbf{s} = \textstyle\sum_k \mathbf{e}^k.
# ```
#
# Here the responses are chosen by hand instead: each material scatters light onto the others.

# %% mystnb={"image": {"alt": "What one, two and three reflections add to the spectrum of one pixel, and their sum, against wavelength in nm"}}
h = 0.1 * torch.tanh(4 * a)
orders = [linear]
for _ in range(2):
    orders.append(orders[-1] * (R @ h))
for k, part in enumerate(orders, start=1):
    print(
        f"order {k}: {100 * part.sum() / sum(orders).sum():.2f} % of the light"
    )
plot_orders(nm, torch.stack(orders))

# %% [markdown]
# Since $|h| < 0.1$, each order is far below the one before, unless many spectra add up.
#
# ## Where a pixel is
#
# The network $\mathcal{M}$ belongs to a tile of $D \times D$ pixels. Which of them it works on, it is told by waves of
# periods from two pixels to $D$ (eq. 7).

# %% mystnb={"image": {"alt": "The sixteen waves that tell a pixel's place in a tile of sixteen by sixteen pixels, from minus one to one"}}
mixing = Mixing(materials=R.shape[1])
codes = place_codes(mixing.tile)
print(
    "E",
    tuple(codes.shape),
    "places, waves;",
    f"of each tile of {mixing.tile}",
)
shown = codes.T.view(-1, mixing.tile, mixing.tile)
plot_maps(
    shown,
    [f"wave {i + 1}" for i in range(len(shown))],
    "Code of the place (unitless)",
    (-1, 1),
    8,
)

# %% [markdown]
# ## A network for every tile
#
# The weights of $\mathcal{M}^2$ and $\mathcal{M}^3$ are not learned. They are what a network $\mathcal{T}$ makes of
# the image's features, at one sixteenth of its size: one set a tile (eq. 6).

# %%
for inputs, outputs in mixing.layers:
    print(f"layer of a network M: {inputs} -> {outputs}")
print(f"{mixing.weights_per_tile:,} weights a tile, for two networks")
per_pixel = 256 * 256 * mixing.weights_per_tile * 4 / 1e9
print(
    f"for 256 x 256 pixels: {256 * mixing.weights_per_tile * 4 / 1e6:.0f} MB "
    f"shared by tiles, {per_pixel:.0f} GB if repeated per pixel"
)

# %% [markdown]
# ## Train
#
# The loss has five parts (eq. 11 to 18): the error of each band, weighted by the band's variance; the angle
# between spectra; colours in HSV; how far the sum of all orders leaves the linear one; and what two critics say who learn to
# tell real images and spectra from made ones.

# %% tags=["remove-stderr"] mystnb={"image": {"alt": "The terms of the loss against the iteration"}}
fitted = trained(
    p["scene"],
    p["profile"],
    p["seed"],
    prepared=data,
    device=p["device"],
    progress=True,
)
weights = {
    "F": fitted.model.net,
    "T": fitted.model.transform,
}
for name, part in weights.items():
    print(f"{name}: {sum(w.numel() for w in part.parameters()):,} weights")
plot_curves(fitted.curves)

# %% [markdown]
# ## What it makes of a pixel
#
# The same orders, from the trained networks. What $\mathcal{T}$ wrote for one tile:

# %% mystnb={"image": {"alt": "What one, two and three reflections add to the spectrum of one pixel of the test image, and their sum, against wavelength in nm"}}
row, column = (int(place[0]) for place in picked_pixels(truth))
made = fitted.model.reconstruct(rgb)
found = fitted.model.orders(rgb)[:, :, row, column]
assert torch.allclose(
    found.sum(dim=0), made.image[:, row, column], atol=1e-5
)
for k, part in enumerate(found, start=1):
    share = 100 * part.abs().sum() / found.abs().sum()
    print(
        f"order {k} at row {row}, column {column}: {share:.2f} % of the light"
    )
plot_orders(nm, found)

# %% mystnb={"image": {"alt": "Weights that the network T wrote for each tile of the test image: mean, deviation, smallest and largest"}}
height, width = (length // 64 * 64 for length in rgb.shape[1:])
with torch.no_grad():
    _, written = fitted.model.mixing_models(rgb[None, :, :height, :width])
print(
    "weights",
    tuple(written.shape),
    "image, numbers, tile rows, tile columns",
)
plot_maps(
    [
        written[0].mean(dim=0),
        written[0].std(dim=0),
        written[0].amin(dim=0),
        written[0].amax(dim=0),
    ],
    ["mean", "deviation", "smallest", "largest"],
    "Weights of a tile (unitless)",
    columns=4,
)

# %% [markdown]
# ## And of the image

# %% mystnb={"image": {"alt": "True spectra of three pixels and what INSS made of them against wavelength in nm"}}
whole = make_cube(
    made.image.permute(1, 2, 0).numpy(), nm, units="share of full scale"
)
plot_spectra(cube, {"INSS": whole})

# %%
print(
    f"best on the validation image: {fitted.curves['validation_psnr'].max():.1f} dB"
)

# %% [markdown]
# ## Where text and code part
#
# The released code and the paper are two methods. `preset="paper"` is the text, and what the tables show;
# `preset="release"` is the code.
#
# | | text | released code |
# |---|---|---|
# | orders are multiplied | pixel by pixel | as matrices, over rows and columns of a square |
# | $\mathcal{M}$ is told | abundances and place | the place alone |
# | neurons | 32 | 64 |
# | place counts from | the centre of the tile | its corner |
# | weights of $\mathcal{M}$ | any | not negative |
# | band weights | variance | standard deviation |
# | $\lambda_3$, the loss on further orders | 1 | 0 |
# | angle | all bands | all, and the first 50 once more |
# | learning rate | $10^{-4}$ | $10^{-5}$ |
# | normalisation | not said | by the image itself, also when testing |
#
# Pixel by pixel or as matrices: on one square, how different are they?

# %%
square = 64
with torch.no_grad():
    a, w = fitted.model.mixing_models(rgb[None, :, :square, :square])
    light = fitted.model.atmosphere.detach().clamp_min(0)
    for composition in ("elementwise", "matrix"):
        kind = Mixing(R.shape[1], composition=composition)
        s, first = kind(a, w, fitted.model.library, light)
        off = (s - first).abs().mean() / first.abs().mean()
        print(
            f"{composition}: leaves the linear mixture by {100 * off:.2f} %"
        )

# %% [markdown]
# A product of matrices adds up over a row of the image what the pixel by pixel product takes at one place: it mixes
# pixels that have nothing to do with each other.
#
# ## Change me
#
# What if a pixel's tile were written for another place? Exchange the tiles' weights among each other.
# What changes is all that the tiles know beyond their pixels' abundances.

# %%
with torch.no_grad():
    turned = w.flip(2, 3)  # or torch.zeros_like(w)
    model = fitted.model.mixing
    own, _ = model(a, w, fitted.model.library, light)
    other, _ = model(a, turned, fitted.model.library, light)
change = (own - other).abs().mean() / own.abs().mean()
print(f"changes the image by {100 * change:.3f} %")

# %% [markdown]
# ## What held, and what did not
#
# Put together from this run, not typed.

# %%
spread = found.abs().sum(dim=1) / found.abs().sum()
print(
    f"- Of the light of the pixel above, {100 * spread[1:].sum():.2f} % came"
)
print("  after more than one reflection.")
print(
    f"- Abundances sum to one within {(made.abundances.sum(0) - 1).abs().max():.1e}."
)
print(f"- profile {p['profile']}: this is no reproduction of any table.")

# %% [markdown]
# The same of longer trainings, as recorded on real images:

# %%
store = RecordStore()
notes = []
for images in STAND_INS:
    known = store.best(
        paper="inss",
        table=COMPARED,
        scene=images,
        condition="rgb",
        method="inss",
    )
    if known is not None and BEYOND in known.metrics:
        notes.append(
            f"- {images}: all reflections after the first change the image by "
            f"{known.metrics[BEYOND]:.1f} %, and tiles that exchange their "
            f"mixing models by {known.metrics[EXCHANGED]:.1f} %. "
            + provenance_line([known])
        )
display(Markdown("\n".join(notes) or "Nothing is recorded yet."))
