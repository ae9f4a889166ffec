"""How good predictions are: pure NumPy functions over the pixels or pictures that count (the caller selects them)."""

from tasks.metrics.binary import Confusion, confusion, dice
from tasks.metrics.bootstrap import percentile_interval, resampled_counts
from tasks.metrics.calibration import ReliabilityBin, expected_calibration_error, level_bins, reliability
from tasks.metrics.multiclass import ClassScores, class_scores, confusion_matrix, present_mean
from tasks.metrics.ranking import (
    LEVELS,
    average_precision,
    histogram_average_precision,
    histogram_curves,
    histogram_roc_auc,
    one_vs_rest,
    roc_auc,
    score_histogram,
)

__all__ = [
    "LEVELS",
    "ClassScores",
    "Confusion",
    "ReliabilityBin",
    "average_precision",
    "class_scores",
    "confusion",
    "confusion_matrix",
    "dice",
    "expected_calibration_error",
    "histogram_average_precision",
    "histogram_curves",
    "histogram_roc_auc",
    "level_bins",
    "one_vs_rest",
    "percentile_interval",
    "present_mean",
    "reliability",
    "resampled_counts",
    "roc_auc",
    "score_histogram",
]
