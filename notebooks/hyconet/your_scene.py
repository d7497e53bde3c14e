# %% [markdown]
# # HyCoNet: your scene
#
# *Takes some seconds with the `smoke` profile on two CPU cores. HyCoNet trains twice, one step
# coarser and at full resolution: with `quick` that takes minutes on a scene of 128 x 128 pixels, with
# `paper` hours, and in proportion to the pixels beyond. A scene of 1000 x 1000 pixels
# wants a GPU, or `methods="gsa"`, or a crop.*
#
# You have a hyperspectral image (HSI) and a sharper multispectral one (MSI) of the same ground, and
# want one image with the bands of the first and the pixels of the second. HyCoNet
# {cite}`zheng2021hyconet` claims to need neither the blur of the first camera nor the band shapes of
# the second. But nobody can tell you how good the result is, because there is no truth to compare it
# with. This chapter fuses your pair and shows what can be said all the same: what the pair tells of
# its two cameras, how the methods do where you do have a truth, one step coarser, and whether the
# fused cube leads back to the two images that it came from.
#
# Without a file of yours, it takes a planted scene and forgets how the pair was made, until the end:
# there the estimates meet the truth.

# %%
from dataclasses import replace

import numpy as np
from IPython.display import Markdown, display

from hsirepro.errors import ShapeError
from hsirepro.metrics import evaluate, rmse, sam
from hsirepro.optics import PointSpread, SpectralResponse, add_noise
from hsirepro.papers.hyconet import PROFILES
from hsirepro.papers.hyconet.own_pair import (
    PARAMETERS,
    calibrated,
    consistency,
    coverage_from_file,
    estimate_sensors,
    hidden_change,
    methods_of,
    open_pair,
    reduced,
    run_method,
)
from hsirepro.params import check_chapter
from hsirepro.report import (
    colours_for,
    plot_coverage,
    plot_fusion,
    plot_pair,
    plot_pair_spectra,
    plot_scene,
    plot_widths,
)
from hsirepro.scenes.writing import check_output, write_cube

_known = set(globals())

# %% [markdown]
# ## Parameters
#
# ```sh
# papermill notebooks/hyconet/your_scene.ipynb out.ipynb \
#     -p hsi my_hsi.hdr -p msi my_msi.tif -p profile quick -p output fused.nc
# ```
#
# With `-p hsi` alone, your image is the truth: the pair is made from it, and every score can be
# checked. `-p part 0:256,100:356` takes a part of it, which may leave out pixels without data, and
# trains the faster.

# %% tags=["parameters"]
hsi = "planted"  # path of your hyperspectral image, or a catalogue name
msi = ""  # path of your multispectral image; none: simulated from hsi
hsi_key = ""  # variable in the file of the HSI, if it holds several
msi_key = ""  # variable in the file of the MSI, if it holds several
wavelengths = ""  # text file of the HSI's band centres in nm
part = ""  # of the HSI: first:last,first:last (rows, columns)
msi_bands = ""  # text file: name, first nm, last nm of each MSI band
ratio = 0  # GSD of HSI over that of MSI; 0: from the sizes, 4 if simulated
sigma = 0.0  # PSF width in MSI pixels; 0: estimated, or 0.5 if simulated
methods = "gsa,hyconet"  # fusion methods, separated by commas
profile = "smoke"  # smoke (seconds), quick (minutes), paper (hours)
seed = 0  # random seed; same seed, same machine, same numbers
device = "cpu"  # where to train: cpu, cuda, or auto for the best here
output = ""  # NetCDF file for the fused cube of the last method

# %%
p = check_chapter(globals(), _known, PARAMETERS)
chosen = methods_of(p["methods"])
target = check_output(p["output"])
if p["hsi"] == "planted":
    print(f"profile {p['profile']}: {PROFILES[p['profile']].minutes}")

# %% [markdown]
# ## Look first
#
# Both images must show the same ground, pixel for pixel: each side of the MSI is the same whole
# multiple of that of the HSI. The HSI must know its wavelengths; the MSI need not.

# %%
pair = open_pair(
    p["hsi"],
    p["msi"],
    ratio=p["ratio"],
    sigma=p["sigma"],
    hsi_key=p["hsi_key"],
    msi_key=p["msi_key"],
    wavelengths=p["wavelengths"],
    part=p["part"],
)
for name, cube in {"HSI": pair.hsi, "MSI": pair.msi}.items():
    rows, columns, bands = cube.shape
    print(f"{name}    {rows:>4} x {columns:<4} pixels, {bands:>3} bands")
print(f"ratio  {pair.ratio}")
for note in pair.notes:
    print(note)

# %% mystnb={"image": {"alt": "The hyperspectral image in false colour beside the spectra of three marked pixels, against wavelength in nm"}}
colours = colours_for(pair.hsi)
plot_scene(pair.hsi, nm=colours)

# %% [markdown]
# ## What the pair says of its cameras
#
# Blur a band of the MSI to the grid of the HSI, and it must be a mixture of HSI bands. For every
# width of a Gaussian PSF there is a best mixture with weights that are not negative
# {cite}`yokoya2017review`; the width that leaves least unexplained is taken. The Gaussian is cut to
# the block of MSI pixels under one HSI pixel, which is all that HyCoNet can learn, or to twice its
# side.

# %%
coverage = None
if p["msi_bands"]:
    names, coverage = coverage_from_file(p["msi_bands"], pair)
    pair = replace(pair, names=names)
given = p["sigma"] if p["msi"] else 0.0
sensors = estimate_sensors(pair, sigma=given, coverage=coverage)
pair = calibrated(pair, sensors)

# %% mystnb={"image": {"alt": "Share of the multispectral image left unexplained against the width of the point spread function in pixels, for two windows"}}
if sensors.widths:
    display(plot_widths(sensors.widths, sensors.sigma))
else:
    print(f"The width was given: {sensors.sigma:g} MSI pixels.")

# %% [markdown]
# The weights are the spectral response. All that HyCoNet wants of it is the *coverage*: the first
# and the last HSI band that each MSI band sees. If you know it, give it with `msi_bands`; otherwise
# it is where the smoothed response is above a tenth of its peak. What would the pair have said with
# a little noise?

# %%
added_noise = 35.0  # dB, signal to noise

noisy = replace(
    pair,
    hsi=add_noise(pair.hsi, added_noise, p["seed"]),
    msi=add_noise(pair.msi, added_noise, p["seed"] + 1),
)
again = estimate_sensors(noisy, sigma=given, coverage=coverage)

# %% mystnb={"image": {"alt": "Estimated response of each multispectral band against wavelength in nm, without and with added noise, and below it bars that show which wavelengths each band covers"}}
nm = pair.hsi.wavelength.values
plot_coverage(
    sensors.raw,
    sensors.coverage,
    nm,
    pair.names,
    other=("with noise", again.raw),
)

# %%
lines = ["| MSI band | covers (nm) | gain | offset | unexplained (%) |"]
lines += ["|---|---:|---:|---:|---:|"]
for band, name in enumerate(pair.names):
    first, last = sensors.coverage[band]
    lines.append(
        f"| {name} | {nm[first]:.0f} to {nm[last]:.0f} "
        f"| {sensors.gain[band]:.4g} | {sensors.offset[band]:.3g} "
        f"| {100 * sensors.unexplained[band]:.2f} |"
    )
display(Markdown("\n".join(lines)))


# %%
def word_on_cameras() -> str:
    """Say what the estimates mean for this pair."""
    worst = int(np.argmax(sensors.unexplained))
    share = 100 * sensors.unexplained[worst]
    size = f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"
    size = size if share >= 0.01 else "less than 0.01 %"
    found = (
        "The two images have the same units, and the MSI was left as it is."
        if sensors.same_units
        else "The two images have different units: the offset was taken off "
        "the MSI, and the rest divided by the gain."
    )
    if share > 50:
        found = "Whether the two images have the same units cannot be told."
    found += (
        f" Of the variation of the MSI's {pair.names[worst]} the HSI leaves "
        f"{size} unexplained, and of its other bands no more."
    )
    if share > 10:
        found += (
            " **That is much.** A shift of one pixel between the images does "
            "that, and so do two dates, clouds, or a band that lies outside "
            "the HSI. Look into it before you trust anything below."
        )
    return found


def word_on_noise() -> str:
    """Say how far noise moves the response, and what it predicts."""
    moved = np.abs(again.raw - sensors.raw).sum(axis=1).mean() / 2
    spectra = pair.hsi.values.reshape(-1, len(nm)).T
    before, after = sensors.raw @ spectra, again.raw @ spectra
    changed = (after - before).std(axis=1) / before.std(axis=1)
    return (
        f"Noise of {added_noise:g} dB moves {100 * moved:.0f} % of the weight "
        f"to other bands, but changes the MSI bands that they predict by "
        f"{100 * changed.mean():.2g} % of their variation. The width of the PSF goes "
        f"from {sensors.sigma:.2f} to {again.sigma:.2f} MSI pixels."
    )


display(Markdown(word_on_cameras()))
display(Markdown(word_on_noise()))

# %% [markdown]
# So do not take the curves for the response of a camera. One scene holds a few materials, and where
# neighbouring bands rise and fall together in all of them, their weights can be exchanged with
# hardly any change in what the response predicts. What it predicts is tied down; the response
# itself is tied down only in an image without noise.

# %% [markdown]
# ## One step coarser, where there is a truth
#
# Wald's protocol {cite}`wald1997protocol`: degrade *both* images once more by the ratio, with the
# PSF found above, and fuse them. The result should be the HSI that you have. mPSNR is measured
# against the maximum of each band, mSAM is the mean spectral angle, and ERGAS the relative error;
# [](../../book/conventions.md) has the formulas.


# %% tags=["remove-stderr"]
def fused_by_all(images):
    """Run the chosen methods on a pair, by name."""
    return {
        name: run_method(
            name,
            images,
            sensors.cover,
            profile=p["profile"],
            seed=p["seed"],
            device=p["device"],
            progress=True,
        )
        for name in chosen
    }


def scores_of(results, truth):
    """Score fused cubes against a truth, by method."""
    return {
        name: evaluate(result.cube, truth, "hyconet", ratio=pair.ratio)
        for name, result in results.items()
    }


def score_table(scores) -> Markdown:
    """Show scores, a method a row."""
    lines = ["| method | mPSNR (dB) | mSAM (°) | ERGAS |"]
    lines += ["|---|---:|---:|---:|"]
    for name, score in scores.items():
        values = [f"{score[m]:.2f}" for m in ("mPSNR", "mSAM", "ERGAS")]
        lines.append(f"| {name} | {' | '.join(values)} |")
    return Markdown("\n".join(lines))


coarse, coarse_scores = None, {}
try:
    coarse = reduced(pair, sensors.spread)
except ShapeError as reason:
    print(reason)
else:
    coarse_scores = scores_of(fused_by_all(coarse), coarse.truth)
    display(score_table(coarse_scores))

# %% [markdown]
# ## At full resolution
#
# Now the images as they are.


# %% tags=["remove-stderr"]
fused = fused_by_all(pair)

# %% [markdown]
# With `output`, the cube is kept at once. The file opens with `hsirepro.scenes.open_scene` and with
# anything that reads NetCDF; it has the rows and columns of the MSI, and no map coordinates.

# %%
if target is None:
    print("no file written; -p output fused.nc writes one")
else:
    last = chosen[-1]
    write_cube(
        fused[last].cube,
        target,
        fusion=f"{last}, ratio {pair.ratio}, seed {p['seed']}",
        profile=p["profile"],
    )
    print(f"{target}: the cube fused by {last}")

# %% [markdown]
# There is no truth here, but a fused cube $\mathbf{X}$ must lead back to what was given: blurred, to
# the HSI; weighted, to the MSI.

# %%
checks = {
    name: consistency(result.cube, pair, sensors.spread, sensors.response)
    for name, result in fused.items()
}
for name, result in fused.items():
    if {"psf", "srf"} <= result.learned.keys():  # it learned its own optics
        checks[f"{name}, own optics"] = consistency(
            result.cube,
            pair,
            PointSpread(result.learned["psf"], pair.ratio),
            SpectralResponse(result.learned["srf"], pair.names, nm),
        )
lines = ["| method | HSI RMSE | HSI PSNR (dB) | MSI RMSE | MSI PSNR (dB) |"]
lines += ["|---|---:|---:|---:|---:|"]
for name, found in checks.items():
    values = [
        "exact"
        if np.isinf(value)
        else f"{value:.1f}"
        if "PSNR" in key
        else f"{value:.4g}"
        for key, value in found.items()
    ]
    lines.append(f"| {name} | {' | '.join(values)} |")
display(Markdown("\n".join(lines)))
print(f"RMSE in the units of the HSI: {pair.hsi.attrs['units']}")

# %% mystnb={"image": {"alt": "The hyperspectral image, the multispectral image and the fused cubes in false colour, rows and columns in pixels"}}
cubes = {name: result.cube for name, result in fused.items()}
centres = sensors.response.centres
plot_pair(pair.hsi, pair.msi, centres, cubes)

# %% [markdown]
# Three pixels of the HSI, and of the fused cubes one small pixel inside each. A small pixel need not
# have the spectrum of the large one around it, but it should pass near the diamonds, which are the
# same small pixel in the MSI.

# %% mystnb={"image": {"alt": "Spectra of three pixels of the hyperspectral image and of fused pixels inside them, with the values of the multispectral image as diamonds, against wavelength in nm"}}
plot_pair_spectra(pair.hsi, pair.msi, centres, cubes, pair.ratio)

# %% [markdown]
# ## Change me
#
# What can a cube hide from both cameras? Add an image that blurs to nothing, times a spectrum that
# the MSI does not see, and look whether anybody notices.

# %%
hidden = 0.05  # size of the change, as a share of the cube's mean value

last = cubes[chosen[-1]]
change = hidden_change(last, sensors.spread, sensors.response, p["seed"])
other = last + hidden * float(last.mean()) * change.values
before, after = (
    consistency(cube, pair, sensors.spread, sensors.response)
    for cube in (last, other)
)
for name in before:
    print(f"{name}: {before[name]:.4g} before, {after[name]:.4g} after")
angle = sam(other, last, angle_unit="degrees")
print(f"angle between the two cubes: {angle:.2f} degrees")

# %% [markdown]
# ## Against the truth, where it is known

# %% tags=["remove-stderr"]
scores = {}
if pair.truth is None:
    print("There is none: this pair is your own.")
else:
    scores = scores_of(fused, pair.truth)
    display(score_table(scores))

# %% mystnb={"image": {"alt": "The true scene and the fused cubes in false colour, and below them maps of the spectral angle in degrees"}}
if pair.truth is not None:
    display(plot_fusion(pair.truth, cubes, nm=colours))

# %% mystnb={"image": {"alt": "Estimated response of each multispectral band as thin lines over the true one, broad and pale, against wavelength in nm, with the estimated coverage below"}}
if pair.srf is not None:
    shown = plot_coverage(
        sensors.raw,
        sensors.coverage,
        nm,
        pair.names,
        other=("true", pair.srf.matrix),
    )
    display(shown)


# %%
def against_the_truth() -> str:
    """Say how the estimates did, where they can be checked."""
    width = p["sigma"] or 0.5
    missed = sum(
        not nm[first] <= centre <= nm[last]
        for (first, last), centre in zip(
            sensors.coverage, pair.srf.centres, strict=True
        )
    )
    seen = "every one" if not missed else f"all but {missed}"
    text = f"""
- The PSF was {width:.2f} MSI pixels wide, and was estimated at
  {sensors.sigma:.2f}.
- The coverage holds the true centre of {seen} of the {len(pair.names)}
  MSI bands.
"""
    for name in chosen:
        if coarse_scores:
            gap = scores[name]["mPSNR"] - coarse_scores[name]["mPSNR"]
            word = "higher" if gap > 0 else "lower"
            text += (
                f"- {name}: the true mPSNR is {abs(gap):.1f} dB {word} than "
                "one step coarser.\n"
            )
    return text


if pair.truth is not None:
    display(Markdown(against_the_truth()))

# %% [markdown]
# ## What to trust
#
# **The order one step coarser** more than the numbers there. The coarse problem is another one: its
# pixels hold more materials, and there are fewer of them to learn from.
#
# **A bad consistency** always: a cube that does not lead back to the HSI or the MSI is wrong, or the
# optics are. **A good consistency** only so far: the change above went unnoticed, and the detail
# that fusion is asked for is partly of that kind. Bands far from all MSI bands have nothing
# but the HSI to hold them.
#
# **The estimated optics** as a description of this pair, not of the cameras.


# %%
def verdict() -> str:
    """Say what this run found, from its numbers."""
    lines = []
    if coarse_scores:
        best = max(chosen, key=lambda name: coarse_scores[name]["mPSNR"])
        rows, columns = (coarse.hsi.sizes[axis] for axis in ("y", "x"))
        lines.append(
            f"- One step coarser, {best} has the highest mPSNR of "
            f"{len(chosen)}, {coarse_scores[best]['mPSNR']:.1f} dB."
        )
        if min(rows, columns) < 8:
            lines[-1] += (
                f" It had {rows} x {columns} HSI pixels to learn from, so "
                "this is a rough sign only."
            )
    else:
        lines.append(
            "- One step coarser nothing could be tried, so there is no score."
        )
    for name in chosen:
        lines.append(
            f"- {name}: the cube leads back to the HSI within "
            f"{share_of(checks[name]['HSI RMSE'], pair.hsi):.2g} % and to "
            f"the MSI within "
            f"{share_of(checks[name]['MSI RMSE'], pair.msi):.2g} % of their "
            "mean values."
        )
    lines.append(
        f"- A hidden change of {share_of(rmse(other, last), last):.0f} % of "
        f"the mean value turned the spectra by {angle:.1f}°. Consistency did "
        "not notice, so it cannot exclude an error of that kind and size."
    )
    if p["profile"] == "smoke" and "hyconet" in chosen:
        lines.append(
            f"- The smoke profile stops HyCoNet after "
            f"{PROFILES['smoke'].iterations} iterations: enough to see that "
            "everything runs, too few for a result to keep."
        )
    return "\n".join(lines)


def share_of(error: float, image) -> float:
    return 100 * error / float(image.mean())


display(Markdown(verdict()))
