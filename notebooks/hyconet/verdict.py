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

from hsirepro.papers.hyconet import TABLES
from hsirepro.papers.hyconet.claims import decided
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
