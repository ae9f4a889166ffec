"""Front door: `python -m training [train] key=value …`, `python -m training synthesise …`."""

import argparse
import logging
import os
import sys
import warnings
from pathlib import Path

from rich.console import Console

USAGE = """usage: python -m training [train] key=value …            train and evaluate; the keys: training/config.py
       python -m training synthesise --root FOLDER …    write a procedural data set in the CHASE_DB1 layout

examples: python -m training data.root=build/data/synthetic
          python -m training data.root=<folder> trainer.epochs=20 seed=3 out=build/training/mine
          python -m training data.root=<folder> resume=build/training/vessels"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 1 could not be done, 2 wrong call, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["-h"], ["--help"]) or not words:
        sys.stdout.write(USAGE + "\n")
        return 0 if words else 2
    commands = {"train": _train, "synthesise": _synthesise}
    command, rest = (commands[words[0]], words[1:]) if words[0] in commands else (_train, words)
    return command(rest)


def _train(overrides: list[str]) -> int:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    from training.command import run_training  # noqa: PLC0415 - seconds of imports that --help need not wait for

    _quieten()
    return run_training(overrides, Console(highlight=False, soft_wrap=True))


def _quieten() -> None:
    """Silence advice of libraries that the user cannot act on."""
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _synthesise(words: list[str]) -> int:
    from training.synthetic import write_dataset  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m training synthesise", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("build/data/synthetic"), help="folder to write")
    parser.add_argument("--subjects", type=int, default=12, help="people, with two eyes each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size-px", type=int, default=640)
    options = parser.parse_args(words)
    console = Console(highlight=False)
    try:
        with console.status("drawing") as status:
            write_dataset(
                options.root,
                subjects=options.subjects,
                seed=options.seed,
                size_px=options.size_px,
                on_progress=lambda done, total: status.update(f"drawing fundus {done}/{total}"),
            )
    except KeyboardInterrupt:
        console.print("interrupted; the same call completes the data set")
        return 130
    except (ValueError, OSError) as error:
        console.print(f"[red]error:[/red] {error}")
        return 1
    console.print(f"{2 * options.subjects} synthetic fundus pictures in {options.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
