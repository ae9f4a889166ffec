"""Front door: `python -m export [key=value …]` and `python -m export verify FOLDER`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

USAGE = """usage: python -m export [task=NAME] [model=FOLDER|champion|challenger] [pictures=FOLDER] [calibration=FOLDER]
                        [formats=[onnx,torchscript]] [images=32] [to=FOLDER] [work=FOLDER] [uri=REGISTRY]
           write every format, compare it with the trained network on labelled pictures, place it into the release
           formats: torchscript, onnx, onnx_fp16, onnx_int8, openvino, tensorrt, torch_tensorrt, aoti
       python -m export verify FOLDER
           re-hash a placed release, read its artefacts and configurations again and say what it was made from
       python -m export benchmark [task=NAME] [model=FOLDER] [work=FOLDER] [threads=[1,2]] [rounds=40] [out=FOLDER]
           run what an export left under every runtime that reads it, in turn: latency, size, memory

examples: python -m export model=build/training/vessels
          python -m export task=eye_disease model=weights/eye_disease pictures=<data root>
          python -m export task=vessels model=champion formats=[onnx,onnx_fp16,onnx_int8,openvino,tensorrt]"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 1 refused or not possible, 2 wrong call, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    console = Console(highlight=False, soft_wrap=True)
    if words[:1] in (["-h"], ["--help"]):
        console.print(USAGE, markup=False)
        return 0
    if words[:1] == ["verify"]:
        return _verify(words[1:], console)
    if words[:1] == ["benchmark"]:
        return _benchmark(words[1:], console)
    return _export(words, console)


def _export(words: list[str], console: Console) -> int:
    from export.config import load_config  # noqa: PLC0415 - seconds of imports that --help need not wait for
    from export.export import export  # noqa: PLC0415

    def work() -> int:
        config = load_config(words)
        placed = export(config, console.print)
        tasks = json.loads((placed.release / "provenance.json").read_text())["tasks"]
        console.print(_table(placed.task, tasks[placed.task]["parity"]))
        console.print(f"release {placed.release.name} placed at {config.to}, with {', '.join(tasks)}")
        return 0

    return _exit_status(work, console, "interrupted; nothing was placed")


def _verify(words: list[str], console: Console) -> int:
    from export.configurations import check_configurations  # noqa: PLC0415 - as in _export
    from export.place import verify  # noqa: PLC0415
    from export.reparse import reparse  # noqa: PLC0415

    if len(words) != 1:
        console.print(USAGE, markup=False)
        return 2

    def work() -> int:
        provenance = verify(Path(words[0]))
        parsed = check_configurations(Path(words[0]), provenance)
        read = reparse(Path(words[0]), provenance)
        files = len(provenance["files"])
        console.print(
            f"{words[0]} is whole: {files} files, {len(read)} artefacts read again, {parsed} configurations parsed"
        )
        for name, made in provenance["tasks"].items():
            console.print(f"  {name}: weights {made['weights_sha256'][:12]}, run {made['run_id'] or 'not tracked'}")
        return 0

    return _exit_status(work, console, "interrupted; not everything was read")


def _benchmark(words: list[str], console: Console) -> int:
    from export.benchmark import benchmark, load_benchmark_config, table_of  # noqa: PLC0415 - as in _export

    def work() -> int:
        config = load_benchmark_config(words)
        console.print(table_of(benchmark(config, console.print), config.task))
        return 0

    return _exit_status(work, console, "interrupted; nothing was written")


def _exit_status(work: Callable[[], int], console: Console, interrupted: str) -> int:
    """Return what `work` returns; an error is printed as its sentence."""
    from export.errors import ExportError  # noqa: PLC0415 - as in _export
    from training.errors import TrainingError  # noqa: PLC0415

    try:
        return work()
    except (ExportError, TrainingError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print(interrupted)
        return 130


def _table(task: str, reports: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{task}: parity with the trained network; in brackets the budget")
    for column in ("format", "pictures", "max abs error", "other class", f"{reports[0]['figure']} differs"):
        table.add_column(column)
    for report in reports:
        budget = report["budget"]
        table.add_row(
            str(report["format"]),
            str(report["images"]),
            f"{report['max_abs_error']:.1e} ({budget['max_abs_error']:.0e})",
            f"{report['disagreement']:.1e} ({budget['disagreement']:.0e})",
            f"{report['quality_difference']:.5f} ({budget['quality_difference']})",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
