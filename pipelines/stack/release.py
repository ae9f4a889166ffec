"""What the stack serves: the placed release, or where none was placed the shipped network for vessels."""

from pathlib import Path

from rich.console import Console

from pipelines.stages import run_stage

_TASK = "vessels"
_WEIGHTS = Path(__file__).parents[2] / "weights" / _TASK


def place_shipped(build: Path, console: Console) -> None:
    """Place the shipped weights in `<build>/model_repository` unless a release is there; compared on drawn pictures.

    Raises:
        StageError: drawing or export failed.
    """
    release, drawn = build / "model_repository", build / "data" / "synthetic"
    if release.exists():
        return
    console.print(f"no release is placed at {release}: the shipped weights of {_TASK} are, once")
    if not drawn.exists():
        run_stage(console, "data", "training", ["synthesise", "--root", str(drawn)])
    places = {"model": _WEIGHTS, "pictures": drawn, "to": release, "work": build / "export"}
    words = [f"task={_TASK}", "formats=[onnx]", *(_word(key, place) for key, place in places.items())]
    run_stage(console, "export", "export", words)


def _word(key: str, place: Path) -> str:
    """Return key='value' as YAML, which export reads: folders have blanks and quotes in their names."""
    escaped = str(place).replace("'", "''")
    return f"{key}='{escaped}'"
