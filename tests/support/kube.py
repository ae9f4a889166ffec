"""The cluster as the tests use it: kubectl, helm and clients run where its Services are reachable.

Without KUBECONFIG that is inside the namespaces of tests/cluster/up; with it, here.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from programs import HOME

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "cluster"
CHART = ROOT / "helm-chart"


class CommandError(AssertionError):
    """A command failed; the message has its words and what it said."""


def missing() -> str | None:
    """What keeps the tests from having a cluster, in a sentence; None if nothing does."""
    if os.environ.get("KUBECONFIG"):
        return (
            None
            if shutil.which("kubectl") and shutil.which("helm")
            else "KUBECONFIG is set, but kubectl or helm is not here"
        )
    if os.geteuid() != 0:
        return "the tests' own cluster needs root; set KUBECONFIG to use another one"
    if not (HOME / "bin" / "kubelet").exists():
        return f"the cluster's binaries are not in {HOME}; run `make cluster-build` (needs Go), or set KUBECONFIG"
    if not (CHART / "Chart.yaml").exists():
        return f"there is no chart at {CHART}"
    return None


@dataclass
class Cluster:
    """Commands against one cluster and one of its namespaces."""

    namespace: str = "default"
    prefix: list[str] = field(
        default_factory=lambda: [] if os.environ.get("KUBECONFIG") else [str(SCRIPTS / "k"), "--"]
    )

    def run(
        self, *words: str, check: bool = True, stdin: str | None = None, timeout_s: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where Services are reachable.

        Raises:
            CommandError: it failed and `check` is on.
        """
        command = [*self.prefix, *words]
        done = subprocess.run(
            command,
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=client_environment(),
        )
        if check and done.returncode:
            raise CommandError(
                f"{' '.join(words)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            )
        return done

    def kubectl(self, *words: str, stdin: str | None = None, timeout_s: float = 300.0) -> str:
        """What kubectl prints in this namespace."""
        return self.run("kubectl", "-n", self.namespace, *words, stdin=stdin, timeout_s=timeout_s).stdout

    def get(self, *words: str) -> dict[str, Any]:
        """Objects as kubectl has them."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change objects."""
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))

    def helm(self, *words: str, check: bool = True, timeout_s: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run helm in this namespace."""
        return self.run("helm", "-n", self.namespace, *words, check=check, timeout_s=timeout_s)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods that are not on their way out."""
        items = self.get("pods", "-l", selector)["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self, selector: str) -> list[dict[str, Any]]:
        """Those of them that are ready."""
        return [pod for pod in self.pods(selector) if condition(pod, "Ready")]


def condition(thing: dict[str, Any], name: str) -> bool:
    """Whether a condition of an object's status is true."""
    return any(each["type"] == name and each["status"] == "True" for each in thing["status"].get("conditions", []))


def until(what: str, happens: Callable[[], object], timeout_s: float = 120.0, every_s: float = 0.5) -> Any:
    """Return what `happens` returns as soon as that is true.

    Raises:
        AssertionError: it was not in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (found := happens()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(every_s)
    return found


def client_environment() -> dict[str, str]:
    """The variables for a client in the cluster: our code, and no proxy between it and the pods."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    folders = [str(ROOT / "tests" / "support"), str(ROOT), str(ROOT / "clients" / "python")]
    return kept | {
        "PYTHONPATH": os.pathsep.join(folders),
        "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
    }
