"""What `python -m monitoring drift` found: does the newest window differ from the reference by more than chance?"""

from monitoring.dashboards.panel import Board, Panel, Query

_TASK = '{task=~"$task"}'

DRIFT = Board(
    "fovea-drift",
    "Fovea: Drift",
    "The newest pictures and predictions beside the reference. Look at Inputs and Predictions for when it began.",
    "fovea_drift_window_images",
    (
        Panel(
            "Alarms",
            "1: the newest window differs from the reference by more than chance.",
            "short",
            (Query(f"max by (task, kind) (fovea_drift_alarm{_TASK})", "{{task}} {{kind}}"),),
            most=1,
        ),
        Panel(
            "Score over threshold",
            "By statistic and method; above 1 chance does not explain it. Thresholds fit the size of the window.",
            "short",
            (
                Query(
                    f"fovea_drift_score{_TASK} / on (task, statistic, method) "
                    f"(max by (task, statistic, method) (fovea_drift_threshold{_TASK}) > 0)",
                    "{{task}} {{statistic}} {{method}}",
                ),
            ),
        ),
        Panel(
            "p-values",
            "How often chance alone gives such a score; before the correction for many tests.",
            "short",
            (Query(f"fovea_drift_p_value{_TASK}", "{{task}} {{statistic}} {{method}}"),),
            most=1,
        ),
        Panel(
            "Pictures in the window",
            "Few pictures show only large drifts.",
            "short",
            (Query(f"fovea_drift_window_images{_TASK}", "{{task}}"),),
        ),
        Panel(
            "Since the last look",
            "Of the drift job.",
            "s",
            (Query(f"time() - max by (task) (fovea_drift_last_run_timestamp_seconds{_TASK})", "{{task}}"),),
        ),
        Panel(
            "Age of the reference",
            "Make it anew with the release that it belongs to.",
            "s",
            (Query(f"time() - max by (task) (fovea_reference_created_timestamp_seconds{_TASK})", "{{task}}"),),
        ),
    ),
    pods=False,
)
