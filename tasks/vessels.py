"""Retinal vessels in fundus photographs: which pixels show a blood vessel."""

from tasks.spec import ClassInfo, FieldOfView, Kind, TaskSpec

VESSELS = TaskSpec(
    name="vessels",
    kind=Kind.BINARY_SEGMENTATION,
    classes=(ClassInfo("background", (0, 0, 0)), ClassInfo("vessel", (0, 255, 0))),
    size_px=512,
    field_of_view=FieldOfView.FUNDUS,
    threshold=0.5,
)
