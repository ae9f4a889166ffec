"""The chart installed in the cluster, with values that two shared cores can bear."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube import CHART, Cluster, until

SERVER = "localhost/fovea-cpu"
IMAGES = "localhost/fovea-release"
TASK = "eye_disease"
# What a cluster on two shared cores can bear, and drains that take seconds instead of half a minute.
VALUES: dict[str, Any] = {
    "image": {"repository": SERVER, "tag": "1"},
    "tasks": [TASK],
    "poolDefaults": {
        "memory": {"process": "1Gi", "shared": "160Mi"},
        "resources": {"requests": {"cpu": "50m"}},
    },
    "probes": {"startup": {"periodSeconds": 1}, "readiness": {"periodSeconds": 2}},
    "drain": {
        "endpointPropagationSeconds": 2,
        "connectionAgeSeconds": 3,
        "connectionAgeGraceSeconds": 3,
        "longestRequestSeconds": 3,
        "exitTimeoutSeconds": 5,
        "unloadSeconds": 3,
    },
}


@dataclass(frozen=True)
class Placed:
    """A release of the tests: the digest of its content, and of the image that holds it."""

    content: str
    image: str

    def values(self) -> dict[str, Any]:
        """What the chart is told of it."""
        image = {"repository": IMAGES, "digest": self.image}
        return {"modelRepository": {"type": "image", "digest": self.content, "image": image}}


@dataclass
class Release:
    """A Helm release of the chart."""

    cluster: Cluster
    folder: Path
    name: str = "fovea"

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=triton"

    def deploy(self, *words: str, check: bool = True, timeout_s: float = 300, **values: Any) -> Any:
        """`helm upgrade --install` with the tests' values and these, and wait until it is there."""
        file = self.folder / "values.json"
        file.write_text(json.dumps(merge(VALUES, values)))
        upgrade = [
            "upgrade",
            "--install",
            self.name,
            str(CHART),
            "-f",
            str(file),
            f"--timeout={timeout_s:g}s",
            "--wait",
        ]
        return self.cluster.helm(*upgrade, *words, check=check, timeout_s=timeout_s + 60)

    def deployment(self) -> str:
        """Name of the main pool's Deployment."""
        found = self.cluster.get("deployments", "-l", self.selector)["items"]
        return str(found[0]["metadata"]["name"])

    def target(self, *, headless: bool = False) -> str:
        """Where clients find it."""
        for service in self.cluster.get("services", "-l", f"app.kubernetes.io/instance={self.name}")["items"]:
            if (service["spec"].get("clusterIP") == "None") == headless:
                host = f"{service['metadata']['name']}.{self.cluster.namespace}.svc.cluster.local:8001"
                return f"dns:///{host}" if headless else host
        raise AssertionError(f"no Service with headless={headless}")

    def wait_for(self, count: int, timeout_s: float = 180) -> list[dict[str, Any]]:
        """Wait until exactly so many pods are there and all are ready, and return them."""

        def all_ready() -> list[dict[str, Any]]:
            ready = self.cluster.ready_pods(self.selector)
            return ready if len(ready) == count == len(self.cluster.pods(self.selector)) else []

        found: list[dict[str, Any]] = until(f"{count} pods of {self.name} are ready", all_ready, timeout_s)
        return found

    def wait_for_drained(self, timeout_s: float = 90) -> None:
        """Wait until no pod of before is left: until they have drained they answer as they were told to."""

        def gone() -> bool:
            every = self.cluster.get("pods", "-l", self.selector)["items"]
            return not any("deletionTimestamp" in pod["metadata"] for pod in every)

        until(f"pods of before of {self.name} are gone", gone, timeout_s)


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged
