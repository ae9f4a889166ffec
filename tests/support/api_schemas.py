"""JSON schemas for kubeconform from an API server's own OpenAPI documents: built-in kinds and custom resources alike.

    kubectl … must work; then: python tests/support/api_schemas.py <folder>

A field that a kind does not have is refused, also where the API server would drop it without a word.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_DEFINITION = "io.k8s.apimachinery.pkg."
# What Kubernetes writes as a number or as text, which OpenAPI calls a string.
_EITHER = {
    f"{_DEFINITION}util.intstr.IntOrString": ["integer", "string"],
    f"{_DEFINITION}api.resource.Quantity": ["string", "number"],
}
Schema = dict[str, Any]


def write_schemas(documents: Iterable[Schema], folder: Path) -> int:
    """Write one schema a kind and version into the folder and return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for document in documents:
        for name, schema in kinds(document):
            (folder / f"{name}.json").write_text(json.dumps(schema))
            count += 1
    return count


def kinds(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield kubeconform's name (`deployment-apps-v1`) and the schema of each kind that has metadata."""
    definitions = _closed(document.get("components", {}).get("schemas", {}))
    definitions |= {name: {"type": types} for name, types in _EITHER.items() if name in definitions}
    for schema in definitions.values():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if "metadata" in schema.get("properties", {}) and kind["kind"] != "DeleteOptions":
                name = "-".join([kind["kind"].lower(), *filter(None, [kind["group"].split(".")[0]]), kind["version"]])
                yield name, {**schema, "definitions": definitions, "$schema": "http://json-schema.org/draft-07/schema#"}


def _closed(part: Any) -> Any:
    """Return OpenAPI as JSON schema in which an object has no other properties than those it names."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    result = {key: _closed(value) for key, value in part.items() if key != "example"}
    if isinstance(reference := result.get("$ref"), str):
        result["$ref"] = reference.replace("#/components/schemas/", "#/definitions/")
    if len(result.get("allOf", [])) == 1 and "$ref" in result["allOf"][0]:
        return {"$ref": result["allOf"][0]["$ref"]}
    return _typed(_without_others(result))


def _without_others(schema: Schema) -> Schema:
    named = schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    return schema


def _typed(schema: Schema) -> Schema:
    if schema.get("x-kubernetes-int-or-string") is True or schema.get("format") == "int-or-string":
        schema.pop("format", None)
        schema["type"] = ["integer", "string"]
    elif schema.get("nullable") is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    return schema


def served_documents() -> Iterator[Schema]:
    """Yield the OpenAPI documents of the API server that kubectl talks to."""
    for path, reference in _raw("/openapi/v3")["paths"].items():
        if path.startswith(("api/", "apis/")):
            yield _raw(reference["serverRelativeURL"])


def _raw(path: str) -> Any:
    return json.loads(subprocess.check_output(["kubectl", "get", "--raw", path]))


if __name__ == "__main__":
    sys.stdout.write(f"{write_schemas(served_documents(), Path(sys.argv[1]))} schemas\n")
