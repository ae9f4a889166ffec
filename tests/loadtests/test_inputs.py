"""Everything that is refused before a server is asked. Nothing listens on the address given."""

from pathlib import Path

import pytest

from loadtests.__main__ import COMMANDS, main


@pytest.fixture
def arguments(tmp_path: Path, images: Path) -> list[str]:
    return ["--url=127.0.0.1:9", f"--images={images}", f"--out={tmp_path / 'out'}"]


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--images=/nowhere", "is no folder"),
        ("--images={empty}", "holds no image"),
        ("--slo=/nowhere/slo.yaml", "cannot be read"),
        ("--out={file}", "cannot be written"),
        ("--rate=1e7", "lower --rate"),
        ("--rate=0.0001", "raise --rate"),
        ("--users=3", "add --closed-loop"),
    ],
)
def test_a_wrong_input_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], flag: str, sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    flag = flag.format(empty=tmp_path / "empty", file=tmp_path / "file")
    assert main([*arguments, flag]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("flag", ["--rate=0", "--rate=nan", "--rate=fast", "--warm-up-s=-1", "--connections=0"])
def test_a_wrong_number_exits_with_2(arguments: list[str], flag: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, flag])
    assert caught.value.code == 2


def test_an_unknown_command_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runn", "--url=x"]) == 2
    assert "'runn' is no command: use run" in capsys.readouterr().err


def test_a_defect_of_the_load_test_blames_no_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("loadtests.run.run", broken)
    assert main([]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_ctrl_c_while_a_command_is_imported_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "interrupted.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "run", "interrupted")
    assert main([]) == 2
    assert capsys.readouterr().err == "loadtests: interrupted before anything was measured.\n"


def test_help_says_what_the_exit_codes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "Exits with 0" in capsys.readouterr().out
