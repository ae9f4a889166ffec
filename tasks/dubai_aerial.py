"""Land cover in aerial pictures of Dubai. The colours are those of the published masks."""

from tasks.spec import ClassInfo, FieldOfView, Kind, TaskSpec

DUBAI_AERIAL = TaskSpec(
    name="dubai_aerial",
    kind=Kind.SEMANTIC_SEGMENTATION,
    classes=(
        ClassInfo("unlabeled", (0x9B, 0x9B, 0x9B)),
        ClassInfo("building", (0x3C, 0x10, 0x98)),
        ClassInfo("land", (0x84, 0x29, 0xF6)),
        ClassInfo("road", (0x6E, 0xC1, 0xE4)),
        ClassInfo("vegetation", (0xFE, 0xDD, 0x3A)),
        ClassInfo("water", (0xE2, 0xA9, 0x29)),
    ),
    size_px=512,
    field_of_view=FieldOfView.FULL_FRAME,
    unlabeled=True,
)
