# %% [markdown]
# # HyCoNet: what holds
#
# *Takes some seconds: nothing is trained here.*
#
# The paper {cite}`zheng2021hyconet` draws conclusions from its tables and figures. Each is written
# down here in a form that recorded runs can decide, and is decided for every crop that stands in
# for one of its scenes. Published numbers decide nothing. A claim stays undecided until the runs
# of the paper's own length that it needs are there; shorter runs are mentioned as a hint.

# %%
from IPython.display import Markdown, display

from hsirepro.papers.hyconet import TABLES, study_notes
from hsirepro.papers.hyconet.claims import decided
from hsirepro.papers.hyconet.scores import lead_note, scores
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
texts = claims("hyconet")
display(Markdown(claims_summary(verdicts)))
claims_board(verdicts, texts)

# %% [markdown]
# ## Claim by claim

# %%
claims_table(verdicts, texts)

# %% [markdown]
# ## What the claims leave out
#
# The baselines are told a point spread that is wider than the true one at σ = 0.5. Told the true
# one, four of them reach the following; [](text_against_code.ipynb) has the numbers, and the same for
# the spectral response.

# %%
recorded = scores(store)
lines = [
    lead_note(recorded, crop, variants)
    for crop, _, variants in study_notes("mismatch", store)
    if variants
]
display(Markdown("\n".join(lines)))

# %% [markdown]
# ## What the paper contradicts itself on
#
# None of this changes a result, but each had to be settled to re-do the work:
#
# - the crop of Pavia University has 336 x 336 pixels in Table I, and 366 x 366 in the text; the
#   first is used here;
# - its bands reach from 466 to 834 nm in Table I, and from 430 to 840 nm in the text; the response
#   that the authors released has the 93 bands of the first, and so has the catalogue's crop;
# - eq. 2 writes the point spread as a matrix product and as a convolution; it is the second, with
#   a stride of the ratio.

# %% [markdown]
# ## Which crop stands in for what

# %%
lines = ["| paper's scene | table | ratio | MSI bands | stand-ins |"]
lines += ["|---|---|---:|---|---|"]
for name, table in TABLES.items():
    lines.append(
        f"| {table.dataset} | {name} | {table.ratio} | "
        f"{', '.join(table.msi_bands)} | {', '.join(table.stand_ins)} |"
    )
display(Markdown("\n".join(lines)))

# %% [markdown]
# The crops are small, 48 to 128 pixels a side against 144 to 336 in the paper, so a method that
# needs many pixels to find its endmembers is at a disadvantage here. Where a scene of the paper is
# in `HSIREPRO_DATA`, `hsirepro run hyconet --scene pavia-university --profile paper` runs it.
