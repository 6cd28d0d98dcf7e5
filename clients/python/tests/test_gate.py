"""The client has every operation of docs/openapi.json, or a reason to leave it out."""

from __future__ import annotations

import copy
import inspect
import json
import unittest
from typing import Any

import generate
import specterd
from specterd import _client


class Gate(unittest.TestCase):
    def setUp(self) -> None:
        self.specification = json.loads(generate.SPECIFICATION.read_text(encoding="utf-8"))
        self.operations = generate.operations(self.specification)

    def test_names(self) -> None:
        """Every operation has a name or a reason, and every name an operation."""
        self.assertEqual(generate.check_names(self.operations), [])

    def test_up_to_date(self) -> None:
        """The generated files follow from the specification: python3 clients/python/generate.py."""
        for name, text in generate.generated(self.specification).items():
            with self.subTest(name):
                path = generate.HERE / "specterd" / name
                self.assertTrue(path.read_text(encoding="utf-8") == text, f"{name} is stale; run python3 clients/python/generate.py")

    def test_methods(self) -> None:
        """The client has a method for each operation, by method and path."""
        client = specterd.Client("http://127.0.0.1:1")
        for method, path, operation in self.operations:
            if operation["operationId"] in generate.LEFT_OUT:
                self.assertNotIn(f"{method} {path}", specterd.OPERATIONS)
                continue
            with self.subTest(f"{method} {path}"):
                group, name = specterd.OPERATIONS[f"{method} {path}"].split(".")
                self.assertTrue(callable(getattr(getattr(client, group), name)))
        listed = len(specterd.OPERATIONS) + len(generate.LEFT_OUT)
        self.assertEqual(listed, len(self.operations))

    def test_arguments(self) -> None:
        """Each method takes the query parameters of its operation and the fields of its body."""
        client = specterd.Client("http://127.0.0.1:1")
        schemas = self.specification["components"]["schemas"]
        for method, path, operation in self.operations:
            if operation["operationId"] in generate.LEFT_OUT:
                continue
            with self.subTest(f"{method} {path}"):
                group, name = specterd.OPERATIONS[f"{method} {path}"].split(".")
                methods = getattr(client, group)
                taken = set(inspect.signature(getattr(methods, name)).parameters)
                if hasattr(methods, name.replace("list", "export")):
                    taken |= set(inspect.signature(getattr(methods, name.replace("list", "export"))).parameters)
                wanted = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
                content = operation.get("requestBody", {}).get("content", {})
                if "application/json" in content:
                    wanted |= set(schemas[content["application/json"]["schema"]["$ref"].split("/")[-1]].get("properties", {}))
                self.assertLessEqual({generate.python_name(one) for one in wanted}, taken)

    def test_statuses(self) -> None:
        """wait_for knows every status of a proposal."""
        statuses = self.specification["components"]["schemas"]["ProposalDetails"]["properties"]["status"]["enum"]
        self.assertEqual(sorted([*_client.PROGRESS, *_client.CLOSED]), sorted(statuses))

    def test_new_operation(self) -> None:
        """A new operation is refused, with what to do, and so is a name without an operation."""
        changed = copy.deepcopy(self.specification)
        new: Any = {"operationId": "listPolicies", "tags": ["policies"], "summary": "List policies", "responses": {}}
        changed["paths"]["/api/v1/wallets/{alias}/policies"] = {"get": new}
        del changed["paths"]["/api/v1/fees"]
        missing, unknown = generate.check_names(generate.operations(changed))
        self.assertIn('listPolicies (GET /api/v1/wallets/{alias}/policies) must have either a name in NAMES, such as "listPolicies": "policies.list"', missing)
        self.assertEqual(unknown, "getFees is not in docs/openapi.json; remove it")


if __name__ == "__main__":
    unittest.main()
