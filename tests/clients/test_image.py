"""Images that never reach the wire."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from fovea_client import Client, InvalidImageError

REFUSED = [
    (b"", "0 bytes"),
    ("eye.png", "is a str: pass bytes, a pathlib.Path or a numpy array"),
    (None, "is a NoneType"),
    (np.zeros((4, 4, 3), np.float32), "dtype float32: pass uint8"),
    (np.full((4, 4), np.nan), "dtype float64: pass uint8"),
    (np.zeros((4, 4), bool), "dtype bool: pass uint8"),
    (np.zeros(4, np.uint8), r"shape \(4,\): pass HxW"),
    (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\): pass HxW"),
    (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\): pass HxW"),
    (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\): pass HxW"),
    (np.zeros((0, 4), np.uint8), "holds no pixel"),
    (np.zeros((0, 4, 3), np.uint8), "holds no pixel"),
]


@pytest.mark.parametrize(("image", "message"), REFUSED)
def test_refused_before_anything_is_sent(server, client: Client, image, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        client.segment(image)
    assert server.calls == []


def test_a_missing_file_is_named(server, client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match=r"nowhere\.png: cannot be read \(No such file or directory\)"):
        client.segment(tmp_path / "nowhere.png")
    assert server.calls == []


def test_a_folder_and_an_empty_file_are_named(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match="not a file; pass one image file"):
        client.segment(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(InvalidImageError, match=r"empty\.png: the file is 0 bytes"):
        client.segment(tmp_path / "empty.png")


def test_a_file_that_cannot_be_opened_is_named(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")

    # Permissions bind no test that runs as root.
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InvalidImageError, match=r"secret\.png: cannot be read \(Permission denied\)"):
        client.segment(path)


def test_the_servers_size_limit_holds_before_sending(server, client: Client, tmp_path: Path) -> None:
    limit = int(server.parameters["max_image_bytes"])
    path = tmp_path / "large.png"
    path.write_bytes(bytes(limit + 1))
    noise = np.random.default_rng(2).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    for image, subject in [(path, "large.png"), (bytes(limit + 1), "image"), (noise, "as PNG,")]:
        with pytest.raises(InvalidImageError, match=rf"{subject} is \d+ bytes, the server takes {limit}"):
            client.segment(image)
    assert "ModelInfer" not in server.calls


def test_a_file_object_is_read_to_its_end(server, client: Client, picture: np.ndarray, tmp_path: Path) -> None:
    data = cv2.imencode(".png", picture)[1].tobytes()
    (tmp_path / "eye.png").write_bytes(data)
    with (tmp_path / "eye.png").open("rb") as file:
        client.segment(file)
    client.segment(io.BytesIO(data))
    assert server.payloads == [data, data]


def test_file_objects_that_cannot_be_sent_are_named(server, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "eye.png"
    path.write_bytes(bytes(int(server.parameters["max_image_bytes"]) + 1))
    with path.open("rb") as file, pytest.raises(InvalidImageError, match=r"eye\.png is over 200000 bytes, which"):
        client.segment(file)
    with pytest.raises(InvalidImageError, match=r"eye\.png: cannot be read \(read of closed file\)"):
        client.segment(file)
    with pytest.raises(InvalidImageError, match="BytesIO: nothing is left to read"):
        client.segment(io.BytesIO())
    path.write_text("text")
    with path.open() as text, pytest.raises(InvalidImageError, match=r"gives str, not bytes; open it with 'rb'"):
        client.segment(text)
    assert "ModelInfer" not in server.calls


@pytest.mark.parametrize(
    ("limit", "message"),
    [("max_side_px", "a side of 37 px, the server takes 36"), ("max_pixels", "851 pixels, the server takes 36")],
)
def test_an_array_over_the_pixel_limits_is_not_sent(server, client: Client, picture, limit: str, message: str) -> None:
    server.parameters[limit] = "36"
    with pytest.raises(InvalidImageError, match=message):
        client.segment(picture)
    assert "ModelInfer" not in server.calls


def test_a_file_of_exactly_the_limit_is_sent(server, client: Client, picture: np.ndarray) -> None:
    data = cv2.imencode(".png", picture)[1].tobytes()
    server.parameters["max_image_bytes"] = str(len(data))
    client.segment(data)
    assert server.payloads == [data]


def test_a_server_without_a_limit_takes_any_size(server, client: Client) -> None:
    del server.parameters["max_image_bytes"]
    noise = np.random.default_rng(2).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    np.testing.assert_array_equal(client.segment(noise).probability, noise[..., 0])
    assert len(server.payloads[0]) > 4 * 1024 * 1024


class BrokenStream:
    """A body whose library has errors of its own."""

    name = "s3://eyes/1.png"

    def read(self, size: int = -1) -> bytes:
        raise RuntimeError(f"connection lost before {size} bytes")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (BrokenStream(), "file object s3://eyes/1.png: cannot be read \\(connection lost before"),
        (Path("a\0b.png"), r"'a\\x00b\.png': is no name of a file"),
    ],
    ids=["stream", "name"],
)
def test_whatever_keeps_an_image_from_being_read_is_its_own_failure(
    client: Client, picture: np.ndarray, image, message: str
) -> None:
    before, broken, after = client.segment_many([picture, image, picture])
    assert (before.error, after.error) == (None, None)
    with pytest.raises(InvalidImageError, match=message):
        broken.unwrap()
