"""The command line: a thin door to the rooms.

Only what answers ``--help`` is imported here; every command imports the room it opens.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hsirepro.errors import HsireproError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Five hyperspectral image synthesis papers, re-done end to end.",
)
scenes_app = typer.Typer(help="List, fetch and verify scenes.")
records_app = typer.Typer(help="List and verify the records of finished runs.")
app.add_typer(scenes_app, name="scenes")
app.add_typer(records_app, name="records")


def main() -> None:
    """Run the command line; errors meant for the user end it with their text and code 2."""
    try:
        app()
    except HsireproError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)


@scenes_app.callback(invoke_without_command=True)
def scenes(context: typer.Context) -> None:
    """List every scene: sensor, size, bands, licence, and whether it is here."""
    if context.invoked_subcommand is None:
        from hsirepro.scenes.locate import scene_table

        rows = [
            (r.name, r.sensor, r.size, str(r.bands or "-"), "yes" if r.here else "no", r.licence)
            for r in scene_table()
        ]
        _print_table(("name", "sensor", "size", "bands", "here", "licence"), rows, widest=44)


@scenes_app.command("fetch")
def scenes_fetch(name: Annotated[str, typer.Argument(help="Name from 'hsirepro scenes'.")]) -> None:
    """Download a scene into the cache, checked against its hash."""
    from hsirepro.scenes.locate import fetch

    for path in fetch(name):
        typer.echo(str(path))


@scenes_app.command("verify")
def scenes_verify(
    names: Annotated[list[str] | None, typer.Argument(help="All scenes by default.")] = None,
) -> None:
    """Compare the files that are here with their hashes; code 1 if one is wrong."""
    from hsirepro.scenes.locate import verify

    states = verify(names or None)
    shown = states if names else [state for state in states if state.status != "missing"]
    _print_table(("scene", "file", "status"), [(s.scene, s.file.path, s.status) for s in shown])
    missing = sum(state.status == "missing" for state in states)
    if missing:
        typer.echo(f"{missing} files of {len(states)} are not on this machine.")
    if any(state.status == "wrong" for state in states):
        raise typer.Exit(1)


@app.command()
def run(
    paper: Annotated[str, typer.Argument(help="Paper, such as hyconet.")],
    table: Annotated[
        str, typer.Option(help="Table, or study such as fig-5; the scene's table if not given.")
    ] = "",
    scene: Annotated[str, typer.Option(help="Catalogue name of the scene.")] = "planted",
    condition: Annotated[
        str, typer.Option(help="Such as sigma=0.5; the paper's first if not given.")
    ] = "",
    method: Annotated[
        list[str] | None, typer.Option(help="Repeat for several; all if none.")
    ] = None,
    profile: Annotated[str, typer.Option(help="smoke, quick or paper.")] = "smoke",
    seed: Annotated[list[int] | None, typer.Option(help="Those of the profile if none.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    again: Annotated[bool, typer.Option(help="Run also what is recorded.")] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Record pictures also where no figure shows them.")
    ] = False,
) -> None:
    """Run the cells of one table that are not recorded yet, and record them.

    A run that was cut off goes on from its last checkpoint.
    """
    folder = _paper(paper)
    from hsirepro.errors import ParameterError
    from hsirepro.papers.cells import fill
    from hsirepro.records import RecordStore
    from hsirepro.scenes import CATALOGUE

    folder.PARAMETERS["device"].check("device", device)
    if scene not in CATALOGUE and Path(scene).exists():
        raise ParameterError(
            f"hsirepro run takes scenes of the catalogue, and {scene!r} is none.",
            next_step=f"for a cube of your own: papermill notebooks/{paper}/tables.ipynb out.ipynb "
            f"-p scene {scene}",
        )
    if scene not in getattr(folder, "COLLECTIONS", ()):
        CATALOGUE[scene]  # or an error with the nearest names
    wanted = folder.asked(table, scene, condition, profile, method, seed)
    records = fill(
        wanted,
        lambda key, checkpoint: folder.run_cell(
            key, device=device, checkpoint=checkpoint, progress=True, pictures=pictures or None
        ),
        store=RecordStore(),
        again=again,
        say=lambda line: typer.echo(line, err=True),
    )
    names = list(records[0].metrics)[:5]
    rows = [
        (r.key.method, str(r.key.seed), *(f"{r.metrics.get(n, float('nan')):.4g}" for n in names))
        for r in records
    ]
    _print_table(("method", "seed", *names), rows)


@app.command()
def sweep(
    paper: Annotated[str, typer.Argument(help="Paper, such as hyconet.")],
    profile: Annotated[str, typer.Option(help="smoke, quick or paper.")] = "quick",
    table: Annotated[
        list[str] | None, typer.Option(help="Tables or studies; all if none. Repeat for several.")
    ] = None,
    scene: Annotated[
        list[str] | None,
        typer.Option(help="If none, all stand-ins, and scenes of the paper that are here."),
    ] = None,
    method: Annotated[list[str] | None, typer.Option(help="All rows and variants if none.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time.")] = 1,
    dry: Annotated[bool, typer.Option("--dry", help="List what is missing, run nothing.")] = False,
) -> None:
    """Run every planned cell of a paper that is not recorded yet; code 1 if one fails.

    It may be cut off at any moment and called again.
    """
    folder = _paper(paper)
    from hsirepro.papers import sweep as many
    from hsirepro.records import RecordStore

    folder.PARAMETERS["device"].check("device", device)
    store, plan = RecordStore(), folder.planned(profile, folder.scenes_here())
    for field, names in (("table", table), ("scene", scene), ("method", method)):
        known = {getattr(key, field) for key in plan}
        for name in names or ():
            _check_known(field, name, known)
        plan = [key for key in plan if not names or getattr(key, field) in names]
    if dry:
        for key in many.missing(plan, store):
            typer.echo(str(key))
        return
    failures = many.sweep(
        plan, folder.run_cell, store=store, device=device, jobs=jobs, say=typer.echo
    )
    if failures:
        raise typer.Exit(1)


@records_app.callback(invoke_without_command=True)
def records(context: typer.Context) -> None:
    """List the records."""
    if context.invoked_subcommand is None:
        from hsirepro.records import RecordStore

        store = RecordStore()
        _say_if_missing(store.root)
        rows = [
            (str(r.key), r.provenance.get("date", ""), r.provenance.get("code_hash", "")[:8])
            for r in store.find()
        ]
        _print_table(("record", "date", "code"), rows, widest=120)


@records_app.command("verify")
def records_verify() -> None:
    """Read every record back; code 1 if one is torn or altered."""
    from hsirepro.records import RecordStore

    store = RecordStore()
    _say_if_missing(store.root)
    whole, problems = store.examine()
    for problem in problems:
        typer.echo(problem)
    typer.echo(f"{whole} records are whole, {len(problems)} are not.")
    if problems:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Show versions, devices and data folders, and what is missing."""
    from hsirepro.doctor import report

    for line in report():
        typer.echo(line)


@app.command()
def book(
    output: Annotated[Path | None, typer.Option(help="Build folder; _build by default.")] = None,
) -> None:
    """Execute the chapters that changed and render the book."""
    from hsirepro.book import build_book

    typer.echo(f"The book is at {build_book(out=output)}")


def _say_if_missing(folder: Path) -> None:
    if not folder.is_dir():
        typer.echo(f"There is no folder of records {folder} yet.", err=True)


def _paper(name: str) -> Any:
    """Return the folder of a paper: its plan, and what fills a cell of it."""
    from importlib import import_module

    from hsirepro.errors import ParameterError, suggest
    from hsirepro.papers.published import papers

    if name not in papers():
        raise ParameterError(f"There is no paper {name!r} here.", hint=suggest(name, papers()))
    return import_module(f"hsirepro.papers.{name.replace('-', '_')}")


def _check_known(field: str, name: str, known: set[str]) -> None:
    from hsirepro.errors import ParameterError, suggest

    if name not in known:
        raise ParameterError(f"Nothing is planned for {field} {name!r}.", hint=suggest(name, known))


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]], widest: int = 60) -> None:
    cells = [[_cut(str(cell), widest) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        typer.echo("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip())


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"
