"""Does it answer, how fast, and on what: the first dashboard to look at."""

from monitoring.dashboards.panel import MODELS, PODS, TASKS, Board, Panel, Query, quantiles, rate, ratio

_DONE, _FAILED = "nv_inference_request_success", "nv_inference_request_failure"
_DEPLOYMENTS = 'namespace="$namespace",deployment=~"$deployments"'


def _milliseconds(metric: str, labels: str) -> str:
    return f"{ratio(rate(metric, labels, 'model'), rate(_DONE, labels, 'model'))} / 1000"


_FAILED_SHARE = (
    f"{rate(_FAILED, MODELS, 'model, reason')} / on (model) group_left () "
    f"(({rate(_DONE, MODELS, 'model')} + {rate(_FAILED, MODELS, 'model')}) > 0)"
)

ENDPOINT = Board(
    "fovea-endpoint",
    "Fovea: Endpoint",
    "Requests, failures, latency, queues, pods and GPUs.",
    _DONE,
    (
        Panel(
            "Requests",
            "Answered requests of the tasks.",
            "reqps",
            (Query(rate(_DONE, MODELS, "model"), "{{model}}"),),
        ),
        Panel(
            "Failed share",
            "By reason. CANCELED: the caller gave up. OTHER: often a picture that was refused. BACKEND: a model fails.",
            "percentunit",
            (Query(_FAILED_SHARE, "{{model}} {{reason}}"),),
        ),
        Panel(
            "Latency in the server",
            "Quantiles of every request, from the start of preprocessing to the end of postprocessing.",
            "s",
            quantiles("fovea_request_seconds", 0.5, 0.95, 0.99),
        ),
        Panel(
            "Requests over half a second",
            "Share of a task's requests; what the latency alerts look at.",
            "percentunit",
            (
                Query(
                    "1 - "
                    + ratio(
                        rate("fovea_request_seconds_bucket", TASKS + ',le="0.5"', "task"),
                        rate("fovea_request_seconds_count", TASKS, "task"),
                    ),
                    "{{task}}",
                ),
            ),
        ),
        Panel(
            "Time in the server",
            "Mean of an answered request, with what waits in front of preprocessing.",
            "ms",
            (Query(_milliseconds("nv_inference_request_duration_us", MODELS), "{{model}}"),),
        ),
        Panel(
            "Where it goes",
            "Mean milliseconds of a request by step: waiting in its queue, and computing.",
            "ms",
            (
                Query(_milliseconds("nv_inference_queue_duration_us", PODS), "{{model}} queue"),
                Query(_milliseconds("nv_inference_compute_infer_duration_us", PODS), "{{model}} compute"),
            ),
        ),
        Panel(
            "Pending requests",
            "Waiting in a queue now, by pod. It grows before latency does.",
            "short",
            (Query(f"sum by (pod, instance) (nv_inference_pending_request_count{{{PODS}}})", "{{pod}} {{instance}}"),),
        ),
        Panel(
            "Batch size",
            "Mean of what the network computes at once. 1 under load: batching does nothing.",
            "short",
            (
                Query(
                    ratio(rate("nv_inference_count", PODS, "model"), rate("nv_inference_exec_count", PODS, "model")),
                    "{{model}}",
                ),
            ),
        ),
        Panel(
            "Pods",
            "Wanted and available.",
            "short",
            (
                Query(f"kube_deployment_spec_replicas{{{_DEPLOYMENTS}}}", "{{deployment}} wanted"),
                Query(f"kube_deployment_status_replicas_available{{{_DEPLOYMENTS}}}", "{{deployment}} available"),
            ),
        ),
        Panel(
            "Requests by pod",
            "Uneven: callers hold on to connections.",
            "reqps",
            (Query(rate(_DONE, MODELS, "pod, instance"), "{{pod}} {{instance}}"),),
        ),
        Panel(
            "GPU utilisation",
            "Share of the time in which a kernel ran.",
            "percentunit",
            (Query(f"nv_gpu_utilization{{{PODS}}}", "{{pod}} {{gpu_uuid}}"),),
            most=1,
        ),
        Panel(
            "GPU memory",
            "Share that is used. Triton gives none back before it restarts.",
            "percentunit",
            (
                Query(
                    f"nv_gpu_memory_used_bytes{{{PODS}}} / nv_gpu_memory_total_bytes{{{PODS}}}", "{{pod}} {{gpu_uuid}}"
                ),
            ),
            most=1,
        ),
        Panel(
            "Memory",
            "What the pod's limit is held against; /dev/shm counts.",
            "bytes",
            (Query(f'container_memory_working_set_bytes{{{PODS},container="triton"}}', "{{pod}}"),),
        ),
        Panel(
            "Restarts",
            "Of containers in the last hour.",
            "short",
            (
                Query(
                    f"increase(kube_pod_container_status_restarts_total{{{PODS}}}[1h])",
                    "{{pod}} {{container}}",
                ),
            ),
        ),
    ),
    label="model",
    deployments=True,
)
