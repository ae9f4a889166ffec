"""`python -m training synthesise`: from words to a drawn data set, and from errors to an exit status."""

import argparse
from pathlib import Path

from rich.console import Console

from training.synthetic import DRAWN


def run_synthesise(words: list[str], console: Console) -> int:
    """Draw as told and return the exit status."""
    options = _read(words)
    drawn = DRAWN[options.task]
    default = "synthetic" if options.task == "vessels" else f"synthetic_{options.task}"
    root = options.root or Path("build/data") / default
    subjects = drawn.subjects if options.subjects is None else options.subjects
    try:
        with console.status("drawing") as status:
            drawn.write(
                root,
                subjects=subjects,
                seed=options.seed,
                size_px=drawn.size_px if options.size_px is None else options.size_px,
                on_progress=lambda done, total: status.update(f"drawing picture {done}/{total}"),
            )
    except KeyboardInterrupt:
        console.print("interrupted; the same call completes the data set")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    console.print(f"{root}: synthetic pictures for {options.task}, {subjects} {drawn.what}", markup=False)
    return 0


def _read(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training synthesise", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    kinds = "; ".join(f"{name}: {drawn.subjects} {drawn.what}" for name, drawn in DRAWN.items())
    parser.add_argument("--task", choices=DRAWN, default="vessels", help="for which task")
    parser.add_argument("--root", type=Path, help="folder to write; build/data/synthetic… by task if not given")
    parser.add_argument("--subjects", type=int, help=f"how many; if not given, {kinds}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size-px", type=int, help="width of a picture; by task if not given")
    return parser.parse_args(words)
