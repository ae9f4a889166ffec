from pathlib import Path

from loadtests.recorder import Recorder, RequestRow, RowReader

ROWS = [RequestRow(0, 5, 6, 20, None), RequestRow(1, 7, 9, 30, "unavailable\nreally")]


def test_rows_come_back_as_they_were_written_and_only_once(tmp_path: Path) -> None:
    recorder, reader = Recorder(tmp_path / "rows"), RowReader(tmp_path / "rows")
    recorder.append(ROWS[0])
    assert reader.poll() == ROWS[:1]
    recorder.append(ROWS[1])
    assert reader.poll() == ROWS[1:]
    assert reader.poll() == []


def test_a_torn_last_line_is_left_for_later(tmp_path: Path) -> None:
    Recorder(tmp_path / "rows").append(ROWS[0])
    with (tmp_path / "rows").open("ab") as file:
        file.write(b'{"index": 1, "inten')
    assert RowReader(tmp_path / "rows").poll() == ROWS[:1]


def test_a_new_recorder_forgets_the_former_run(tmp_path: Path) -> None:
    Recorder(tmp_path / "rows").append(ROWS[0])
    Recorder(tmp_path / "rows").close()
    assert RowReader(tmp_path / "rows").poll() == []


def test_no_file_is_no_row(tmp_path: Path) -> None:
    assert RowReader(tmp_path / "rows").poll() == []


def test_latency_and_lag_count_from_the_intended_time() -> None:
    assert (ROWS[1].latency_ns, ROWS[1].lag_ns) == (23, 2)
