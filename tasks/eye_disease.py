"""Eye diseases in fundus photographs: which of four states a retina is in. Not for clinical use."""

from tasks.spec import ClassInfo, FieldOfView, Kind, TaskSpec

EYE_DISEASE = TaskSpec(
    name="eye_disease",
    kind=Kind.CLASSIFICATION,
    classes=(
        ClassInfo("cataract", (86, 180, 233)),
        ClassInfo("diabetic_retinopathy", (213, 94, 0)),
        ClassInfo("glaucoma", (204, 121, 167)),
        ClassInfo("normal", (0, 158, 115)),
    ),
    size_px=224,
    field_of_view=FieldOfView.FULL_FRAME,
)
