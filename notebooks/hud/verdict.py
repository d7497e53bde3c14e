# %% [markdown]
# # HUD: what holds
#
# *Takes some seconds: nothing is trained here.*
#
# The paper {cite}`shen2025hud` draws conclusions from its tables and figures. Each is written down
# here in a form that recorded runs can decide, and is decided for every crop that stands in for one
# of its scenes. Published numbers decide nothing. A claim stays undecided until the runs of the
# `paper` profile that it needs are there; shorter runs are mentioned as a hint.

# %%
from IPython.display import Markdown, display

from hsirepro.papers.hud import STAND_INS
from hsirepro.papers.hud.claims import decided
from hsirepro.papers.hud.findings import null_notes
from hsirepro.papers.hud.scores import scores
from hsirepro.papers.published import claims
from hsirepro.params import Parameter, check_chapter
from hsirepro.records import RecordStore
from hsirepro.report import claims_board, claims_summary, claims_table

SCHEMA = {"results": Parameter("str", "", "folder of records")}

_known = set(globals())

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
results = ""  # folder of records of your own; the book's by default

# %%
p = check_chapter(globals(), _known, SCHEMA)
store = RecordStore(p["results"] or None)
if p["results"]:
    store.check_readable()

# %% [markdown]
# ## At a glance

# %%
verdicts = decided(store)
texts = claims("hud")
display(Markdown(claims_summary(verdicts)))
claims_board(verdicts, texts)

# %% [markdown]
# ## Claim by claim

# %%
claims_table(verdicts, texts)

# %% [markdown]
# ## What the claims leave out
#
# A metric that a null model wins does not tell good tiles from bad ones. Of the runs recorded in
# the `quick` profile:

# %%
recorded = scores(store)
display(Markdown("\n".join(f"- {note}" for note in null_notes(recorded))))

# %% [markdown]
# ## What the paper contradicts itself on
#
# Each of these had to be settled to re-do the work:
#
# - eq. 3 gives abundances that may be negative, for which eq. 4 has no value: they are constrained
#   here (eq. 2), or clamped and scaled to sum one (`hud-linear`);
# - algorithm 2 leaves out the bracket of eq. 14, by which the noise is scaled, too; eq. 14 is used;
# - eq. 17 divides one cosine by the number of pixels of a block; it is read as the mean of the
#   pixels' cosines, and that of the flattened blocks is recorded beside it;
# - some averages of Table I do not follow from its rows; [](tables.ipynb) lists them;
# - "[104-108], [150-163], 220 nm", for Indian Pines and for Salinas, are numbers of water bands, not
#   wavelengths, and the 220 bands of Indian Pines include them;
# - Pavia Centre has 1093 rows in the paper, and 1096 in the public file.

# %% [markdown]
# ## Which crop stands in for what

# %%
lines = ["| crop | stands in for | endmembers |", "|---|---|---:|"]
lines += [
    f"| {crop} | {known.dataset or '(no scene of the paper)'} | "
    f"{known.endmembers} |"
    for crop, known in STAND_INS.items()
]
display(Markdown("\n".join(lines)))

# %% [markdown]
# The number of endmembers is the number of classes of the paper's scene, as in the paper. The AVIRIS
# crops share the sensor with Indian Pines, Salinas and the Kennedy Space Center, and not the ground.
