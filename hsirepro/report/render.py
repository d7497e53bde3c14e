"""Write a table of texts as HTML, Markdown or LaTeX.

The HTML is for everyone: a caption, a scope for every header cell, row groups with a header of
their own, marks in plain text, and a region that scrolls by keyboard where the screen is narrow.
"""

from __future__ import annotations

import html as escaping
import re
import string
from dataclasses import dataclass, field

CODE = re.compile(r"`([^`]+)`")
NUMBERS = ' style="text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums"'
LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: "\\" + letter for letter in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"—": "---", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "×": r"$\times$"},
}


@dataclass(frozen=True)
class Layout:
    """What every format shows: texts only, the first column naming the row."""

    caption: str
    header: list[str]
    bodies: list[tuple[str, list[list[str]]]]  # (heading of the group or "", its rows)
    notes: list[str]  # `code` stands between backticks
    prose: bool = False  # sentences, which break their lines; numbers stay on one, at the right


@dataclass
class Notes:
    """Numbered notes, each text once: [a], [b], ... [z], [aa] ..."""

    _marks: dict[str, str] = field(default_factory=dict)

    def mark(self, text: str, note: str | None) -> str:
        """Return ``text`` with the mark of ``note`` after it, where there is one.

        Examples
        --------
        >>> notes = Notes()
        >>> notes.mark("—", "Not recorded."), notes.mark("—", "Other."), notes.mark("—", None)
        ('— [a]', '— [b]', '—')
        >>> notes.mark("—", "Not recorded."), notes.texts()
        ('— [a]', ['[a] Not recorded.', '[b] Other.'])
        """
        if note is None:
            return text
        letters = string.ascii_lowercase
        turn, place = divmod(len(self._marks), len(letters))
        return f"{text} [{self._marks.setdefault(note, letters[place] * (turn + 1))}]"

    def texts(self) -> list[str]:
        """Return all notes with their marks, in the order of their marks."""
        return [f"[{mark}] {note}" for note, mark in self._marks.items()]


def html(layout: Layout) -> str:
    """Return ``layout`` as HTML."""
    name_style = ' style="text-align: left; white-space: nowrap"'
    heading_style, cell_style = name_style, NUMBERS
    if layout.prose:
        name_style = heading_style = cell_style = ' style="text-align: left"'
    caption = escaping.escape(layout.caption)
    head = "".join(f'<th scope="col">{escaping.escape(name)}</th>' for name in layout.header)
    lines = [
        f'<div role="region" aria-label="{caption}" tabindex="0" style="overflow-x: auto">',
        '<table class="comparison">',
        f"<caption>{caption}</caption>",
        f"<thead><tr>{head}</tr></thead>",
    ]
    for heading, rows in layout.bodies:
        lines.append("<tbody>")
        if heading:
            span = f'<th scope="rowgroup" colspan="{len(layout.header)}"{heading_style}>'
            lines.append(f"<tr>{span}{escaping.escape(heading)}</th></tr>")
        for name, *cells in rows:
            data = "".join(f"<td{cell_style}>{escaping.escape(cell)}</td>" for cell in cells)
            lines.append(f'<tr><th scope="row"{name_style}>{escaping.escape(name)}</th>{data}</tr>')
        lines.append("</tbody>")
    lines.append("</table>")
    # Notes may hold commands to copy, which quotes turned into entities would spoil.
    notes = [CODE.sub(r"<code>\1</code>", escaping.escape(n, quote=False)) for n in layout.notes]
    lines += [f'<p style="font-size: smaller; margin: 0.3em 0">{note}</p>' for note in notes]
    return "\n".join([*lines, "</div>"])


def markdown(layout: Layout) -> str:
    """Return ``layout`` as a Markdown pipe table, caption above and notes below."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    blank = [""] * (len(layout.header) - 1)
    lines = [f"**{layout.caption}**", "", line(layout.header)]
    lines.append(line(["---", *["---:"] * len(blank)]))
    for heading, rows in layout.bodies:
        if heading:
            lines.append(line([f"**{heading}**", *blank]))
        lines += [line(row) for row in rows]
    for note in layout.notes:
        lines += ["", note]
    return "\n".join(lines)


def latex(layout: Layout) -> str:
    """Return ``layout`` as a LaTeX table with the rules of booktabs."""
    columns = len(layout.header)

    def line(cells: list[str]) -> str:
        return " & ".join(_latex(cell) for cell in cells) + r" \\"

    lines = [r"\begin{table}", rf"\caption{{{_latex(layout.caption)}}}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * (columns - 1)}}}", r"\toprule", line(layout.header)]
    for heading, rows in layout.bodies:
        lines.append(r"\midrule")
        if heading:
            lines.append(rf"\multicolumn{{{columns}}}{{l}}{{{_latex(heading)}}} \\")
        lines += [line(row) for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    for note in layout.notes:
        # Odd pieces stood between backticks.
        pieces = [_latex(piece) for piece in CODE.split(note)]
        pieces[1::2] = [rf"\texttt{{{piece}}}" for piece in pieces[1::2]]
        lines.append(rf"\par {''.join(pieces)}")
    return "\n".join([*lines, r"\end{table}"])


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
