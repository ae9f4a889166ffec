"""The command `size`: how many replicas a wanted rate needs, from a capacity.json."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.capacity.pool import Pool, Replica, read_replicas, replicas_for
from loadtests.errors import InvalidCapacityError
from loadtests.flags import count, positive
from loadtests.question import share


def size(arguments: Sequence[str]) -> int:
    """Print the pool and return 0. Raises InvalidCapacityError."""
    options = _parser().parse_args(arguments)
    replicas = _chosen(read_replicas(options.capacity), options)
    pools = [
        replicas_for(options.rate_rps, replica, utilisation=options.utilisation, spare=options.spare)
        for replica in replicas
    ]
    if options.json:
        Console().print_json(json.dumps([_entry(each, pool) for each, pool in zip(replicas, pools, strict=True)]))
    else:
        Console().print(_table(replicas, pools, options.rate_rps))
    return 0


def _chosen(replicas: Sequence[Replica], options: argparse.Namespace) -> list[Replica]:
    wanted = {"profile": options.profile, "instances": options.instances}
    chosen = [
        replica
        for replica in replicas
        if all(value is None or getattr(replica, name) == value for name, value in wanted.items())
    ]
    if not chosen:
        there = ", ".join(f"{each.profile or '(no profile)'} × {each.instances or 'its own'}" for each in replicas)
        raise InvalidCapacityError(f"{options.capacity} holds no such capacity; it has {there or 'none'}.")
    return chosen


def _entry(replica: Replica, pool: Pool) -> dict[str, object]:
    return {**asdict(replica), **asdict(pool)}


def _table(replicas: Sequence[Replica], pools: Sequence[Pool], rate_rps: float) -> Table:
    table = Table("profile", title=f"{replicas[0].task}: a pool for {rate_rps:g} requests/s")
    for heading in ("instances", "replicas", "spare among them", "target per replica", "queue there", "pending there"):
        table.add_column(heading, justify="right")
    for replica, pool in zip(replicas, pools, strict=True):
        table.add_row(
            replica.profile or "-",
            "its own" if replica.instances is None else str(replica.instances),
            str(pool.replicas),
            str(pool.spare),
            f"{pool.target_rps:.3g}/s",
            "-" if replica.queue_ms is None else f"{replica.queue_ms:.1f} ms",
            "-" if replica.pending is None else f"{replica.pending:.2f}",
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests size",
        description="How many replicas carry a rate, each at its target load, from what `loadtests capacity` found.",
        epilog="Counts on the lower bound of a capacity. An autoscaler should add a replica when queue time or pending "
        "requests pass what is shown.",
    )
    parser.add_argument("--capacity", type=Path, default=Path("build/capacity/capacity.json"), metavar="FILE")
    parser.add_argument("--rate", dest="rate_rps", type=positive, required=True, metavar="RPS", help="to be carried")
    parser.add_argument("--profile", metavar="NAME", help="only this serving profile")
    parser.add_argument("--instances", type=int, metavar="N", help="only this number of instances")
    parser.add_argument(
        "--utilisation", type=share, default=0.7, metavar="X", help="share of the capacity (default: %(default)s)"
    )
    parser.add_argument(
        "--spare", type=count, default=1, metavar="N", help="replicas that may be lost (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
