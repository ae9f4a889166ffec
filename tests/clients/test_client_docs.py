"""The pages about the client: their code runs, their reference is current, their errors are those that there are."""

import importlib.util
import re
from pathlib import Path

import cv2
import fovea_client
import numpy as np
import pytest
from fovea_client.cli.exits import Exit, exit_for
from fovea_client.errors import _BY_STATUS, FoveaError

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "call-from-your-code.md"
CATALOGUE = (ROOT / "docs" / "reference" / "errors.md").read_text()
README = ROOT / "clients" / "python" / "README.md"
ERRORS = [each for name in fovea_client.__all__ if issubclass(type(each := getattr(fovea_client, name)), type)]
ERRORS = [each for each in ERRORS if issubclass(each, FoveaError) and each is not FoveaError]
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)


def blocks(page: Path) -> dict[str, str]:
    """The Python blocks of a page by the heading above them."""
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    found = {section.splitlines()[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL) for section in sections}
    return {title: "\n".join(code) for title, code in found.items() if code}


@pytest.fixture
def here(tmp_path: Path, monkeypatch, picture: np.ndarray) -> Path:
    """A working directory with the files that the pages name."""
    (tmp_path / "eyes").mkdir()
    for name in ("eye.png", "eyes/a.png", "eyes/b.png", "land.tif"):
        cv2.imwrite(str(tmp_path / name), picture[..., ::-1])
    (tmp_path / "eyes" / "c.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(server, code: str) -> dict:
    names: dict = {"__name__": "quick_start"}
    assert "localhost:8001" in code
    exec(compile(code.replace("localhost:8001", server.address), "quick start", "exec"), names)  # noqa: S102
    return names


def test_every_kind_of_caller_has_a_quick_start() -> None:
    assert list(blocks(GUIDE)) == [
        "A script",
        "An asyncio service",
        "A FastAPI service",
        "A batch job",
        "An orthophoto, or any picture that is larger than a request",
    ]


def test_script(server, here: Path, picture: np.ndarray, capsys) -> None:
    run(server, blocks(GUIDE)["A script"])
    mask = cv2.imread(str(here / "vessels.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, np.where(picture[..., 0] > 127, 255, 0))
    assert capsys.readouterr().out.startswith("{'background': 0.")


def test_asyncio_service(server, here: Path, picture: np.ndarray) -> None:
    answers = run(server, blocks(GUIDE)["An asyncio service"])["answers"]
    assert [answer.mask.shape for answer in answers] == [picture.shape[:2]] * 2


def test_fastapi_service(server, here: Path, picture: np.ndarray) -> None:
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    with TestClient(run(server, blocks(GUIDE)["A FastAPI service"])["app"]) as web:
        assert web.get("/ready").status_code == 200
        answer = web.post("/vessels", content=(here / "eye.png").read_bytes())
        assert answer.headers["content-type"] == "image/png"
        mask = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert mask.shape == picture.shape[:2]
        refused = web.post("/vessels", content=b"no picture")
        assert (refused.status_code, "no image" in refused.json()["detail"]) == (422, True)
        server.ready = False
        assert web.get("/ready").status_code == 503


def test_batch_job(server, here: Path, capsys) -> None:
    run(server, blocks(GUIDE)["A batch job"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["eyes/a.png", "eyes/b.png", "eyes/c.png"]
    assert "no image" in lines[2]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_orthophoto(server, here: Path, picture: np.ndarray, capsys) -> None:
    rasterio = pytest.importorskip("rasterio")
    run(server, blocks(GUIDE)["An orthophoto, or any picture that is larger than a request"])
    assert capsys.readouterr().out.startswith("1 {'background': ")
    with rasterio.open(here / "land_mask.tif") as file:
        np.testing.assert_array_equal(file.read(1), picture[..., 0] > 127)


def test_what_the_readme_shows_runs(server, here: Path) -> None:
    shown = blocks(README)
    assert run(server, shown["From Python"])["answer"].mask.any()
    server.parameters["kind"] = "classification"
    server.replaced_outputs = {"label": np.array([1], np.int32), "probability": np.array([0.25, 0.75], np.float32)}
    state = run(server, shown["Labels"].replace("eye_disease", "vessels"))["state"]
    assert (state.label, state.probability) == ("vessel", {"background": 0.25, "vessel": 0.75})


def test_reference_is_what_the_docstrings_say() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "clients" / "python" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    page = reference.render()
    assert reference.PAGE.read_text() == page, "run python clients/python/reference.py"
    for name in fovea_client.__all__:
        assert name.endswith("Error") or f"## `{name}`" in page


def row(error: type[FoveaError]) -> list[str]:
    (line,) = re.findall(rf"^\| `{error.__name__}` \|(.*)\|$", CATALOGUE, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def section(error: type[FoveaError]) -> str:
    return " ".join(CATALOGUE.split(f"\n## {error.__name__}\n")[1].split("\n## ")[0].split())


@every_error
def test_every_error_has_cause_and_remedy(error: type[FoveaError]) -> None:
    assert re.match(r"\*\*Cause\.\*\* .{20,} \*\*Remedy\.\*\* .{20,}", section(error))
    advice = vars(error).get("advice", "")
    assert advice.lower() in section(error).lower(), "what the message advises is what the page advises"


@every_error
def test_statuses_are_those_that_lead_to_it(error: type[FoveaError]) -> None:
    statuses = sorted(status for status, kind in _BY_STATUS.items() if kind is error)
    said = row(error)[0]
    assert said == (", ".join(statuses) or ("every other status" if error is fovea_client.ServerError else ""))


@every_error
def test_exit_statuses_are_the_commands(error: type[FoveaError]) -> None:
    assert int(row(error)[1]) == exit_for(error("x"))


def test_no_error_is_described_that_there_is_not() -> None:
    described = re.findall(r"^## (\w+)$", CATALOGUE, re.MULTILINE)
    assert sorted(described) == sorted(each.__name__ for each in ERRORS)
    assert len(ERRORS) == len(list(subclasses(FoveaError)))


def subclasses(kind: type[FoveaError]):
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_exit_statuses_are_all_told() -> None:
    import fovea_client.cli

    for status in Exit:
        assert re.search(rf"^    {int(status)} ", fovea_client.cli.__doc__, re.MULTILINE), status
        assert re.search(rf"^\| (.*\D)?{int(status)}(\D.*)? \|", GUIDE.read_text(), re.MULTILINE), status
