"""What a task uses and what that costs: requests, images, seconds of GPU and CPU, money for a thousand images."""

from monitoring.dashboards.panel import MODELS, PODS, Board, Panel, Query, rate

_BUSY = "nv_inference_compute_{}_duration_us"
_STEP = "(.+)_(?:preprocess|network|postprocess)"
_SERVERS = f"count(sum by (pod, instance) (nv_inference_exec_count{{{PODS}}}))"
# A task's steps are models to Triton, too, and not what callers asked for.
_TASKS = f"{MODELS},model!~'{_STEP}'"
_IMAGES = f"label_replace({rate('nv_inference_count', _TASKS, 'model')}, 'task', '$1', 'model', '(.+)')"
_PER_TASK = f"sum by (task) ({_IMAGES})"


def _busy_seconds(labels: str) -> str:
    """Return seconds that each step computes, a second, with the label `task`.

    Triton counts a batch's time once for each of its requests: the mean of a request, times the batches, is the time
    where batches are alike. Large ones weigh more in that mean, so where sizes vary this is an upper bound.
    """
    of = f"{PODS},model=~'{_STEP}'{labels}"
    spent = " + ".join(rate(_BUSY.format(part), of, "model") for part in ("input", "infer", "output"))
    batches = f"{rate('nv_inference_exec_count', of, 'model')}"
    requests = f"({rate('nv_inference_request_success', of, 'model')} > 0)"
    return f"label_replace(({spent}) / 1e6 * {batches} / {requests}, 'task', '$1', 'model', '{_STEP}')"


def _per_thousand(value: str) -> str:
    """Return what a thousand images of a task take, from what a second takes; no line where none were sent."""
    return f"1000 * sum by (task) ({value}) / ({_PER_TASK} > 0)"


_SHARE = f"sum by (task) ({_busy_seconds('')}) / on () group_left () sum({_busy_seconds('')})"

COST = Board(
    "fovea-cost",
    "Fovea: Cost and use",
    "What each task uses and what that costs. Type the price of a server's hour, in any currency, above.",
    "nv_inference_request_success",
    (
        Panel(
            "Requests",
            "Answered requests.",
            "reqps",
            (Query(rate("nv_inference_request_success", _TASKS, "model"), "{{model}}"),),
        ),
        Panel(
            "Images",
            "Answered images; a request may hold several.",
            "short",
            (Query(_PER_TASK, "{{task}} images a second"),),
        ),
        Panel(
            "GPU seconds for 1,000 images",
            "In which steps on a GPU compute; an upper bound where batches differ. Instances on one GPU add up.",
            "s",
            (Query(_per_thousand(_busy_seconds(",gpu_uuid!=''")), "{{task}}"),),
        ),
        Panel(
            "CPU seconds for 1,000 images",
            "In which steps without a GPU compute; an upper bound where batches differ. Threads are not counted.",
            "s",
            (Query(_per_thousand(_busy_seconds(",gpu_uuid=''")), "{{task}}"),),
        ),
        Panel(
            "Busy by step",
            "Instances of a step that compute, on average. One that nears its number of instances is the bottleneck.",
            "short",
            (Query(f"sum by (model) ({_busy_seconds('')})", "{{model}}"),),
        ),
        Panel(
            "CPU cores in use",
            "Of all of a pod, measured by the kubelet: with what steps' own seconds leave out.",
            "short",
            (
                Query(
                    f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{PODS},container='triton'}}"
                    "[$__rate_interval]))",
                    "{{pod}}",
                ),
            ),
        ),
        Panel(
            "Cost of 1,000 images",
            "Servers times price, idle hours included, split by the seconds that each task's steps compute.",
            "short",
            (Query(_per_thousand(f"{_SHARE} * on () group_left () ({_SERVERS} * $price / 3600)"), "{{task}}"),),
        ),
        Panel(
            "Cost of an hour",
            "Servers that answer Prometheus, times the price.",
            "short",
            (Query(f"{_SERVERS} * $price", "all servers"),),
        ),
    ),
    label="model",
    priced=True,
)
