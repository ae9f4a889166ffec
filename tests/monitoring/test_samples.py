"""The door to the samples that an endpoint kept."""

from pathlib import Path

import pytest

from monitoring.__main__ import main
from tasks.samples import Samples


def test_enable_list_delete_expire(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "samples")
    assert main(["samples", "enable", folder, "--days", "7", "--max-images", "5"]) == 0
    samples = Samples(tmp_path / "samples")
    assert (samples.policy.days, samples.policy.max_images) == (7.0, 5)
    samples.offer(b"picture", "vessels-1")
    kept = samples.judge("vessels-1", "vessels", {"entropy": 0.25})
    assert kept
    capsys.readouterr()
    assert main(["samples", "list", folder]) == 0
    assert f"{kept.id}  {kept.kept}  vessels  uncertainty 0.250" in capsys.readouterr().out
    assert main(["samples", "delete", folder, kept.id]) == 0
    assert main(["samples", "expire", folder]) == 0
    assert samples.all() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list"], "monitoring samples enable"),
        (["delete"], "takes the ids"),
        (["delete", "0123456789abcdef"], "monitoring samples enable"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["samples", words[0], str(tmp_path), *words[1:]]) == 2
    assert said in capsys.readouterr().err
