"""The command: what it takes, what it refuses in one sentence, and that a refusal changes nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from doors import Release, door
from untrained import model_folder

from export.__main__ import main
from export.artefact import Material
from export.config import ExportConfig
from export.errors import ExportError, ParityError
from export.export import Placed, export
from export.formats import FORMATS
from export.place import verify
from tasks import get_task
from tasks.checksums import write_checksums
from training.serving_module import ServingModule
from training.weights import load_card, load_serving_module, ship

pytestmark = pytest.mark.slow
EYE_DISEASE = get_task("eye_disease")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task whose network is the smallest."""
    return model_folder(EYE_DISEASE, tmp_path_factory.mktemp("models") / "eye_disease")


def config_for(model: Path, folder: Path, **others: object) -> ExportConfig:
    words = {
        "images": 4,
        "formats": ["torchscript"],
        "to": str(folder / "model_repository"),
        "work": str(folder / "work"),
    }
    return ExportConfig(**{"model": str(model), **words, **others})


def run(model: Path, folder: Path, **others: object) -> Placed:
    return export(config_for(model, folder, **others), lambda _: None)


def class_folders(root: Path) -> Path:
    """Write a labelled data set of the layout that the task's source reads."""
    generator = np.random.default_rng(0)
    for info in EYE_DISEASE.classes:
        (root / info.name).mkdir(parents=True)
        for number in range(2):
            picture = generator.integers(0, 256, (80, 96, 3), dtype=np.uint8)
            cv2.imwrite(str(root / info.name / f"{info.name}_{number}.png"), picture)
    return root


def test_release_says_what_it_was_made_from(model: Path, tmp_path: Path) -> None:
    placed = run(model, tmp_path)
    made = verify(placed.release)["tasks"]
    assert set(made) == {placed.task} == {"eye_disease"}
    card = load_card(model)
    assert made["eye_disease"]["weights_sha256"] == card.weights_sha256
    assert made["eye_disease"]["parity"][0]["figure"] == "macro_f1"
    assert made["eye_disease"]["parity"][0]["passed"]
    assert made["eye_disease"]["exported_by"]["versions"]["torch"]


def test_refusal_keeps_the_old_release(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that goes wrong: the command refuses, says why, and what was placed stays placed."""
    placed = run(model, tmp_path)
    right = FORMATS["torchscript"]

    def wrong(material, path):
        other = model_folder(EYE_DISEASE, tmp_path / "other", seed=1)
        right.write(replace(material, module=load_serving_module(other)[0]), path)

    monkeypatch.setitem(FORMATS, "torchscript", replace(right, write=wrong))
    with pytest.raises(ParityError, match="torchscript is not placed"):
        run(model, tmp_path)
    assert (tmp_path / "model_repository").resolve() == placed.release
    assert not json.loads((tmp_path / "work" / "eye_disease" / "parity.json").read_text())[0]["passed"]
    assert [path.name for path in placed.release.parent.iterdir()] == [placed.release.name]


def test_same_models_give_the_same_release(release: Release, tmp_path: Path) -> None:
    """Exported once more by another process: every byte is equal, so the content's digest is."""
    whole = release.repository.resolve()
    shutil.copytree(whole, tmp_path / "releases" / whole.name)
    again = tmp_path / "model_repository"
    again.symlink_to(tmp_path / "releases" / whole.name)
    words = [f"model={release.models['vessels']}", f"to={again}", f"work={tmp_path / 'work'}", "images=4"]
    result = door("export", "task=vessels", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "vessels" in result.stdout
    assert "dubai_aerial, eye_disease, landcover_ai, vessels" in result.stdout
    assert again.resolve().name == whole.name


def test_shipped_weights_are_compared_on_named_pictures(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ship(model, tmp_path / "weights" / "eye_disease")
    shipped = tmp_path / "weights" / "eye_disease"
    with pytest.raises(ExportError, match=r"no held-out pictures beside .*eye_disease.*name .* with pictures="):
        run(shipped, tmp_path)
    placed = run(shipped, tmp_path, task="eye_disease", pictures=str(class_folders(tmp_path / "data")))
    report = verify(placed.release)["tasks"]["eye_disease"]["parity"][0]
    assert report["images"] == 8
    assert main(["verify", str(tmp_path / "model_repository")]) == 0
    assert "eye_disease: weights" in capsys.readouterr().out


def test_another_tasks_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="was trained for eye_disease and task=vessels was asked"):
        run(model, tmp_path, task="vessels")
    assert not (tmp_path / "model_repository").exists()


def test_model_folder_without_pictures_is_refused(model: Path, tmp_path: Path, capsys) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    shutil.rmtree(copy / "held_out" / "images")
    words = [f"model={copy}", f"to={tmp_path / 'to'}", f"work={tmp_path / 'work'}"]
    assert main(words) == 1
    assert "no held-out pictures" in capsys.readouterr().out
    assert not (tmp_path / "to").exists()


def test_pictures_that_are_no_data_set_are_refused(model: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert main([f"model={model}", f"pictures={tmp_path / 'empty'}", f"to={tmp_path / 'to'}"]) == 1
    assert "error:" in capsys.readouterr().out


def test_verify_reads_the_artefacts_again(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that was broken before it was sealed has the right checksum all the same."""
    placed = run(model, tmp_path, formats=["torchscript", "onnx"])
    assert main(["verify", str(placed.release)]) == 0
    assert "2 artefacts read again" in capsys.readouterr().out
    broken = placed.release / "eye_disease_network" / "1" / "model.onnx"
    broken.write_bytes(broken.read_bytes()[:-3000])
    write_checksums(placed.release)
    assert main(["verify", str(placed.release)]) == 1
    assert "model.onnx of eye_disease cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part", "said"),
    [
        ([], "export.export.export", "nothing was placed"),
        (["verify", "release"], "export.place.verify", "not everything was read"),
        (["benchmark"], "export.benchmark.benchmark", "nothing was written"),
    ],
)
def test_ctrl_c_is_a_status_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], part: str, said: str
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(part, stop)
    assert main(words) == 130
    assert said in capsys.readouterr().out


def test_champion_comes_from_the_registry(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("export.config.fetch", lambda *words: asked.append(words) or model)
    placed = run(Path("champion"), tmp_path, task="eye_disease", uri="sqlite:///x.db")
    assert asked == [("eye_disease", "champion", "sqlite:///x.db")]
    assert placed.task == "eye_disease"
    with pytest.raises(ExportError, match="name the task= too"):
        run(Path("challenger"), tmp_path)


def test_champion_without_a_registry_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=vessels", "model=champion", f"uri=sqlite:///{tmp_path}/no.db", f"work={tmp_path}"]
    assert main(words) == 1
    assert "there is no registry" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device"),
            "No space left on device.*make room, or name another folder with work=",
        ),
        (
            RuntimeError("no kernel for aten::odd\nand forty lines"),
            "cannot be written as torchscript: no kernel for aten",
        ),
    ],
)
def test_writer_that_fails_is_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setitem(FORMATS, "torchscript", replace(FORMATS["torchscript"], write=fail))
    with pytest.raises(ExportError, match=said) as caught:
        run(model, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model_repository").exists()


def test_operator_without_an_onnx_form_is_named(model: Path, tmp_path: Path) -> None:
    class Odd(torch.nn.Module):
        multiple = 1

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(image[:, :, :3, :3]).real.sum(dim=2)[:, :1].expand(-1, 4)

    module = ServingModule(Odd(), EYE_DISEASE).eval()
    with pytest.raises(ExportError, match=r"cannot be written as ONNX: .*linalg_eig") as caught:
        FORMATS["onnx"].write(Material(module, EYE_DISEASE, {}, list), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
