# %% [markdown]
# # Classification
#
# *Takes some 15 seconds with the `smoke` profile. With `quick` a network is trained first, some 12 minutes on
# two CPU cores, and a run then takes half a minute.*
#
# INSS {cite}`liu2023inss` ends with a use: where abundances of 345 library spectra stand beside the bands of
# a scene, four classifiers make fewer errors, by up to 20 points of overall accuracy (Table III). And pixels of
# one class, says its Fig. 8, have mixing models that lie together. This chapter runs both on labelled
# scenes, with what either claim has to be held against: channels that say nothing, test pixels that lie apart from those
# learned from, and the colours themselves.
#
# The paper's scene, Salinas, is not freely at hand; three others stand in. The paper also trains a further network
# to tell abundances from spectra. What that one is taught was told by INSS from colours, so INSS itself is asked here,
# on the colours of the scene.

# %%
import numpy as np
from IPython.display import Markdown, display

from hsirepro.downstream import METHODS
from hsirepro.metrics.classification import classification_scores
from hsirepro.papers.cells import fill
from hsirepro.papers.inss import (
    CLASSIFIED,
    CLASSIFIERS,
    EMBEDDED,
    FEATURES,
    PARAMETERS,
    STANDING_IN,
    decided,
    keys,
    network_for,
    open_labelled,
    run_cell,
)
from hsirepro.papers.inss.classification import (
    APPENDED,
    CONDITIONS,
    LENGTHS,
    SAMPLES,
    printed_accuracies,
    row_labels,
)
from hsirepro.papers.inss.classified import largest_shares, split_of
from hsirepro.papers.published import claims
from hsirepro.params import Parameter, check_chapter, listed
from hsirepro.records import RecordStore
from hsirepro.report import (
    claims_table,
    plot_scene,
    provenance_line,
    run_table,
)
from hsirepro.report.classes import plot_class_maps, plot_planes
from hsirepro.report.classification import (
    classification_table,
    gains_table,
    paired,
)

SCHEMA = {
    **{name: PARAMETERS[name] for name in ("scene", "profile", "seed")},
    "samples": Parameter(
        "int", 50, "training pixels per class", choices=SAMPLES
    ),
    "methods": Parameter(
        "str", "hamida, hamida+abundances", "rows to run, with commas"
    ),
}
LABELS = row_labels()
PRINTED = printed_accuracies()
_known = set(globals())

# %% [markdown]
# ## Parameters
#
# `papermill notebooks/inss/classification.ipynb out.ipynb -p scene jasper-ridge -p profile quick -p samples 100`
# sets them from outside. Labelled scenes are `planted`, `jasper-ridge`, `houston-2018-crop`, `muufl-unmixing` and, for who
# has it, `salinas`.

# %% tags=["parameters"]
scene = "planted"  # planted, jasper-ridge, houston-2018-crop, ...
profile = "smoke"  # smoke, quick or paper
samples = 50  # training pixels per class: 50, 100 or 200
seed = 0  # number of the split
methods = "hamida, hamida+abundances"  # what to run, of the rows below

# %%
p = check_chapter(globals(), _known, SCHEMA)
condition = f"samples={p['samples']}"
chosen = listed(p["methods"])
cells = keys(
    p["scene"],
    p["profile"],
    chosen,
    [p["seed"]],
    table=CLASSIFIED,
    condition=condition,
)

# %% [markdown]
# ## Look first
#
# The scene, its classes, and how many pixels each has. A class that has too few for the training and a test is
# left out, and said to be.

# %% mystnb={"image": {"alt": "The labelled scene in false colour beside the spectra of three marked pixels against wavelength in nm"}}
labelled = open_labelled(p["scene"])
for note in labelled.notes:
    print(note)
plot_scene(labelled.array())

# %%
split, labels, left_out = split_of(labelled.labels, p["samples"], p["seed"])
for number, name in enumerate(labelled.names, start=1):
    size = int((labelled.labels == number).sum())
    told = ", left out" if number in left_out else ""
    print(f"{number:>2} {name:<12} {size:>5} pixels{told}")
print(
    f"{split.train.sum()} pixels to learn from, {split.test.sum()} to judge by"
)

# %% [markdown]
# ## The idea
#
# A network that was trained on other images, without labels, gives abundances of this one. They become more
# channels of the image. Nobody says how many: here those with the largest share.

# %% tags=["remove-stderr"]
network = network_for(labelled.images, p["profile"]).model
abundances = network.reconstruct(labelled.rgb).abundances
maps, numbers = largest_shares(abundances)
print(
    f"colours    {tuple(labelled.rgb.shape)}, as {labelled.images} has them"
)
print(f"abundances {tuple(abundances.shape)}")
print(
    f"appended   {tuple(maps.shape)}, {100 * float(maps.sum(dim=0).mean()):.0f} % "
    "of the scene"
)
print(f"bands      {tuple(labelled.cube.shape)}")

# %% [markdown]
# ## Run
#
# One cell of Table III is one classifier on one split.

# %% tags=["remove-stderr"]
fresh = fill(
    cells,
    lambda cell, checkpoint: run_cell(
        cell, labelled, checkpoint=checkpoint, pictures=True
    ),
    say=print,
)
COLUMNS = {
    "OA": ("%", "higher"),
    "AA": ("%", "higher"),
    "kappa": ("", "higher"),
}
run_table(fresh, columns=COLUMNS)

# %% mystnb={"image": {"alt": "Labels of the scene and the class that each classifier of this run gave every pixel"}}
plot_class_maps(fresh, LABELS)

# %% [markdown]
# OA is the share of test pixels that are right, AA the mean of that share over classes, and kappa OA with what
# chance gives taken off.
#
# ## Beside the paper
#
# The recorded runs, five splits each. A run of profile `quick` is shown a fixed number of patches, whatever the number
# of training pixels, so more samples do not mean longer training, and judges at most 2000 pixels of the test.

# %%
store = RecordStore()
recorded = {
    name: [
        record
        for record in store.find(paper="inss", table=CLASSIFIED, scene=name)
        if record.key.profile != "smoke"
    ]
    for name in ("salinas", *STANDING_IN)
}
recorded = {name: found for name, found in recorded.items() if found}
for name, found in recorded.items():
    mine = fresh if name == p["scene"] else ()
    display(classification_table(found, LABELS, PRINTED, build=mine))
if not recorded:
    print("Nothing is recorded yet. This would:\n")
    print("  hsirepro sweep inss --profile quick")
    display(classification_table([], LABELS, PRINTED, build=fresh))

# %% [markdown]
# ### What abundances gain
#
# Split by split, so that the luck of a draw counts for both rows of a pair. Two further pairs say what more channels
# alone do: the same maps with their pixels shuffled, and the three colours over and over. What abundances gain
# beyond the colours is what the library and its mixing added.

# %%
PAIRS = {
    LABELS[name]: (row.method, name)
    for name, row in CLASSIFIERS.items()
    if row.added
}
for found in recorded.values():
    display(gains_table(found, PAIRS, PRINTED))
if not recorded:
    print("Nothing is recorded yet.")

# %% [markdown]
# The rows *by-place* judge by pixels whose patches share nothing with those learned from. Random splits, the
# custom, leave a training pixel beside most test pixels; how far the two differ is what the custom flatters.

# %% mystnb={"image": {"alt": "Recorded maps: labels of a scene and the class that each classifier gave every pixel, without and with abundances"}}
for found in recorded.values():
    shown = [
        record
        for record in found
        if record.key.seed == 0
        and record.key.condition == CONDITIONS[0]
        and record.images
        and CLASSIFIERS[record.key.method].published
    ]
    if shown:
        order = list(CLASSIFIERS)
        shown.sort(key=lambda record: order.index(record.key.method))
        display(plot_class_maps(shown, LABELS))

# %% [markdown]
# ## Fig. 8: the mixing models
#
# What mixes a pixel, put side by side: its abundances, the code of its place in its tile, and the weights predicted for
# the tile. t-SNE draws it; beside it stand the abundances alone, the three colours that INSS was given,
# and the true spectra. A silhouette of 1 is classes as points, 0 is one cloud.

# %% tags=["remove-stderr"] mystnb={"image": {"alt": "Labelled pixels in the plane of t-SNE by mixing model, abundances, colours and true spectra, coloured by class, with the silhouette of each"}}
planes = fill(
    keys(
        p["scene"],
        p["profile"],
        FEATURES,
        [p["seed"]],
        table=EMBEDDED,
    ),
    lambda cell, checkpoint: run_cell(cell, labelled),
    say=print,
)
plot_planes(planes)

# %%
SHOWN = {
    "silhouette": ("", "higher"),
    "silhouette before t-SNE": ("", "higher"),
    "neighbours of the same class": ("%", "higher"),
    "silhouette by tile": ("", "lower"),
}
run_table(planes, columns=SHOWN)

# %%
PARTS = ("weights", "abundances", "codes")
mixing = planes[0].metrics
told = ", ".join(
    f"{mixing[f'variance in {part}']:.2g} % in the {part}"
    for part in PARTS
    if f"variance in {part}" in mixing
)
print(f"Of the variance of the mixing models lies {told}.")

# %% mystnb={"image": {"alt": "The same planes of t-SNE as recorded on the scenes that stand in for the paper's"}}
drawn = {
    name: [
        record
        for row in FEATURES
        for record in store.best_seeds(
            paper="inss",
            table=EMBEDDED,
            scene=name,
            condition="rgb",
            method=row,
        )
        if record.key.profile != "smoke"
    ]
    for name in ("salinas", *STANDING_IN)
}
drawn = {name: found for name, found in drawn.items() if found}
for name, found in drawn.items():
    first = [record for record in found if record.key.seed == 0]
    display(Markdown(f"{name}: {provenance_line(found)}"))
    display(plot_planes(first or found[:4]))

# %% [markdown]
# ## Change me
#
# How many maps should there be? The paper does not say. The same split, with a few and with all that may be appended:

# %%
counts = (2, APPENDED)  # maps
length = LENGTHS[p["profile"]]
patches = length.patches.get("hamida", 5000)
epochs = max(2, round(patches / split.train.sum()))
judged = split.test & (
    np.arange(labels.size).reshape(labels.shape) % 8 == 0
)
for count in counts:
    some = largest_shares(abundances, count)[0]
    fitted = METHODS["hamida"](
        labelled.cube, labels, split.train, abundances=some, epochs=epochs
    )
    given = fitted.model.classify(labelled.cube, some, where=judged)
    scores = classification_scores(given, labels * judged)
    print(f"{len(some):>3} maps: OA {100 * scores['OA']:.1f} %")

# %% [markdown]
# ## What held, and what did not
#
# Put together from the records above, not typed.

# %%
asked = {"inss-abundance-helps-classification", "inss-tsne"}
claims_table(
    [verdict for verdict in decided(store) if verdict.claim in asked],
    [text for text in claims("inss") if text["id"] in asked],
)

# %%
lines = []
for name, found in recorded.items():
    for where in (CONDITIONS[0], CONDITIONS[-1]):
        means = []
        for without, with_it in PAIRS.values():
            gains, run = paired(found, where, without, with_it)
            if gains:
                mean = sum(gains) / len(gains)
                means.append(f"{with_it} {mean:+.2f} ({run})")
        if means:
            lines.append(
                f"- {name}, {where}, points of OA: {', '.join(means)}."
            )
for name, found in drawn.items():
    means = {
        row: [
            record.metrics["silhouette"]
            for record in found
            if record.key.method == row
        ]
        for row in FEATURES
    }
    values = ", ".join(
        f"{row} {sum(got) / len(got):+.2f}"
        for row, got in means.items()
        if got
    )
    lines.append(f"- {name}, silhouette in the plane: {values}.")
if not lines:
    lines = [
        "Nothing is recorded yet: what this build ran above shows that the code works, and no more."
    ]
display(Markdown("\n".join(lines)))
