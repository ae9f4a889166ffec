"""TensorRT without a GPU: the graphs that it would take, and the script that builds plans where there is one."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from exported import Exported, material
from onnx import helper
from untrained import untrained

from export.artefact import Material
from export.errors import ExportError
from export.formats import FORMATS, with_needed
from export.tensorrt import FLAGS, ShapeProfile, build_engine, cache_key, plan_name, shape_profile
from tasks import TASKS, get_task
from tasks.checksums import sha256_of

pytestmark = pytest.mark.slow
rtx = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed")
every_task = pytest.mark.parametrize("task", TASKS)
REMOVED = ("--fp16", "--bf16", "--int8", "--fp8", "--int4", "--best", "--calib", "--stronglyTyped")


@pytest.fixture(scope="module")
def plans(exported: Callable[[str], Exported], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A task's ONNX files, and the script that builds plans from them."""
    done: dict[str, Path] = {}

    def write(name: str) -> Path:
        if name not in done:
            there, done[name] = exported(name), tmp_path_factory.mktemp(name)
            for each in ("onnx", "onnx_fp16", "onnx_int8"):
                shutil.copy(there.artefacts[each], done[name])
            FORMATS["tensorrt"].write(material(there.module, there.task), done[name] / FORMATS["tensorrt"].file_name)
        return done[name]

    return write


@pytest.mark.parametrize("file_name", ["model.onnx", "model.fp16.onnx", "model.int8.onnx"])
@every_task
def test_tensorrt_builds_an_engine_from_every_graph(plans, task: str, file_name: str) -> None:
    assert len(build_engine(rtx, plans(task) / file_name, shape_profile(get_task(task)))) > 10_000


def test_refusal_names_the_layer(plans, tmp_path: Path) -> None:
    """Bytes may enter and leave, but TensorRT computes nothing with them."""
    model = onnx.load_model(str(plans("eye_disease") / "model.onnx"))
    first = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Transpose", ["pixels__0"], ["turned"], "shuffle", perm=[0, 2, 1, 3]))
    first.input[0] = "turned"
    onnx.save_model(model, str(tmp_path / "bad.onnx"))
    with pytest.raises(ExportError, match=r"TensorRT refuses bad\.onnx at layer shuffle \(Transpose\): .*UInt8"):
        build_engine(rtx, tmp_path / "bad.onnx", shape_profile(get_task("eye_disease")))


def test_builder_that_gives_up_says_why(plans) -> None:
    with pytest.raises(ExportError, match=r"cannot build an engine from model\.onnx: .*[Pp]rofile"):
        build_engine(rtx, plans("eye_disease") / "model.onnx", ShapeProfile(4, 2, 1, 224))


def test_what_a_plan_is_made_from_is_exported_before_it() -> None:
    assert with_needed(["tensorrt"]) == ["onnx", "onnx_fp16", "tensorrt"]
    assert with_needed(["onnx_int8", "onnx"]) == ["onnx", "onnx_int8"]


@every_task
def test_script_names_shapes_and_no_removed_flag(plans, task: str) -> None:
    text = (plans(task) / "build_plan.sh").read_text()
    profile = shape_profile(get_task(task))
    assert profile.minimum == 1 < profile.optimum < profile.maximum
    size_px = get_task(task).size_px
    assert f"--maxShapes=pixels__0:{profile.maximum}x{size_px}x{size_px}x3" in text
    assert sha256_of(plans(task) / "model.fp16.onnx") in text
    assert not [flag for flag in REMOVED if flag in text]
    assert subprocess.run(["bash", "-n", plans(task) / "build_plan.sh"], check=False).returncode == 0


@pytest.fixture
def node(plans, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A machine that has a driver and trtexec, as far as the script can tell: it notes how it is called."""
    release, programs = shutil.copytree(plans("vessels"), tmp_path / "release"), tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(
        "#!/bin/sh\n[ $1 != -L ] || exec echo \"GPU 0: NVIDIA H200 (UUID: GPU-1)$SLICE\"\necho '9.0, NVIDIA H200'\n"
    )
    (programs / "trtexec").write_text(
        '#!/bin/sh\n[ "$1" = --help ] && echo "&&&& RUNNING [TensorRT v${VERSION:-110100}]" && exit\n'
        f'echo "$@" >> {tmp_path}/calls\n[ -z "$BROKEN" ] || exit 1\n'
        'for word; do case $word in --saveEngine=*) echo plan > "${word#--saveEngine=}";; esac; done\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)

    def run(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PLAN_CACHE": str(tmp_path / "cache"), **variables}
        command = ["bash", str(release / "build_plan.sh"), *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_script_builds_once_and_knows_the_plan_again(node, plans, tmp_path: Path) -> None:
    first = node(tmp_path / "copy")
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "copy" / plan_name("9.0")).read_text() == "plan\n"
    assert not list((tmp_path / "release").glob("*.plan")), "a release is sealed"
    digest = sha256_of(plans("vessels") / "model.fp16.onnx")
    key = cache_key(digest, "110100", "NVIDIA H200", "9.0", shape_profile(get_task("vessels")).words(), FLAGS)
    assert (tmp_path / "cache" / f"{key}.plan").is_file()
    again = node(tmp_path / "elsewhere")
    assert again.returncode == 0
    assert (tmp_path / "elsewhere" / plan_name("9.0")).is_file()
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    assert node(tmp_path / "copy", VERSION="110300").returncode == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 2, "another TensorRT needs another plan"


def test_script_tells_slices_of_a_gpu_from_the_whole(node, plans, tmp_path: Path) -> None:
    """In a MIG slice `nvidia-smi` names the whole GPU; which slice it is, it says in its list alone."""
    for profile in ("1g.18gb", "1g.18gb+me"):
        slices = "".join(f"\n  MIG {profile:15} Device  {index}: (UUID: MIG-{index})" for index in range(2))
        built = node(tmp_path / "copy", SLICE=slices)
        assert built.returncode == 0, built.stderr
    assert node(tmp_path / "copy", SLICE="\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n  MIG 2g.35gb").returncode == 0
    words = (shape_profile(get_task("vessels")).words(), FLAGS)
    digest = sha256_of(plans("vessels") / "model.fp16.onnx")
    skus = ("NVIDIA H200", "NVIDIA H200 MIG 1g.18gb", "NVIDIA H200 MIG 1g.18gb+me")
    keys = {cache_key(digest, "110100", sku, "9.0", *words) for sku in skus}
    assert {path.stem for path in (tmp_path / "cache").glob("*.plan")} == keys


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"VERSION": "101600"}, "TensorRT 101600 is older than 11"),
        ({"BROKEN": "1"}, "trtexec could not build the plan"),
    ],
)
def test_script_that_fails_says_why_and_leaves_nothing(node, tmp_path: Path, variables: dict, said: str) -> None:
    failed = node(tmp_path / "copy", **variables)
    assert failed.returncode == 1
    assert said in failed.stderr
    assert not list(tmp_path.glob("*/*.plan*"))
    assert not list((tmp_path / "cache").glob("*"))


def test_script_refuses_a_changed_graph(node, tmp_path: Path) -> None:
    with (tmp_path / "release" / "model.fp16.onnx").open("ab") as file:
        file.write(b"\0")
    assert node().returncode == 2, "a target must be named"
    failed = node(tmp_path / "copy")
    assert failed.returncode == 1
    assert "is not the file that was exported" in failed.stderr


def test_key_changes_with_everything_that_a_plan_depends_on() -> None:
    words = ("sha", "110100", "NVIDIA H200", "9.0", "shapes", "flags")
    keys = {cache_key(*words)} | {
        cache_key(*(word + "x" if place == changed else word for place, word in enumerate(words)))
        for changed in range(len(words))
    }
    assert len(keys) == len(words) + 1
    assert cache_key(*words) == hashlib.sha256("".join(f"{word}\n" for word in words).encode()).hexdigest()


def test_torch_tensorrt_says_what_it_lacks(tmp_path: Path) -> None:
    task = get_task("eye_disease")
    with pytest.raises(ExportError, match="compiles on the GPU and there is none here"):
        FORMATS["torch_tensorrt"].write(Material(untrained(task), task, {}, list), tmp_path / "model.trt.pt")
