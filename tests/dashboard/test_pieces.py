"""The functions behind the page."""

import asyncio
import io
from collections.abc import AsyncIterator

import numpy as np
import pytest
from fovea_client import Classification, ClassInfo, Segmentation, ServerTimings, TaskInfo
from fovea_client.requests import ModelStatistics
from fovea_dashboard import cards
from fovea_dashboard.agreement import agreement, largest_difference
from fovea_dashboard.endpoint import Look
from fovea_dashboard.errors import PictureError
from fovea_dashboard.pictures import SHOWN_SIDE_PX, decode, disagreement, heat, overlay, small, small_answer
from fovea_dashboard.results import Row, as_csv, distinct_names
from fovea_dashboard.service import rate
from fovea_dashboard.uploads import keep_in_memory
from PIL import Image
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "vessel", (0, 255, 0)))


def answer(mask: np.ndarray) -> Segmentation:
    return Segmentation(mask.astype(np.uint8), (mask * 255).astype(np.uint8), "vessels", "1", CLASSES, 5.0)


def file(image: Image.Image, **how: object) -> bytes:
    data = io.BytesIO()
    image.save(data, **{"format": "PNG"} | how)
    return data.getvalue()


def test_a_picture_is_turned_as_its_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(file(Image.new("RGB", (30, 20)), format="JPEG", exif=exif)).shape == (30, 20, 3)


def test_sixteen_bits_keep_their_high_byte() -> None:
    grey = Image.fromarray(np.full((2, 3), 0x8042, np.uint16))
    np.testing.assert_array_equal(decode(file(grey)), np.full((2, 3, 3), 0x80))


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"nonsense", "not a JPEG"), (file(Image.effect_noise((90, 90), 9))[:900], "damaged"), (b"", "not a JPEG")],
)
def test_bytes_that_are_no_picture_are_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(PictureError, match=said):
        decode(data)


def test_a_picture_over_the_tasks_limit_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file(Image.new("L", (20, 20)))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="over the limit of 100"):
        decode(data, TaskInfo("vessels", CLASSES, None, max_pixels=100))


def test_large_pictures_and_their_answers_shrink_alike() -> None:
    picture = np.zeros((1000, SHOWN_SIDE_PX * 2, 3), np.uint8)
    shown, found = small(picture), small_answer(answer(np.ones((1000, SHOWN_SIDE_PX * 2), bool)))
    assert shown.shape == (500, SHOWN_SIDE_PX, 3)
    assert found.mask.shape == found.probability.shape == shown.shape[:2]
    assert overlay(shown, found, 1.0).reshape(-1, 3).max(axis=0).tolist() == [0, 255, 0]


def test_sizes_that_differ_are_a_sentence() -> None:
    with pytest.raises(PictureError, match="reads here as 5×4 px and at the endpoint as 3×2 px"):
        overlay(np.zeros((4, 5, 3), np.uint8), answer(np.zeros((2, 3))), 0.5)


def test_heat_grows_lighter_with_probability() -> None:
    light = heat(np.arange(256, dtype=np.uint8)[None])[0] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > -0.5).all()
    assert light[-1] - light[0] > 180


def test_agreement_counts_pixels_and_dice() -> None:
    first, second = np.zeros((2, 4)), np.zeros((2, 4))
    first[0, :2] = second[0, 1:3] = 1
    found = agreement(answer(first), answer(second))
    assert found.same == 0.75
    assert found.dice == {"vessel": 0.5}
    assert found.largest_difference == 1.0
    assert agreement(answer(first * 0), answer(first * 0)).dice == {"vessel": 1.0}
    with pytest.raises(PictureError, match="cannot be compared"):
        agreement(answer(first), answer(first.T))


def test_classifications_differ_by_their_most_different_class() -> None:
    def state(**probability: float) -> Classification:
        return Classification("a", 0, probability, "eyes", "1", 1.0)

    assert largest_difference(state(a=0.9, b=0.1), state(a=0.6, c=0.4)) == pytest.approx(0.4)


def test_every_kind_of_disagreement_has_its_colour() -> None:
    first, second = np.array([[0, 1, 0, 1]], np.uint8), np.array([[0, 0, 1, 2]], np.uint8)
    shown = disagreement(np.zeros((1, 4, 3), np.uint8), first, second)
    assert len({tuple(pixel) for pixel in shown[0].tolist()}) == 4


def test_the_parts_of_the_latency_add_up() -> None:
    parts = cards.latency_parts(100.0, ServerTimings(10.0, 60.0, 5.0))
    assert [time_ms for _, time_ms in parts] == [10.0, 60.0, 5.0, 25.0]
    assert cards.latency_parts(7.0, None)[0][1] == 7.0
    # Clocks of two machines: what the server says can pass what the client saw.
    assert cards.latency_parts(50.0, ServerTimings(10.0, 60.0, 5.0))[-1][1] == 0.0


def test_names_in_a_zip_are_distinct_and_have_no_folder() -> None:
    assert distinct_names(["../a.png", "b\\a.png", "a_png", "...", "A.PNG"]) == [
        "a.png",
        "2_a.png",
        "3_a_png",
        "picture",
        "4_A.PNG",
    ]


def test_no_spreadsheet_computes_a_name() -> None:
    table = as_csv([Row("=1+1.png", elapsed_ms=2.0, shares={"vessel": 0.25}), Row("b.png", failure="No.")])
    assert table.splitlines() == [
        "picture,status,elapsed_ms,label,vessel,error",
        "'=1+1.png,done,2.0,,0.250000,",
        "b.png,failed,,,,No.",
    ]


def test_a_rate_counts_what_callers_sent_once() -> None:
    def look(at_s: float, **requests: int) -> Look:
        done = tuple(ModelStatistics(name, "1", count, *[0] * 6) for name, count in requests.items())
        return Look(at_s, ready=True, round_trip_ms=1.0, models=(), statistics=done)

    before, after = look(10.0, vessels=5, vessels_network=40), look(12.0, vessels=11, vessels_network=90)
    assert rate(before, after) == 3.0
    assert rate(after, before) == 0.0


def test_an_upload_never_reaches_a_disk() -> None:
    keep_in_memory()
    size_bytes = 5 * 1024 * 1024
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="eye.png"\r\n\r\n' + bytes(size_bytes)

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]
        yield b"\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    uploaded = asyncio.run(MultiPartParser(headers, stream()).parse())["f"]  # type: ignore[arg-type]
    assert isinstance(uploaded, UploadFile)
    assert uploaded.size == size_bytes
    assert uploaded.file._rolled is False  # type: ignore[attr-defined]
