# %% [markdown]
# # INSS: what holds
#
# *Takes some seconds: nothing is trained here.*
#
# The paper {cite}`liu2023inss` draws conclusions from its tables and figures. Each is written down
# here in a form that recorded runs can decide, and is decided for both sets of images that stand in
# for its six flight lines. Published numbers decide nothing. A claim stays undecided until the runs of
# the `paper` profile that it needs are there; shorter runs are mentioned as a hint.

# %%
from IPython.display import Markdown, display

from hsirepro.errors import SceneNotFound
from hsirepro.papers.inss import STAND_INS, decided, open_dataset
from hsirepro.papers.published import claims, published
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
texts = claims("inss")
display(Markdown(claims_summary(verdicts)))
claims_board(verdicts, texts)

# %% [markdown]
# ## Claim by claim

# %%
claims_table(verdicts, texts)

# %% [markdown]
# ## What the paper contradicts itself on
#
# Each of these had to be settled to re-do the work:
#
# - eq. 12 calls the cosine itself the loss, which would drive spectra apart: one less the cosine is taken;
# - the text multiplies the orders of reflection pixel by pixel, the released code as matrices; the text
#   is followed, and [](method.ipynb) shows what the code's product does;
# - rows of Table I and Table II that should be two methods are one: PDASS, and INSS of the first order;
# - the abstract's PSNR is 52.36 dB, the conclusion's 52.32 dB;
# - Table III names one row for 200 samples after another network than the rows above it;
# - the metrics of Table I have a peak of 65535, which the images come nowhere near, and count three bands
#   that are the input; [](tables.ipynb) shows both without.

# %%
table = published("inss").query("table in ('I', 'II')")
rows = table.pivot_table(
    index="metric", columns=["table", "method"], values="value"
)
same = (rows["I"]["PDASS"] == rows["II"]["6"]).all()
print(f"PDASS in Table I and row 6 of Table II are the same: {same}")

# %% [markdown]
# ## Which images stand in for what

# %% tags=["remove-stderr"]
lines = []
for name in STAND_INS:
    try:
        data = open_dataset(name)
    except SceneNotFound as missing:
        lines.append(f"- {name}: {str(missing).splitlines()[0]}")
        continue
    counts = ", ".join(f"{len(n)} {side}" for side, n in data.names.items())
    lines.append(f"- {name}: {counts}. {' '.join(data.notes)}")
display(Markdown("\n".join(lines)))
