"""There is always exactly one champion, and the way back is one step."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.champion import adopt, current, name_of, promote, read_journal, roll_back
from pipelines.champion.journal import FILE, Entry, append
from pipelines.errors import PipelineError, RefusedError
from tasks.checksums import list_checksums, write_checksums


def _release(folder: Path, text: str) -> Path:
    (folder / "vessels").mkdir(parents=True)
    (folder / "vessels" / "config.pbtxt").write_text(text)
    write_checksums(folder)
    return folder


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A champion, `first`."""
    link = tmp_path / "build" / "model_repository"
    promote(adopt(_release(tmp_path / "first", "first"), link), link, expected=None, why="the first")
    return link


def _challenge(tmp_path: Path, link: Path, text: str) -> Path:
    return adopt(_release(tmp_path / text, text), link)


def test_promoted_and_rolled_back_byte_for_byte(tmp_path: Path, link: Path) -> None:
    first = current(link)
    assert first is not None
    before = list_checksums(first)
    second = _challenge(tmp_path, link, "second")
    promote(second, link, expected=first.name, why="better")
    assert current(link) == second.resolve()
    began_s = time.monotonic()
    roll_back(link, "worse after all")
    assert time.monotonic() - began_s < 10
    assert current(link) == first
    assert list_checksums(link.resolve()) == before
    assert [(entry.action, entry.to) for entry in read_journal(link.parent)] == [
        ("promoted", first.name),
        ("promoted", second.name),
        ("rolled_back", first.name),
    ]


def test_rolling_back_twice_goes_further_back_and_not_forth(tmp_path: Path, link: Path) -> None:
    names = [current(link).name]
    for text in ("second", "third"):
        release = _challenge(tmp_path, link, text)
        promote(release, link, expected=names[-1], why=text)
        names.append(release.name)
    assert roll_back(link, "").to == names[1]
    assert roll_back(link, "").to == names[0]
    with pytest.raises(PipelineError, match="none to go back to"):
        roll_back(link, "")
    assert current(link).name == names[0]


def test_a_killed_promotion_and_a_champion_that_came_twice_do_not_turn_the_way_back_in_circles(
    tmp_path: Path, link: Path
) -> None:
    names = [current(link).name]
    second = _challenge(tmp_path, link, "second")
    promote(second, link, expected=names[0], why="")
    # Journalled and killed before the link was replaced.
    append(link.parent, Entry("promoted", names[0], second.name, "killed"))
    assert roll_back(link, "").to == names[0]
    with pytest.raises(PipelineError, match="none to go back to"):
        roll_back(link, "")
    promote(second, link, expected=names[0], why="", again=True)
    promote(link.parent / "releases" / names[0], link, expected=second.name, why="", again=True)
    assert [roll_back(link, "").to, roll_back(link, "").to] == [second.name, names[0]]
    with pytest.raises(PipelineError, match="none to go back to"):
        roll_back(link, "")


def test_what_was_rolled_back_does_not_come_again_by_itself(tmp_path: Path, link: Path) -> None:
    first, second = current(link).name, _challenge(tmp_path, link, "second")
    promote(second, link, expected=first, why="better")
    roll_back(link, "misses bleeding")
    with pytest.raises(RefusedError, match="misses bleeding"):
        promote(second, link, expected=first, why="better")
    assert current(link).name == first
    promote(second, link, expected=first, why="it was the camera", again=True)
    third = _challenge(tmp_path, link, "third")
    promote(third, link, expected=second.name, why="")
    promote(second, link, expected=third.name, why="replaced, not taken back")


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_from_a_damaged_champion_there_is_a_way_back(tmp_path: Path, link: Path, damage: str) -> None:
    first, second = current(link).name, _challenge(tmp_path, link, "second")
    promote(second, link, expected=first, why="")
    if damage == "gone":
        shutil.rmtree(second)
        with pytest.raises(PipelineError, match="roll back"):
            current(link)
    else:
        (second / "vessels" / "config.pbtxt").write_text("changed")
        with pytest.raises(PipelineError, match="is damaged, and serves"):
            adopt(tmp_path / "second", link)
        assert second.exists()
    assert roll_back(link, "damaged").to == first
    assert current(link).name == first


def test_a_champion_that_came_in_between_is_not_replaced_unseen(tmp_path: Path, link: Path) -> None:
    second, third = (_challenge(tmp_path, link, text) for text in ("second", "third"))
    seen = current(link).name
    promote(second, link, expected=seen, why="")
    with pytest.raises(PipelineError, match="judge anew"):
        promote(third, link, expected=seen, why="")
    assert current(link) == second.resolve()


def test_a_damaged_former_release_is_not_gone_back_to(tmp_path: Path, link: Path) -> None:
    first = current(link)
    second = _challenge(tmp_path, link, "second")
    promote(second, link, expected=first.name, why="")
    (first / "vessels" / "config.pbtxt").write_text("changed")
    with pytest.raises(PipelineError, match="changed, missing or not listed"):
        roll_back(link, "")
    assert current(link) == second.resolve()


def test_a_damaged_challenger_is_not_adopted(tmp_path: Path, link: Path) -> None:
    challenger = _release(tmp_path / "second", "second")
    (challenger / "vessels" / "config.pbtxt").write_text("changed")
    with pytest.raises(PipelineError, match="changed, missing or not listed"):
        adopt(challenger, link)
    assert len(list((link.parent / "releases").iterdir())) == 1


def test_a_folder_is_no_champion(tmp_path: Path) -> None:
    (tmp_path / "model_repository").mkdir()
    with pytest.raises(PipelineError, match="no link to one of"):
        current(tmp_path / "model_repository")


def test_a_torn_line_of_the_journal_is_left_out_and_not_glued_to(tmp_path: Path, link: Path) -> None:
    with (link.parent / FILE).open("a") as journal:
        journal.write('{"action": "promo')
    second = _challenge(tmp_path, link, "second")
    promote(second, link, expected=current(link).name, why="after a kill")
    assert [entry.why for entry in read_journal(link.parent)] == ["the first", "after a kill"]
    assert roll_back(link, "").previous == second.name


def _promote_for_ever(link: Path, releases: list[Path]) -> None:
    while True:
        for release in releases:
            promote(adopt(release, link), link, expected=current(link).name, why="again")


def test_a_kill_at_any_moment_leaves_one_whole_champion(tmp_path: Path, link: Path) -> None:
    releases = [_release(tmp_path / text, text) for text in ("second", "third")]
    names = {name_of(release) for release in releases} | {current(link).name}
    context = multiprocessing.get_context("fork")
    for turn in range(40):
        process = context.Process(target=_promote_for_ever, args=(link, releases))
        process.start()
        time.sleep(0.003 + 0.002 * turn)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        champion = current(link)
        assert champion is not None
        assert champion.name in names
        assert name_of(champion) == champion.name, "whole"
        assert all(entry.to in names for entry in read_journal(link.parent))
    # The way on is open, whatever the killed ones left behind.
    challenger = _challenge(tmp_path, link, "fourth")
    promote(challenger, link, expected=current(link).name, why="after the kills")
    assert roll_back(link, "").to in names


def test_front_door_rolls_back_and_tells(tmp_path: Path, link: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = current(link).name
    promote(_challenge(tmp_path, link, "second"), link, expected=first, why="better")
    assert main(["rollback", "--champion", str(link), "--why", "p99 doubled"]) == 0
    assert f"{first} is the champion" in capsys.readouterr().out
    assert main(["champions", "--champion", str(link)]) == 0
    assert "p99 doubled" in capsys.readouterr().out
    assert main(["rollback", "--champion", str(link)]) == 1
    assert "none to go back to" in capsys.readouterr().out
