"""The whole way, as `make demo` goes it, and the gates that would stop it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from doors import OFFLINE, ROOT, Launched, Stages, door
from pages import blocks
from shown import kinds

from export.__main__ import main as export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One short run of every stage; the folder has a blank and a quote in its name."""
    build = tmp_path_factory.mktemp("demo") / "it's a folder"
    result = door("pipelines", "demo", "--trainer", "smoke", "--subjects", "4", "--build", str(build), timeout_s=500)
    assert result.returncode == 0, result.stdout + result.stderr
    for stage in ("data", "train", "export", "serve", "infer", "load-test", "report"):
        assert f"\n{stage}  " in "\n" + result.stdout, stage
    (build / "printed").write_text(result.stdout + result.stderr)
    return build


def test_readme_shows_what_is_printed(demo: Path) -> None:
    """Line by line of the same kind, but for the cell whose times are wrapped by their length."""
    (shown, *_) = [block for block in blocks(ROOT / "README.md") if block.kind == "output"]
    printed = set(kinds((demo / "printed").read_text().replace(str(demo), "build")))
    lines = [line for line in shown.lines if line != "…" and "│ time" not in line and " total " not in line]
    assert [line for line in kinds("\n".join(lines)) if line not in printed] == []


def test_report_links_to_what_is_there(demo: Path) -> None:
    import re

    page = demo / "report" / "index.html"
    text = page.read_text()
    assert text.count("<svg") == 2
    targets = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert len(targets) > 6
    for target in targets:
        assert (page.parent / target).is_file(), target


def test_served_dice_is_the_offline_one(demo: Path) -> None:
    images = json.loads((demo / "report" / "served.json").read_text())
    assert images
    for image in images:
        assert image["dice_served"] == pytest.approx(image["dice_offline"], abs=0.001)
        assert (demo / "report" / "overlays" / f"{image['name']}_overlay.png").is_file()


def test_load_test_left_its_verdict(demo: Path) -> None:
    summary = json.loads((demo / "loadtest" / "summary.json").read_text())
    assert summary["counts"]["measured"] > 20
    cases = {case.get("name") for case in ElementTree.parse(demo / "loadtest" / "junit.xml").iter("testcase")}  # noqa: S314
    assert {objective["name"] for objective in summary["objectives"]} <= cases


def test_release_knows_where_it_comes_from(demo: Path) -> None:
    provenance = json.loads((demo / "model_repository" / "provenance.json").read_text())
    card = json.loads((demo / "training" / "vessels" / "model.json").read_text())
    made = provenance["tasks"]["vessels"]
    for key in ("run_id", "data_digest", "weights_sha256"):
        assert made[key] == card[key]
    assert made["exported_by"]["versions"]["onnx"]
    assert all(report["passed"] for report in made["parity"])
    assert export(["verify", str(demo / "model_repository")]) == 0


def load_test(served: Launched, stages: Stages, out: Path, slo: Path, *words: str) -> int:
    images = stages.model / "held_out" / "images"
    call = ["loadtests", "run", "--url", served.grpc, "--images", str(images), "--slo", str(slo), "--out", str(out)]
    return door(*call, *words, timeout_s=90).returncode


@pytest.fixture
def objectives(tmp_path: Path) -> Path:
    """The shipped objectives under a short load."""
    content = yaml.safe_load((ROOT / "loadtests" / "slo.yaml").read_text())
    content["load"] |= {"rate_rps": 3, "duration_s": 4, "warm_up_s": 1, "arrivals": "constant"}
    # This is about verdicts and not about speed: a busy machine must not decide it.
    content["objectives"] |= {"p50_ms": 8000, "p95_ms": 9000, "p99_ms": 9000, "generator_lag_p99_ms": 1000}
    content["objectives"] |= {"achieved_rate_ratio": 0.3}
    path = tmp_path / "slo.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_met_objectives_pass(served_default: Launched, stages: Stages, tmp_path: Path, objectives: Path) -> None:
    assert load_test(served_default, stages, tmp_path / "out", objectives) == 0


def test_missed_objective_fails(served_default: Launched, stages: Stages, tmp_path: Path, objectives: Path) -> None:
    content = yaml.safe_load(objectives.read_text())
    content["objectives"]["p50_ms"] = 1
    objectives.write_text(yaml.safe_dump(content))
    assert load_test(served_default, stages, tmp_path / "out", objectives) == 1
    failures = ElementTree.parse(tmp_path / "out" / "junit.xml").findall(".//failure")  # noqa: S314
    assert len(failures) == 1


def test_nothing_measured_fails(served_default: Launched, stages: Stages, tmp_path: Path, objectives: Path) -> None:
    words = ("--rate", "0.01", "--duration-s", "1", "--warm-up-s", "0", "--arrivals", "poisson")
    assert load_test(served_default, stages, tmp_path / "out", objectives, *words) == 2


def test_wrong_answers_fail(stages: Stages, served_default: Launched, tmp_path: Path, objectives: Path) -> None:
    """Pictures that the server refuses are errors, and an error misses the objective."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "text.png").write_text("not a picture")
    call = ["loadtests", "--url", served_default.grpc, "--images", str(tmp_path / "images"), "--slo", str(objectives)]
    assert door(*call, "--out", str(tmp_path / "out"), timeout_s=90).returncode == 1


def test_mismatch_with_the_evaluation_fails(served_default: Launched, stages: Stages, tmp_path: Path) -> None:
    import shutil

    model = Path(shutil.copytree(stages.model, tmp_path / "model"))
    evaluation = json.loads((model / "evaluation.json").read_text())
    first = next(iter(evaluation["per_image"]))
    evaluation["per_image"][first]["dice"] += 0.002
    (model / "evaluation.json").write_text(json.dumps(evaluation))
    result = door(
        "pipelines", "infer", "--url", served_default.grpc, "--model", str(model), "--out", str(tmp_path / "out")
    )
    assert result.returncode == 1
    assert f"{first}: Dice through the server" in result.stdout
    assert (tmp_path / "out" / "served.json").is_file(), "the figures are kept to look at"


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def test_stopped_demo_leaves_no_process(stages: Stages, tmp_path: Path) -> None:
    """SIGTERM while the server runs: the pipeline ends its stage and its server before it goes."""
    script = (
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "from rich.console import Console\n"
        "from pipelines.stages import served\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "with served(Console(), Path(sys.argv[1]), Path(sys.argv[2])) as url:\n"
        "    print('serving', url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(stages.repository), str(tmp_path)]
    pipeline = subprocess.Popen(command, cwd=ROOT, env=OFFLINE, stdout=subprocess.PIPE, text=True)
    assert pipeline.stdout is not None
    assert any(line.startswith("serving") for line in pipeline.stdout)
    below = descendants(pipeline.pid)
    assert len(below) >= 6
    pipeline.send_signal(signal.SIGTERM)
    assert pipeline.wait(60) == 143
    time.sleep(0.5)
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
