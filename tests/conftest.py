"""What several suites share: one small data set, one trained model, placed releases, servers by profile."""

import fcntl
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from doors import Launched, Release, Stages, door
from once import made_once


@pytest.fixture(scope="session")
def common(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of the suite share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def synthetic(common: Path) -> Path:
    """A small synthetic data set in the CHASE_DB1 layout: six people, two eyes each."""
    from training.synthetic import write_dataset

    return made_once(common / "synthetic", lambda folder: write_dataset(folder, subjects=6, seed=7, size_px=384))


@pytest.fixture(scope="session")
def stages(synthetic: Path, common: Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Trained for seconds, exported and placed through the front doors.

    Once for all processes; each serves a release of its own, as a server drops the byte code that it finds in one.
    """
    build = made_once(common / "stages", lambda folder: _train_and_export(synthetic, folder))
    own = tmp_path_factory.mktemp("build") / "build"
    made = {"training", "export", "mlflow.db", "mlartifacts"}
    shutil.copytree(build, own, symlinks=True, ignore=lambda folder, _: made if Path(folder) == build else set())
    return Stages(synthetic, build / "training", build / "export", own / "model_repository")


def _train_and_export(data: Path, build: Path) -> None:
    model, repository, work = build / "training", build / "model_repository", build / "export"
    train = door(
        "training",
        f"data.root={data}",
        f"out={model}",
        "trainer=smoke",
        "trainer.epochs=8",
        "network.stride=2",  # learns in seconds what the faster one learns in minutes
        "network.widths=[16,32,64]",
        "trainer.crops_per_epoch=128",
        f"tracking.uri=sqlite:///{build}/mlflow.db",
        f"tracking.artifacts={build}/mlartifacts",
    )
    assert train.returncode == 0, train.stdout + train.stderr
    exported = door("export", f"model={model}", f"to={repository}", f"work={work}", "images=4")
    assert exported.returncode == 0, exported.stdout + exported.stderr


@pytest.fixture(scope="session")
def release(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Every task in one release: vessels as trained, the others placed beside it without training."""
    from untrained import model_folder

    from export.config import ExportConfig
    from export.export import export
    from tasks import TASKS

    build = tmp_path_factory.mktemp("release")
    placed = Path(shutil.copytree(stages.repository.resolve(), build / "releases" / stages.repository.resolve().name))
    (build / "model_repository").symlink_to(placed)
    models = {"vessels": stages.model}
    for name, task in TASKS.items():
        if name not in models:
            models[name] = model_folder(task, build / "training" / name)
            words = {"to": str(build / "model_repository"), "work": str(build / "export")}
            export(ExportConfig(task=name, model=str(models[name]), images=4, **words), lambda _: None)
    return Release(build / "model_repository", models)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Writes the artefacts of a task's untrained network when they are first asked for: an `exported.Exported`."""
    from exported import Exported, export_all

    done: dict[str, Exported] = {}

    def export(name: str) -> Exported:
        if name not in done:
            done[name] = export_all(name, tmp_path_factory.mktemp(name))
        return done[name]

    return export


@pytest.fixture(scope="session")
def served_default(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A running server in the default profile, for what does not depend on the profile."""
    server = Launched(stages.repository, tmp_path_factory.mktemp("serving"))
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture(scope="session", params=["default", "torchscript"])
def served(
    request: pytest.FixtureRequest, release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    """A running server with every task, once for every profile that needs no GPU."""
    server = Launched(release.repository, tmp_path_factory.mktemp("serving"), "--profile", request.param)
    try:
        yield server.wait()
    finally:
        server.stop()


def pytest_configure() -> None:
    """Hear signals: a suite in the background or under nohup ignores them, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Who asks for some of the tests by name wants them run."""
    parser.addoption(
        "--cluster", action="store_true", help="run the tests that need a Kubernetes cluster, and only those"
    )
    parser.addoption("--no-skip", action="store_true", help="a test that would be skipped fails with its reason")


@pytest.hookimpl(tryfirst=True)  # before pytest makes its report
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """With `--no-skip` nothing passes by testing nothing."""
    skipped = call.excinfo.value if call.excinfo else None
    if item.config.getoption("--no-skip") and isinstance(skipped, pytest.skip.Exception):
        failed = pytest.fail.Exception(skipped.msg, pytrace=False).with_traceback(skipped.__traceback__)
        call.excinfo = pytest.ExceptionInfo.from_exception(failed)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first: a mistake shows in seconds. Several processes begin with the longest group and end timed.

    Those that need a cluster only when asked for.
    """
    asked = config.getoption("--cluster")
    left = [item for item in items if (item.get_closest_marker("cluster") is not None) != asked]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    if hasattr(config, "workerinput"):
        slow = {_group(item) for item in items if item.get_closest_marker("slow")}
        for item in items:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
            if _group(item) == "timing":
                item.add_marker(pytest.mark.timeout(600, func_only=True))  # not while it waits to be alone
        items.sort(key=lambda item: _rank(_group(item), slow))


def _group(item: pytest.Item) -> str:
    """What one process runs: a file, or what shares what is exported or served, so that nothing is so twice."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if "stages" in fixtures and fixtures & {"release", "served_default"}:  # some folders call something else a release
        return "served"
    if "exported" in fixtures:
        return "exported"
    return "timing" if item.get_closest_marker("timing") else item.nodeid.partition("::")[0]


def _rank(group: str, slow: set[str]) -> int:
    """When a group begins: the long ones first, and files of seconds at last, so that all processes end together."""
    order = {"served": 0, "exported": 1, "timing": 4}
    return order.get(group, 2 if group in slow else 3)


@pytest.fixture(scope="session")
def busy(common: Path) -> Iterator[TextIO]:
    """A file that every process of the suite holds a share of while it runs tests."""
    with (common / "busy").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest) -> None:
    """What is timed begins when the other processes of the suite have ended."""
    if hasattr(request.config, "workerinput"):
        file = request.getfixturevalue("busy")
        if _group(request.node) == "timing":
            fcntl.flock(file, fcntl.LOCK_EX)
