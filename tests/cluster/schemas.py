"""Write the JSON schemas that kubeconform reads, from a running API server: built-in kinds and custom resources.

Run inside the cluster: `tests/cluster/k -- python tests/cluster/schemas.py FOLDER`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
_INT_OR_STRING = ["integer", "string"]
# What the API server describes more loosely or more narrowly than it accepts.
_ACCEPTED: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": _INT_OR_STRING},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}


def ask(path: str) -> Any:
    """What the API server answers to a path."""
    return json.loads(subprocess.check_output(["kubectl", "get", "--raw", path]))


def as_json_schema(node: Any) -> Any:
    """An OpenAPI 3 schema as a strict JSON schema: no unknown fields, null and int-or-string as types."""
    if isinstance(node, list):
        return [as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    schema = {key: as_json_schema(value) for key, value in node.items() if key != "example"}
    if isinstance(schema.get("$ref"), str):
        schema["$ref"] = schema["$ref"].replace("#/components/schemas/", "#/definitions/")
    only = schema.get("allOf", [])
    if len(only) == 1 and "$ref" in only[0]:
        return {"$ref": only[0]["$ref"]}
    return _typed(_closed(schema))


def _closed(schema: Schema) -> Schema:
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and "properties" in schema and not is_open:
        schema["additionalProperties"] = False
    return schema


def _typed(schema: Schema) -> Schema:
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if schema.get("x-kubernetes-int-or-string") is True or schema.get("format") == "int-or-string":
        schema.pop("format", None)
        schema["type"] = _INT_OR_STRING
    return schema


def write_group(definitions: dict[str, Schema], folder: Path) -> int:
    """Write a file for every kind of one API group, as kubeconform names them, and return how many."""
    definitions |= {name: accepted for name, accepted in _ACCEPTED.items() if name in definitions}
    count = 0
    for schema in list(definitions.values()):
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if "metadata" not in schema.get("properties", {}) or kind["kind"] == "DeleteOptions":
                continue
            name = "-".join([kind["kind"].lower(), kind["group"] or kind["version"], kind["version"]])
            whole = schema | {"definitions": definitions, "$schema": "http://json-schema.org/draft-07/schema#"}
            (folder / f"{name}.json").write_text(json.dumps(whole))
            count += 1
    return count


def main() -> int:
    """Write them all and say how many."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for path, where in ask("/openapi/v3")["paths"].items():
        if path.startswith(("api/", "apis/")):
            described = ask(where["serverRelativeURL"]).get("components", {}).get("schemas", {})
            count += write_group(as_json_schema(described), folder)
    sys.stdout.write(f"{count} schemas\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
