"""Published layouts are read as they are meant; wrong, incomplete and damaged folders are named."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from drawn import copy_of, draw_drive, draw_stare
from PIL import Image
from rasterio.transform import from_origin

from tasks import get_task
from tasks.imaging import decode, field_of_view
from training.errors import DataError
from training.sources import SOURCES, data_digest, read_samples, read_source
from training.sources.landcover_ai import read as read_landcover
from training.sources.landcover_ai import read_official

VESSELS, EYES = get_task("vessels"), get_task("eye_disease")
DUBAI, LANDCOVER = get_task("dubai_aerial"), get_task("landcover_ai")
REAL = Path(__file__).parents[3] / "shared" / "data"
TILE_PX = 64


def test_chase_keeps_both_eyes_of_a_person_together(synthetic: Path) -> None:
    samples = read_samples(synthetic, VESSELS)
    assert [sample.subject for sample in samples[:4]] == ["01", "01", "02", "02"]
    content = samples[0].read()
    assert content.encoded == (synthetic / "images" / "Image_01L.jpg").read_bytes()
    manual = np.asarray(Image.open(synthetic / "1st_manual" / "Image_01L_1stHO.png"))
    assert content.mask is not None
    assert np.array_equal(content.mask, manual // 255)
    assert content.field_of_view is not None
    assert content.field_of_view.shape == content.mask.shape


def test_drive_keeps_its_official_split(tmp_path: Path) -> None:
    samples = read_samples(draw_drive(tmp_path), VESSELS)
    assert {sample.subject for sample in samples if sample.held_out} == {"01", "02", "03"}
    assert len(samples) == 9


def test_drive_without_test_masks_has_no_official_split(tmp_path: Path) -> None:
    root = draw_drive(tmp_path)
    (root / "test" / "1st_manual").rename(tmp_path / "elsewhere")
    reading = read_source(root, VESSELS)
    assert [sample.held_out for sample in reading.samples] == [False] * 6
    assert "left out" in reading.remarks[0]


@pytest.mark.parametrize("compressed", [True, False])
def test_stare_becomes_png_of_the_same_pixels(tmp_path: Path, compressed: bool) -> None:
    reading = read_source(draw_stare(tmp_path, compressed=compressed), VESSELS)
    assert [sample.name for sample in reading.samples] == ["im0001", "im0002", "im0003"]
    assert reading.remarks == ("1 photographs without a label in labels-ah/: left out",)
    content = reading.samples[1].read()
    rng = np.random.default_rng(2)
    assert np.array_equal(decode(content.encoded), rng.integers(0, 256, (50, 60, 3), np.uint8))
    assert content.mask is not None
    assert np.array_equal(content.mask, rng.integers(0, 2, (50, 60), np.uint8))
    assert content.suffix == ".png"
    found = content.field_of_view
    assert found is not None, "the publisher names none: the one that serving finds"
    assert np.array_equal(found, field_of_view(decode(content.encoded)))


def test_another_folder_is_no_stare(synthetic: Path) -> None:
    with pytest.raises(DataError, match=r"holds no photographs of STARE beside their labels; it expects stare-images/"):
        read_source(synthetic, VESSELS, "stare")


def test_stare_unpacked_into_images_and_labels(tmp_path: Path) -> None:
    root = draw_stare(tmp_path, compressed=False)
    (root / "stare-images").rename(root / "images")
    (root / "labels-ah").rename(root / "labels")
    assert len(read_samples(root, VESSELS)) == 3


def test_damaged_stare_archive_is_named(tmp_path: Path) -> None:
    root = draw_stare(tmp_path)
    path = root / "stare-images" / "im0001.ppm.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"im0001\.ppm\.gz cannot be read"):
        read_samples(root, VESSELS)[0].read()


def test_class_folders_know_patients(eye_disease_folder: Path) -> None:
    samples = read_samples(eye_disease_folder, EYES)
    subjects = {sample.name: sample.subject for sample in samples}
    assert subjects["glaucoma_10_left"] == subjects["glaucoma_10_right"] == "10"
    assert subjects["diabetic_retinopathy_1_left"] == "1.jpeg"
    assert subjects["cataract_cataract_012"] == "cataract/cataract_012.jpg"
    labels = {sample.name: sample.label for sample in samples}
    assert labels["cataract_cataract_012"] == 0
    assert labels["glaucoma_10_left"] == 2


def test_a_patient_may_have_two_classes_and_two_collections_never_share_one(
    eye_disease_folder: Path, tmp_path: Path
) -> None:
    root = copy_of(eye_disease_folder, tmp_path / "copy")
    picture = (root / "glaucoma" / "10_left.jpg").read_bytes()
    (root / "cataract" / "10_right.jpg").write_bytes(picture)
    (root / "diabetic_retinopathy" / "10_right.jpeg").write_bytes(picture)
    subjects = {sample.name: sample.subject for sample in read_samples(root, EYES)}
    assert subjects["cataract_10_right"] == subjects["glaucoma_10_left"]
    assert subjects["diabetic_retinopathy_10_right"] != subjects["glaucoma_10_left"]


def test_premade_augmentations_are_left_out_and_counted(eye_disease_folder: Path, tmp_path: Path) -> None:
    root = copy_of(eye_disease_folder, tmp_path / "copy")
    before = read_source(root, EYES)
    for name in ("_0_4015166.jpg", "_17_85.jpg"):
        (root / "cataract" / name).write_bytes((root / "glaucoma" / "10_left.jpg").read_bytes())
    (root / "retinitis").mkdir()
    reading = read_source(root, EYES)
    assert before.remarks == ()
    assert [sample.name for sample in reading.samples] == [sample.name for sample in before.samples]
    assert reading.remarks[0].startswith("2 files named _<index>_<hash>")
    assert "retinitis" in reading.remarks[1]


def test_missing_class_is_named(eye_disease_folder: Path, tmp_path: Path) -> None:
    root = copy_of(eye_disease_folder, tmp_path / "copy")
    (root / "normal").rename(root / "healthy")
    with pytest.raises(DataError, match=r"normal is missing.*cataract, diabetic_retinopathy, glaucoma, normal"):
        read_samples(root, EYES)


def test_digest_of_a_classified_picture_follows_its_class(eye_disease_folder: Path, tmp_path: Path) -> None:
    root = copy_of(eye_disease_folder, tmp_path / "copy")
    before = {sample.name: sample.digest for sample in read_samples(root, EYES)}
    (root / "glaucoma" / "10_left.jpg").rename(root / "normal" / "10_left.jpg")
    after = {sample.name: sample.digest for sample in read_samples(root, EYES)}
    assert after["normal_10_left"] != before["glaucoma_10_left"]


def test_dubai_colours_become_classes(dubai_folder: Path) -> None:
    samples = read_samples(dubai_folder, DUBAI)
    assert [sample.subject for sample in samples] == ["Tile 1"] * 4 + ["Tile 2"] * 4 + ["Tile 3"] * 4
    mask = samples[0].read().mask
    assert mask is not None
    colours = np.asarray(Image.open(dubai_folder / "Tile 1" / "masks" / "image_part_001.png"))
    for index, info in enumerate(DUBAI.classes[1:], 1):
        assert np.array_equal(mask == index, (colours == info.colour).all(axis=2)), info.name
    black = (colours == 0).all(axis=2)
    assert black.any()
    assert (mask[black] == 0).all()
    assert np.array_equal(mask == 0, black | (colours == DUBAI.classes[0].colour).all(axis=2))


def test_unknown_colour_names_file_and_colour(dubai_folder: Path, tmp_path: Path) -> None:
    root = copy_of(dubai_folder, tmp_path / "copy")
    path = root / "Tile 2" / "masks" / "image_part_003.png"
    colours = np.array(Image.open(path))
    colours[40, 50] = (1, 2, 3)
    Image.fromarray(colours).save(path)
    sample = next(item for item in read_samples(root, DUBAI) if item.name == "Tile_2_image_part_003")
    with pytest.raises(DataError, match=r"Tile 2/masks/image_part_003\.png has the colour #010203 \(1 pixels"):
        sample.read()


def test_tile_without_masks_is_refused(dubai_folder: Path, tmp_path: Path) -> None:
    root = copy_of(dubai_folder, tmp_path / "copy")
    (root / "Tile 2" / "masks").rename(root / "Tile 2" / "labels")
    with pytest.raises(DataError, match=r"Tile 2/images/image_part_001\.jpg needs exactly one masks/image_part_001"):
        read_samples(root, DUBAI)


def test_mask_of_another_size_is_refused(dubai_folder: Path, tmp_path: Path) -> None:
    root = copy_of(dubai_folder, tmp_path / "copy")
    Image.new("RGB", (100, 96)).save(root / "Tile 1" / "masks" / "image_part_001.png")
    with pytest.raises(DataError, match=r"image_part_001\.jpg has \(96, 128\).*\(96, 100\)"):
        read_samples(root, DUBAI)[0].read()


def test_orthophotos_are_cut_in_raster_order(landcover_folder: Path) -> None:
    samples = read_landcover(landcover_folder, LANDCOVER, tile_px=TILE_PX).samples
    # 12 whole rows and 10 whole columns of 13 × 11: the dropped edge counts, as in the published split.
    assert len(samples) == 2 * 12 * 10
    assert [sample.name for sample in samples[9:12]] == ["M-33-01_9", "M-33-01_11", "M-33-01_12"]
    assert {sample.subject for sample in samples} == {"M-33-01", "M-33-02"}
    with rasterio.open(landcover_folder / "images" / "M-33-01.tif") as file:
        pixels = np.moveaxis(file.read(), 0, -1)
    with rasterio.open(landcover_folder / "masks" / "M-33-01.tif") as file:
        classes = file.read(1)
    content = samples[11].read()
    window = (slice(TILE_PX, 2 * TILE_PX), slice(TILE_PX, 2 * TILE_PX))
    assert np.array_equal(decode(content.encoded), pixels[window])
    assert content.mask is not None
    assert np.array_equal(content.mask, classes[window])


def test_orthophotos_are_cut_into_512_by_default(landcover_folder: Path) -> None:
    samples = read_samples(landcover_folder, LANDCOVER)
    assert [sample.name for sample in samples] == ["M-33-01_0", "M-33-02_0"]
    assert decode(samples[0].read().encoded).shape == (512, 512, 3)


def test_a_tile_is_read_without_the_rest_of_its_orthophoto(landcover_folder: Path, tmp_path: Path) -> None:
    root = copy_of(landcover_folder, tmp_path / "copy")
    samples = read_landcover(root, LANDCOVER, tile_px=TILE_PX).samples
    whole = samples[0].read().encoded
    path = root / "images" / "M-33-01.tif"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    assert samples[0].read().encoded == whole
    with pytest.raises(DataError, match="cannot be read"):
        samples[119].read()


def test_official_landcover_split_is_by_tile(landcover_folder: Path, tmp_path: Path) -> None:
    root = copy_of(landcover_folder, tmp_path / "copy")
    names = [sample.name for sample in read_landcover(root, LANDCOVER, tile_px=TILE_PX).samples]
    for part, chosen in (("train", names[:200]), ("val", names[200:220]), ("test", names[220:239])):
        (root / f"{part}.txt").write_text("\n".join(chosen))
    reading = read_official(root, LANDCOVER, tile_px=TILE_PX)
    assert sum(bool(sample.held_out) for sample in reading.samples) == 19
    assert all(sample.subject == sample.name for sample in reading.samples)
    assert reading.remarks == ("1 tiles are in no list: left out",)
    (root / "val.txt").write_text(names[0])
    with pytest.raises(DataError, match=r"tile M-33-01_0 is in train\.txt and in val\.txt"):
        read_official(root, LANDCOVER, tile_px=TILE_PX)
    (root / "val.txt").write_text("M-33-01_10")
    with pytest.raises(DataError, match="M-33-01_10"):
        read_official(root, LANDCOVER, tile_px=TILE_PX)
    (root / "val.txt").unlink()
    with pytest.raises(DataError, match=r"val\.txt"):
        read_samples(root, LANDCOVER, "landcover_ai_official")


@pytest.mark.parametrize(
    ("shape", "dtype", "left_m", "value", "complaint"),
    [
        ((770, 700), "uint8", 260_000.0, 9, r"value 9 and landcover_ai has the classes 0–4"),
        ((770, 699), "uint8", 260_000.0, 0, "rows and columns and mask"),
        ((770, 700), "uint16", 260_000.0, 0, "samples of uint16"),
        ((770, 700), "uint8", 260_100.0, 0, "lies elsewhere on the ground"),
    ],
)
def test_mask_that_does_not_fit_its_orthophoto(
    landcover_folder: Path,
    tmp_path: Path,
    shape: tuple[int, int],
    dtype: str,
    left_m: float,
    value: int,
    complaint: str,
) -> None:
    root = copy_of(landcover_folder, tmp_path / "copy")
    place = {"crs": "EPSG:2180", "transform": from_origin(left_m, 400_000.0, 0.5, 0.5)}
    size = {"height": shape[0], "width": shape[1], "count": 1, "dtype": dtype}
    with rasterio.open(root / "masks" / "M-33-01.tif", "w", driver="GTiff", **size, **place) as file:
        file.write(np.full(shape, value, dtype), 1)
    with pytest.raises(DataError, match=complaint):
        read_samples(root, LANDCOVER)


def test_damaged_orthophoto_is_named(landcover_folder: Path, tmp_path: Path) -> None:
    root = copy_of(landcover_folder, tmp_path / "copy")
    (root / "images" / "M-33-02.tif").write_bytes(b"II*\0 not a TIFF")
    with pytest.raises(DataError, match=r"M-33-02\.tif or its mask cannot be read"):
        read_samples(root, LANDCOVER)


def test_digest_follows_contents_and_not_places(synthetic: Path, tmp_path: Path) -> None:
    copy = copy_of(synthetic, tmp_path / "copy")
    before = data_digest(read_samples(synthetic, VESSELS))
    assert data_digest(read_samples(copy, VESSELS)) == before
    with (copy / "mask" / "Image_03L.gif").open("ab") as file:
        file.write(b"x")
    assert data_digest(read_samples(copy, VESSELS)) != before


def test_picture_without_a_mask_is_named(synthetic: Path, tmp_path: Path) -> None:
    copy = copy_of(synthetic, tmp_path / "copy")
    (copy / "1st_manual" / "Image_02R_1stHO.png").unlink()
    with pytest.raises(DataError, match=r"Image_02R\.jpg needs exactly one 1st_manual/Image_02R_1stHO"):
        read_samples(copy, VESSELS)


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no layout .* chase_db1: images/.*drive: training/.*stare: stare-images/"):
        read_samples(tmp_path, VESSELS)
    with pytest.raises(DataError, match="no data folder"):
        read_samples(tmp_path / "absent", VESSELS)
    for name in ("images", "1st_manual"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="no labelled pictures"):
        read_samples(tmp_path, VESSELS)


def test_source_and_task_must_fit(dubai_folder: Path) -> None:
    with pytest.raises(DataError, match="there is no source 'dubai'; the sources are: chase_db1"):
        read_samples(dubai_folder, DUBAI, "dubai")
    with pytest.raises(DataError, match="task vessels is a binary_segmentation"):
        read_samples(dubai_folder, VESSELS, "dubai_aerial")
    with pytest.raises(DataError, match="no layout that vessels is read from"):
        read_samples(dubai_folder, VESSELS)


def test_hub_without_a_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.sources.drive_hub.HUB", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"drive-train cannot be read .*source=drive"):
        read_samples(Path(), VESSELS, "drive_hub")


@pytest.mark.parametrize(
    "names", [("rgb_images", "manual_masks/mask", "masks/mask"), ("image", "manual_masks", "mask")]
)
def test_hub_columns_are_found(tmp_path: Path, names: tuple[str, str, str]) -> None:
    pixels = list(_hub_part(tmp_path / "drive-train", names, 2))
    _hub_part(tmp_path / "drive-test", names[:1] + names[2:], 1)
    reading = read_source(tmp_path, VESSELS, "drive_hub")
    assert [(sample.name, sample.subject, sample.held_out) for sample in reading.samples] == [
        ("21_training", "21", False),
        ("22_training", "22", False),
    ]
    assert "drive-test has no manual masks" in reading.remarks[0]
    content = reading.samples[1].read()
    assert np.array_equal(decode(content.encoded), pixels[1])
    assert content.mask is not None
    assert content.mask[0, 0] == 1
    assert content.mask.sum() == 1
    assert content.field_of_view is not None
    assert content.field_of_view.all()


def _hub_part(path: Path, names: tuple[str, ...], rows: int) -> Iterator[np.ndarray]:
    """A dataset with the hub's columns; the second is the manual mask, if there are three."""
    import deeplake

    types = deeplake.types
    schema = {name: types.BinaryMask("lz4") for name in names[1:]} | {names[0]: types.Image("uint8", "png")}
    dataset = deeplake.create(str(path), schema=schema)
    images = [np.random.default_rng(row).integers(0, 256, (40, 50, 3), np.uint8) for row in range(rows)]
    manual = np.zeros((40, 50), bool)
    manual[0, 0] = True
    masks = [manual, np.ones((40, 50), bool)][3 - len(names) :]
    columns = {name: [mask] * rows for name, mask in zip(names[1:], masks, strict=True)}
    dataset.append({names[0]: images, **columns})
    dataset.commit("drawn")
    return iter(images)


def test_samples_go_to_other_processes(synthetic: Path, eye_disease_folder: Path, landcover_folder: Path) -> None:
    for root, task in ((synthetic, VESSELS), (eye_disease_folder, EYES), (landcover_folder, LANDCOVER)):
        sample = read_samples(root, task)[0]
        travelled = pickle.loads(pickle.dumps(sample))  # noqa: S301 - our own bytes
        assert travelled.read().encoded == sample.read().encoded


def test_every_source_says_what_it_expects_and_its_licence() -> None:
    for name, source in SOURCES.items():
        assert source.expects, name
        assert source.licence, name


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not on this machine")
def test_real_folders() -> None:
    counts = {}
    for name, task in (("chase_db1", VESSELS), ("dubai_aerial", DUBAI), ("eye_diseases", EYES)):
        samples = read_samples(REAL / name, task)
        counts[name] = (len(samples), len({sample.subject for sample in samples}))
        for sample in samples[::10]:
            assert sample.read().mask is not None or task is EYES
    assert counts == {"chase_db1": (20, 10), "dubai_aerial": (54, 6), "eye_diseases": (2373, 1402)}
