"""The command `reference`: what pictures look like to a placed network, kept to compare later ones with."""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from monitoring.errors import NoImagesError
from monitoring.judgement import FEWEST_IMAGES
from monitoring.labels import held_out, measure_performance
from monitoring.output import prepare_folder
from monitoring.pictures import find_pictures, measure, shown
from monitoring.profile import default_folder, write_reference
from monitoring.selection import add_selection_arguments, drawn, open_network, print_unreadable

HELP = "profile the pictures that a release's network was made for"
EPILOG = (
    "The profile holds figures, no picture and no picture's name. It lies beside the releases, as "
    "references/<release's digest>/<task>: a release's own bytes are sealed."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EPILOG
    add_selection_arguments(
        parser,
        "pictures like those that the network was trained on, in this folder or below it; best ones it has not seen",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="MODEL",
        help="model folder of `python -m training`: its held-out pictures say how right the network is",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="(default: beside the release)")


def run(options: argparse.Namespace) -> int:
    """Write a profile and return 0. Raises MonitoringError."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    network = open_network(options)
    task = network.task
    out = options.out or default_folder(options.release, network.release, task.name)
    prepare_folder(out)
    labelled = held_out(options.held_out, task) if options.held_out else []
    files = drawn(find_pictures(options.images), options.most, options.seed)
    measured = measure(files, network, shown(console))
    print_unreadable(console, measured.unreadable)
    if len(measured.files) < FEWEST_IMAGES:
        raise NoImagesError(
            f"{options.images} has {len(measured.files)} usable pictures and a reference needs {FEWEST_IMAGES}: "
            "gather more."
        )
    performance = measure_performance(labelled, network, shown(console)) if labelled else np.empty((0, 2))
    header = write_reference(out, network, measured.figures, performance)
    console.print(f"reference of {header.images} pictures and {header.labelled} labelled ones: {out}", markup=False)
    return 0
