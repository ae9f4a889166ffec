"""Land cover in orthophotos, with the classes of LandCover.ai (Boguszewski et al., CVPR Workshops 2021)."""

from tasks.spec import ClassInfo, FieldOfView, Kind, TaskSpec

LANDCOVER_AI = TaskSpec(
    name="landcover_ai",
    kind=Kind.SEMANTIC_SEGMENTATION,
    classes=(
        ClassInfo("background", (0, 0, 0)),
        ClassInfo("building", (200, 30, 30)),
        ClassInfo("woodland", (20, 110, 40)),
        ClassInfo("water", (40, 90, 200)),
        ClassInfo("road", (190, 190, 190)),
    ),
    size_px=512,
    field_of_view=FieldOfView.FULL_FRAME,
)
