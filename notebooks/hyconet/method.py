# %% [markdown]
# # HyCoNet: the method
#
# *Takes some seconds with the `smoke` profile on two CPU cores.*
#
# A hyperspectral camera sees many narrow bands but few pixels; a multispectral camera the other
# way round. HyCoNet {cite}`zheng2021hyconet` claims to fuse the two images into one that has both,
# without training data and without knowing the blur of the first camera or the band shapes of the
# second: it learns both while it fuses. Of the second camera it is told the *coverage*, the first
# and the last hyperspectral band that each multispectral band sees. On a scene whose truth we planted ourselves, this chapter
# builds the network piece by piece, trains it, and compares what it learned with what we planted.

# %%
import numpy as np
import torch
from IPython.display import Markdown, display

from hsirepro.fusion import fuse
from hsirepro.fusion.blocks import to_blocks
from hsirepro.fusion.hyconet import accumulate
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.fusion.hyconet_presets import PRESETS, configure
from hsirepro.metrics import evaluate
from hsirepro.papers.hyconet import PARAMETERS, PROFILES, prepare
from hsirepro.params import Parameter, check_chapter
from hsirepro.report import (
    plot_curves,
    plot_fusion,
    plot_metric_by_band,
    plot_psf,
    plot_scene,
    plot_spectra,
    plot_srf,
)
from hsirepro.scenes import to_tensor

SCHEMA = {
    **PARAMETERS,
    "preset": Parameter(
        "str", "paper", "whose settings", choices=tuple(PRESETS)
    ),
}

_known = set(globals())

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
scene = "planted"  # catalogue name, or path of your own cube
key = ""  # variable in your .mat, .h5 or .npz, if it holds several
wavelengths = ""  # text file of band centres in nm, if yours has none
part = ""  # of your cube: first:last,first:last (rows, columns)
ratio = 0  # GSD of HSI over that of MSI; 0 takes 4
sigma = 0.5  # width of the Gaussian PSF, in MSI pixels
preset = "paper"  # whose settings: paper, release-2021, release-2022
profile = "smoke"  # smoke (seconds), quick (minutes), paper (hours)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here

# %%
p = check_chapter(globals(), _known, SCHEMA)
iterations = PROFILES[p["profile"]].iterations
print(f"{p['preset']} settings, {iterations} iterations")

# %% [markdown]
# ## Look first
#
# `prepare` opens the scene and degrades it: a Gaussian PSF over blocks of 4 x 4 pixels makes the
# hyperspectral image $\mathbf{Z}$, the blue, green and red responses of Landsat 8 OLI make the
# multispectral image $\mathbf{Y}$. What both came from, $\mathbf{X}$, is the truth that nobody
# shows to the method.

# %% mystnb={"image": {"alt": "The planted scene in false colour with three marked pixels, and their spectra against wavelength in nm"}}
given = {name: p[name] for name in ("ratio", "key", "wavelengths", "part")}
prepared = prepare(p["scene"], p["sigma"], table="II", **given)
pair = prepared.pair
for note in prepared.notes:
    print(note)
plot_scene(pair.truth)

# %%
Z, Y, X = (to_tensor(cube) for cube in (pair.hsi, pair.msi, pair.truth))
print("Z  hyperspectral ", tuple(Z.shape), " bands, rows, columns")
print("Y  multispectral ", tuple(Y.shape))
print("X  truth         ", tuple(X.shape))

# %% [markdown]
# ## The idea in a few lines
#
# If every spectrum is a mixture of a few endmembers $\mathbf{E}$ with abundances $\mathbf{A}$, then
#
# ```{math}
# \mathbf{X} = \mathbf{A}\mathbf{E}, \qquad
# \mathbf{Z} = (\mathrm{PSF} * \mathbf{A})\,\mathbf{E}, \qquad
# \mathbf{Y} = \mathbf{A}\mathbf{E}\mathbf{R},
# ```
#
# where $\mathbf{R}$ is the spectral response (SRF). The endmembers must come from $\mathbf{Z}$, which
# has the bands, and the abundances from $\mathbf{Y}$, which has the pixels. Blurring the
# multispectral image and weighting the bands of the hyperspectral one must give the same small
# image. That last sentence needs no network at all:

# %%
blurred = pair.psf(Y)  # PSF(Y)
weighted = pair.srf(Z)  # SRF(Z)
print("PSF(Y)", tuple(blurred.shape), " SRF(Z)", tuple(weighted.shape))
print(f"largest difference {float((blurred - weighted).abs().max()):.1e}")

# %% [markdown]
# ## The network, piece by piece
#
# Two encoders of four layers each turn pixels into abundances. All their convolutions are 1 x 1,
# that is, they look at one pixel at a time.

# %%
config = configure(p["preset"], iterations=iterations)
torch.manual_seed(p["seed"])
net = HyCoNet(len(Z), len(Y), pair.ratio, pair.srf.coverage, config)
print(net.encode_hsi)

# %% [markdown]
# Because the stride of the PSF equals its size, one hyperspectral pixel and the block of
# multispectral pixels inside it form a closed unit. We line the images up that way.

# %%
low = Z.flatten(1).T  # one row per hyperspectral pixel
high = to_blocks(
    Y, pair.ratio
)  # the block of multispectral pixels inside each
abundances_low = net.abundances(net.encode_hsi, low)
abundances = net.abundances(net.encode_msi, high.flatten(0, 1))
blurred_abundances = net.blur(abundances.reshape(*high.shape[:2], -1))
shapes = {
    "Z, rows of pixels": low,
    "Y, blocks of pixels": high,
    "abundances of Z (eq. 6)": abundances_low,
    "abundances of Y (eq. 8)": abundances,
    "the same, blurred (eq. 13)": blurred_abundances,
    "Z from its own abundances (eq. 7)": net.decode(
        abundances_low, net.endmembers
    ),
    "Z from those of Y (eq. 14)": net.decode(
        blurred_abundances, net.endmembers
    ),
    "X, the answer (eq. 10)": net.decode(abundances, net.endmembers),
    "SRF on the covered bands": net.response(),
}
for name, value in shapes.items():
    print(f"{name:<34} {tuple(value.shape)}")

# %%
parts = {
    "HSI encoder": sum(w.numel() for w in net.encode_hsi.parameters()),
    "MSI encoder": sum(w.numel() for w in net.encode_msi.parameters()),
    "endmembers": net.endmembers.numel(),
    "PSF": net.psf.numel(),
    "SRF": net.srf.numel(),
}
for name, count in parts.items():
    print(f"{name:<12} {count:>8,} weights")
print(f"{'total':<12} {sum(parts.values()):>8,}")

# %% [markdown]
# ## The loss
#
# Four reconstruction errors (eq. 16), the sum-to-one of the abundances (eq. 17) and their sparsity
# (eq. 18), all as sums over pixels (eq. 19). Before training:

# %%
for name, term in accumulate(net, low, high).items():
    print(f"{name:<12} {float(term):>12.1f}")

# %% [markdown]
# ## Train
#
# There is one image pair, so one iteration sees everything there is. After every step the
# endmembers, the PSF and the weights of the SRF are clamped to [0, 1].

# %%
fused = fuse(
    "hyconet",
    pair.hsi,
    pair.msi,
    ratio=pair.ratio,
    srf=pair.srf,
    seed=p["seed"],
    device=p["device"],
    scale=1.0,
    preset=p["preset"],
    iterations=iterations,
    hold=round(config.hold * iterations / PRESETS[p["preset"]].iterations),
    progress=True,
)

# %% mystnb={"image": {"alt": "The terms of the training loss against iteration on a logarithmic axis"}}
plot_curves(fused.curves)

# %% [markdown]
# ## What it learned, against the truth
#
# The point spread function started flat. The spectral response started flat over the bands that
# each multispectral band covers.

# %% mystnb={"image": {"alt": "Learned and true point spread function as two grids of pixels on one scale, with their correlation"}}
plot_psf(fused.learned["psf"], pair.psf.kernel)

# %% mystnb={"image": {"alt": "Learned spectral response of the multispectral bands as solid lines and the true one dashed, against wavelength in nm"}}
nm = pair.truth.wavelength.values
plot_srf(fused.learned["srf"], pair.srf.matrix, nm, pair.srf.names)

# %% [markdown]
# The two are not tied down equally well. Every block of pixels is one equation for the PSF, and
# they are all different. The SRF meets the same few materials again and again, and where two bands
# always rise and fall together, no data can tell which of them carries the weight. So a good image
# is no proof of a good response.

# %% mystnb={"image": {"alt": "Spectra of three pixels, truth against bicubic interpolation, GSA and HyCoNet, by wavelength in nm"}}
rivals = {
    name: fuse(name, pair.hsi, pair.msi, ratio=pair.ratio).cube
    for name in ("bicubic", "gsa")
}
everyone = {**rivals, "hyconet": fused.cube}
plot_spectra(pair.truth, everyone)

# %% mystnb={"image": {"alt": "The reference and three fused images in false colour, with maps of the spectral angle in degrees below"}}
plot_fusion(pair.truth, everyone)

# %% mystnb={"image": {"alt": "PSNR in dB of three methods for every band, against wavelength in nm"}}
plot_metric_by_band(pair.truth, everyone)

# %% [markdown]
# Look where the curves fall. Beyond the last multispectral band nothing in $\mathbf{Y}$ tells where
# one material ends and another begins, and every method has to guess.

# %%
scores = {
    name: evaluate(cube, pair.truth, "hyconet", ratio=pair.ratio)
    for name, cube in everyone.items()
}
lines = [
    "| method | mPSNR (dB) | mSAM (°) | ERGAS |",
    "|---|---:|---:|---:|",
]
for name, score in scores.items():
    values = (
        f"{score[metric]:.2f}" for metric in ("mPSNR", "mSAM", "ERGAS")
    )
    lines.append(f"| {name} | {' | '.join(values)} |")
display(Markdown("\n".join(lines)))
print(f"profile {p['profile']}, scene {p['scene']}, seed {p['seed']}:")
print("not a reproduction of any table")

# %% [markdown]
# ## Change me
#
# What holds the PSF in place? One would think of the term |PSF(Y) - SRF(Z)|: set its weight `gamma`
# to zero and see. Then take away the error of $\mathbf{Z}_b$ (`alpha`), or try `abundance="softmax"`,
# or fewer `endmembers`.

# %%
tries = ({"gamma": 0.0}, {"alpha": 0.0})  # any fields of HyCoNetConfig
short = min(iterations, 40)  # all runs are this long

for settings in ({}, *tries):
    tried = fuse(
        "hyconet",
        pair.hsi,
        pair.msi,
        ratio=pair.ratio,
        srf=pair.srf,
        seed=p["seed"],
        device=p["device"],
        scale=1.0,
        preset=p["preset"],
        iterations=short,
        **settings,
    )
    flat = tried.learned["psf"].flatten(), pair.psf.kernel.flatten()
    score = evaluate(tried.cube, pair.truth, "hyconet", ratio=pair.ratio)
    print(
        f"{settings or 'as it is'}: mPSNR {score['mPSNR']:.2f} dB,", end=" "
    )
    print(f"PSF correlation {np.corrcoef(*flat)[0, 1]:.3f}")

# %% [markdown]
# ## Paper against code
#
# The paper and the two released states of the authors' code are three different methods. All three
# are here as `preset`; [](text_against_code.ipynb) lists what differs, and what it changes.

# %% [markdown]
# ## What held, and what did not
#
# Put together from this run, not typed.

# %%
true, learned = pair.psf.kernel, fused.learned
correlation = np.corrcoef(learned["psf"].flatten(), true.flatten())[0, 1]
gap = scores["hyconet"]["mPSNR"] - scores["gsa"]["mPSNR"]
distance = (learned["srf"] - pair.srf.matrix).abs().sum(dim=1).mean()
alike = "resembles" if correlation > 0.95 else "does not resemble"
above = "above" if gap > 0 else "below"
text = f"""
- The learned PSF *{alike}* the true one: correlation {correlation:.3f},
  and the line is at 0.95.
- HyCoNet is {abs(gap):.1f} dB {above} GSA in mPSNR on this scene.
- The learned SRF is {float(distance):.2f} away from the true one: the sum
  of absolute differences, mean over bands. Two responses that share no
  band are 2 apart.
- Whether this carries over to real scenes, and to the paper's own length
  of training, is the question of the [tables](tables.ipynb).
"""
display(Markdown(text))
