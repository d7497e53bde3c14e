"""``python -m hsirepro.book``: build the book, or write the chapters' pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hsirepro.book import ROOT, build_book
from hsirepro.book.pairs import write_pairs
from hsirepro.errors import HsireproError


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m hsirepro.book", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="chapters that run at a time")
    parser.add_argument("--out", type=Path, help="folder to build in (default: _build)")
    parser.add_argument("--pairs", action="store_true", help="only write each .ipynb from its .py")
    given = parser.parse_args(arguments)
    if given.pairs:
        for path in write_pairs(ROOT):
            print(f"wrote {path}")
        return 0
    try:
        page = build_book(out=given.out, jobs=given.jobs)
    except HsireproError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
