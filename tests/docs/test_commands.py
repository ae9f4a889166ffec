"""Every command that README and tutorial show is run by a test, and understood by the parser that it is for.

`WALKED` are run as they are shown by `test_walk.py`, some with a smaller budget added. `RUN_BY` are commands that take
minutes on real data or act on the whole machine: the test that is named runs the same front door, or what the target's
recipe calls, on less. That the shown words themselves are right is then held by `test_words_are_understood`, which
hands them to the door's own parser or composes its configuration. What nobody runs fails here.
"""

import ast
import shlex

import pytest
from pages import ROOT
from shown import expanded, kinds, shown_commands
from understood import require_understood
from walked import WALKED

from export.errors import ExportError
from training.errors import ConfigError

PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
COMMANDS = sorted({command for page in PAGES for command in shown_commands(page)})

_LOOP = "tests/end_to_end/test_retraining.py::test_other_pictures_lead_to_a_better_champion"
_TUTORIAL = "tests/docs/test_walk.py::test_tutorial_leads_to_the_dashboard"
_QUESTIONS = "tests/loadtests/questions/test_commands.py"
_FOLDS = "tests/training/test_crossvalidate.py::test_baseline_is_judged_on_the_same_folds"

# The command begins with the key; the longest key counts.
RUN_BY = {
    "git clone": _TUTORIAL,  # its checkout is what git lists
    "cd fovea": _TUTORIAL,
    "make demo": "tests/end_to_end/test_demo.py::test_report_links_to_what_is_there",
    "make install": "tests/docs/test_commands.py::test_install_is_what_every_target_needs",
    "make test": "tests/docs/test_commands.py::test_suites_are_there",
    "make test-chart": "tests/docs/test_commands.py::test_suites_are_there",
    "make test-jenkins": "tests/docs/test_commands.py::test_suites_are_there",
    "make docs": "tests/docs/test_site.py::test_every_link_leads_somewhere",
    "make stack": "tests/end_to_end/test_stack.py::test_from_an_upload_to_a_decision",
    "make licences": "tests/ci/test_licences.py::test_what_is_installed_is_allowed_and_the_page_is_made_from_it",
    "make sbom": "tests/ci/test_sbom.py::test_the_same_environment_gives_the_same_valid_file",
    "make lint": "tests/docs/test_commands.py::test_lint_calls_tools_that_are_installed",
    ".venv/bin/python -m training crossvalidate": _FOLDS,
    "python -m export task=vessels model=weights/vessels": _TUTORIAL,  # there with another folder of the same layout
    "python -m loadtests capacity": f"{_QUESTIONS}::test_capacity_searches_a_running_server_up_to_its_ceiling",
    "python -m loadtests size": "tests/loadtests/questions/test_capacity.py::test_a_pool_is_sized_by_the_lower_bound",
    "python -m loadtests compare": f"{_QUESTIONS}::test_compare_tells_by_its_exit_code",
    "python -m loadtests soak": "tests/end_to_end/test_questions.py::test_a_served_release_is_watched_and_ended",
    "make drift-benchmark": "tests/benchmarks/test_drift.py::test_a_window_is_as_large_as_asked_whatever_the_share",
    "make freeze": "tests/pipelines/test_frozen.py::test_a_set_is_made_once",
    "make serve": _TUTORIAL,
    "make dashboard": _TUTORIAL,
    "python -m monitoring reference": _LOOP,
    "python -m monitoring drift": _LOOP,
    "make retrain": _LOOP,
    "make rollback": "tests/pipelines/test_champion.py::test_front_door_rolls_back_and_tells",
}
# A door alone, as sentences and tables name it.
DOORS = {
    "fovea": "tests/clients/test_cli.py::test_masks_and_probabilities_are_written_to_be_seen",
    "python -m benchmarks.client": "tests/benchmarks/test_client.py::test_call_serves_measures_and_saves",
    "python -m benchmarks.networks": "tests/benchmarks/test_networks.py::test_call_writes_figures_and_a_plot",
    "python -m benchmarks.open_loop": "tests/loadtests/test_stalling.py::test_a_stall_is_reported_in_full",
    "python -m export": "tests/export/test_export.py::test_release_says_what_it_was_made_from",
    "python -m loadtests": "tests/loadtests/test_run.py::test_a_fast_server_passes",
    "python -m monitoring": _LOOP,
    "python -m pipelines": "tests/end_to_end/test_demo.py::test_report_links_to_what_is_there",
    "python -m serving": "tests/serving/test_server.py::test_signal_leaves_no_process",
    "python -m training": "tests/training/test_train.py::test_run_leaves_everything_that_later_stages_need",
}


def named_test(command: str) -> str | None:
    """The test that runs a command on less."""
    keys = [key for key in RUN_BY if f"{command} ".startswith(f"{key} ")]
    return RUN_BY[max(keys, key=len)] if keys else DOORS.get(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_somebody_runs_it(command: str) -> None:
    test = named_test(command)
    assert command in WALKED or test, "walk it in tests/support/walked.py, or name the test that runs it"
    if command not in WALKED and test:
        path, _, function = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_a_command_that_nobody_runs_is_noticed() -> None:
    assert named_test("python -m loadtests dance") is None
    assert named_test("make testament") is None


def test_nothing_is_listed_that_no_page_shows() -> None:
    assert set(WALKED) <= set(COMMANDS)
    used = {key for key in RUN_BY for command in COMMANDS if f"{command} ".startswith(f"{key} ")}
    assert used == set(RUN_BY)
    assert set(DOORS) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_words_are_understood(command: str) -> None:
    """By the parser of the front door, for a target by that of what its recipe calls."""
    ours = [
        words
        for words in expanded(command)
        if words[:2] == [".venv/bin/python", "-m"] or words[0] in ("python", "fovea", ".venv/bin/fovea")
    ]
    assert all(require_understood(words) for words in ours)


@pytest.mark.parametrize(
    ("command", "error", "why"),
    [
        ("python -m training epochs=3", ConfigError, "key epochs"),
        ("python -m training evaluate speed=3", ConfigError, "'speed=3' is not understood"),
        ("python -m export formats=[jpeg]", ExportError, "formats=['jpeg'] must name some of"),
        ("python -m loadtests run --url 127.0.0.1:8001 --speed 3", SystemExit, "unrecognized arguments: --speed 3"),
        ("fovea dance", SystemExit, "invalid choice: 'dance'"),
    ],
)
def test_wrong_words_are_refused_by_their_parser(
    command: str, error: type[BaseException], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error) as refused:
        require_understood(shlex.split(command))
    assert why in f"{refused.value} {capsys.readouterr().err}"


def test_the_kind_of_a_line_is_its_words_and_not_its_numbers() -> None:
    (kind,) = kinds("release dcf3830b63add3ea placed, p95 12.5 ms: met")
    assert [kind] == list(kinds("release 04279d816cacc6a7 placed, p95  7 ms: missed"))
    assert [kind] != list(kinds("release dcf3830b63add3ea placed, p99_9 12.5 ms: met"))
    assert [kind] != list(kinds("release dcf3830b63add3ea is placed, p95 12.5 ms: met"))


def test_install_is_what_every_target_needs() -> None:
    """Nothing is installed by a test; that the script is sound is what every other target of this suite shows."""
    script = ROOT / ".ci" / "install"
    assert script.stat().st_mode & 0o111
    assert "--require-hashes -r constraints.txt" in script.read_text()


def test_suites_are_there() -> None:
    """`make test` runs what runs this; the others are parts of it."""
    for target in ("make test", "make test-chart", "make test-jenkins"):
        (words,) = [words for words in expanded(target) if ".venv/bin/pytest" in words]
        assert all((ROOT / word).is_dir() for word in words if word.startswith("tests/"))


def test_lint_calls_tools_that_are_installed() -> None:
    import importlib.metadata as installed

    scripts = {point.name for point in installed.entry_points(group="console_scripts")} | {"ruff"}
    for words in expanded("make lint"):
        (tool,) = [word for word in words if word.startswith(".venv/bin/")]
        assert tool.removeprefix(".venv/bin/") in scripts
