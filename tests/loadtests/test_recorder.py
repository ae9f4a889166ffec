from pathlib import Path

import numpy as np
import pytest
from load_rows import RequestRow, recording

from loadtests.recorder import MAX_SENTENCES, OTHER, RIGHT, ROWS_FILE, Recorder, RowReader, read_recording

SENTENCE = "unavailable\nreally"


def _record(folder: Path) -> Recorder:
    recorder = Recorder(folder)
    recorder.append(0, (5, 6, 20), 3, None)
    recorder.append(1, (7, 9, 30), 4, SENTENCE)
    return recorder


def test_rows_come_back_as_they_were_written_and_only_once(tmp_path: Path) -> None:
    recorder, reader = _record(tmp_path), RowReader(tmp_path)
    recorder.flush()
    assert reader.poll().tolist() == [(0, 5, 6, 20, 3, RIGHT), (1, 7, 9, 30, 4, 0)]
    recorder.append(2, (8, 9, 31), 0, SENTENCE)
    recorder.close()
    assert reader.poll().tolist() == [(2, 8, 9, 31, 0, 0)]
    assert reader.poll().size == 0
    assert read_recording(tmp_path).errors == (SENTENCE,)


def test_a_torn_last_row_is_left_for_later(tmp_path: Path) -> None:
    _record(tmp_path).close()
    with (tmp_path / ROWS_FILE).open("r+b") as file:
        file.truncate(79)
    assert RowReader(tmp_path).poll()["index"].tolist() == [0]


def test_a_new_recorder_forgets_the_former_run(tmp_path: Path) -> None:
    _record(tmp_path).close()
    Recorder(tmp_path).close()
    assert len(read_recording(tmp_path)) == 0
    assert read_recording(tmp_path).errors == ()


def test_no_file_is_no_row(tmp_path: Path) -> None:
    assert len(read_recording(tmp_path)) == 0


def test_latency_lag_and_failures(tmp_path: Path) -> None:
    _record(tmp_path).close()
    written = read_recording(tmp_path)
    assert written.latency_ns.tolist() == [15, 23]
    assert written.lag_ns.tolist() == [1, 2]
    assert written.failed.tolist() == [False, True]
    assert written.since(6).rows["index"].tolist() == [1]


def test_a_server_that_words_every_failure_anew_does_not_fill_the_disk(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for index in range(MAX_SENTENCES + 50):
        recorder.append(index, (0, 0, 1), 0, f"failure {index}")
    recorder.close()
    written = read_recording(tmp_path)
    assert len(written.errors) == MAX_SENTENCES
    assert written.errors[written.rows["error"][-1]] == OTHER


def test_rows_of_several_generators_keep_their_own_sentences(tmp_path: Path) -> None:
    first = recording([RequestRow(0, 0, 1, 50, "late"), RequestRow(2, 9, 9, 60)])
    second = recording([RequestRow(1, 4, 5, 40, "gone"), RequestRow(3, 9, 9, 70, "late")])
    recorder = Recorder(tmp_path)
    for part in (first, second):
        recorder.extend(part.rows, part.errors)
    recorder.close()
    written = read_recording(tmp_path)
    said = [written.errors[number] if number != RIGHT else None for number in written.rows["error"]]
    assert written.rows["index"].tolist() == [0, 2, 1, 3]
    assert said == ["late", None, "gone", "late"]


@pytest.mark.parametrize("share", [0, 0.5, 0.99, 1])
def test_quantiles_of_merged_rows_are_those_of_all_rows_at_once(tmp_path: Path, share: float) -> None:
    times_ns = np.random.default_rng(1).integers(1, 99, 90).tolist()
    rows = [RequestRow(index, 0, 0, time_ns) for index, time_ns in enumerate(times_ns)]
    whole = np.quantile(recording(rows).latency_ns, share, method="inverted_cdf")
    recorder = Recorder(tmp_path)
    for first in range(3):
        recorder.extend(recording(rows[first::3]).rows, ())
    recorder.close()
    assert np.quantile(read_recording(tmp_path).latency_ns, share, method="inverted_cdf") == whole
