#!/usr/bin/env python3
"""Generate specterd/types.py and specterd/_groups.py from docs/openapi.json.

    python3 clients/python/generate.py           write the files
    python3 clients/python/generate.py --check   fail if they are not up to date

Every operation of the specification must have an entry in NAMES, or a reason in LEFT_OUT.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
SPECIFICATION = HERE.parent.parent / "docs" / "openapi.json"
REFERENCE = HERE.parent.parent / "internal" / "httpapi" / "reference" / "python.json"
Schema = Dict[str, Any]

# The group and the method of each operation, by its operationId. A group is a noun, and an
# attribute of Client. After a change, run this program.
NAMES = {
    "liveness": "health.live",
    "readiness": "health.ready",
    "listDevices": "devices.list",
    "changeDevice": "devices.change",
    "getPolicy": "policies.get",
    "putPolicy": "policies.set",
    "deletePolicy": "policies.delete",
    "simulatePolicy": "policies.simulate",
    "getPolicyUsage": "policies.get_usage",
    "listPolicyChanges": "policies.list_changes",
    "approvePolicyChange": "policies.approve_change",
    "cancelPolicyChange": "policies.cancel_change",
    "getMemberPolicy": "policies.get_of_member",
    "putMemberPolicy": "policies.set_of_member",
    "deleteMemberPolicy": "policies.delete_of_member",
    "getServerPolicy": "policies.get_of_server",
    "putServerPolicy": "policies.set_of_server",
    "deleteServerPolicy": "policies.delete_of_server",
    "listServerPolicyChanges": "policies.list_changes_of_server",
    "approveServerPolicyChange": "policies.approve_change_of_server",
    "cancelServerPolicyChange": "policies.cancel_change_of_server",
    "listPolicyLists": "policy_lists.list",
    "getPolicyList": "policy_lists.get",
    "putPolicyList": "policy_lists.set",
    "deletePolicyList": "policy_lists.delete",
    "findAddress": "addresses.find",
    "listAddresses": "addresses.list",
    "createAddress": "addresses.create",
    "getAddress": "addresses.get",
    "labelAddress": "addresses.label",
    "listAudit": "audit.list",
    "listAllEvents": "event_log.list_all",
    "listEvents": "event_log.list",
    "getFees": "fees.get",
    "listOwnInvitations": "invitations.list_own",
    "deleteInvitation": "invitations.delete",
    "acceptInvitation": "invitations.accept",
    "listInvitations": "invitations.list",
    "createInvitation": "invitations.create",
    "exportLabels": "labels.export",
    "importLabels": "labels.add",
    "labelOutput": "labels.set_output",
    "listMembers": "members.list",
    "putMember": "members.set",
    "deleteMember": "members.remove",
    "getNode": "node.get",
    "listProposals": "proposals.list",
    "createProposal": "proposals.create",
    "getProposal": "proposals.get",
    "cancelProposal": "proposals.cancel",
    "abandonProposal": "proposals.abandon",
    "broadcastProposal": "proposals.broadcast",
    "approveProposal": "proposals.approve",
    "rejectProposal": "proposals.reject",
    "bumpProposal": "proposals.bump",
    "getProposalQR": "proposals.qr",
    "addSignatures": "proposals.sign",
    "listTokens": "tokens.list",
    "createToken": "tokens.create",
    "getOwnToken": "tokens.get_own",
    "deleteOwnToken": "tokens.delete_own",
    "getToken": "tokens.get",
    "deleteToken": "tokens.delete",
    "rotateToken": "tokens.rotate",
    "listUserTokens": "tokens.list_of_user",
    "deleteUserTokens": "tokens.delete_all_of_user",
    "deleteUserToken": "tokens.delete_of_user",
    "listAllTransactions": "transactions.list_all",
    "listTransactions": "transactions.list",
    "getTransaction": "transactions.get",
    "labelTransaction": "transactions.label",
    "listUsers": "users.list",
    "createUser": "users.create",
    "getSelf": "users.get_self",
    "changeSelf": "users.change_self",
    "getUser": "users.get",
    "deleteUser": "users.delete",
    "changeUser": "users.change",
    "listUTXOs": "utxos.list",
    "freezeUTXO": "utxos.freeze",
    "unfreezeUTXO": "utxos.unfreeze",
    "listWallets": "wallets.list",
    "createWallet": "wallets.create",
    "inspectWallet": "wallets.inspect",
    "getWallet": "wallets.get",
    "deleteWallet": "wallets.delete",
    "changeWallet": "wallets.change",
    "exportWallet": "wallets.export",
    "getRescan": "wallets.get_rescan",
    "startRescan": "wallets.start_rescan",
    "stopRescan": "wallets.stop_rescan",
    "listWebhooks": "webhooks.list",
    "createWebhook": "webhooks.create",
    "getWebhook": "webhooks.get",
    "deleteWebhook": "webhooks.delete",
    "changeWebhook": "webhooks.change",
    "listDeliveries": "webhooks.list_deliveries",
    "getDelivery": "webhooks.get_delivery",
    "redeliver": "webhooks.redeliver",
    "recoverWebhook": "webhooks.recover",
    "rotateWebhookSecret": "webhooks.rotate_secret",
    "testWebhook": "webhooks.test",
}

ALPHA = "v1alpha is for scripts written for Specter Desktop; v1 has all of it"

# The operations that the client leaves out, each with the reason.
LEFT_OUT = {
    "v1alphaGetSpecter": ALPHA,
    "v1alphaGetTransactions": ALPHA,
    "v1alphaListTokens": ALPHA,
    "v1alphaCreateToken": ALPHA,
    "v1alphaGetToken": ALPHA,
    "v1alphaDeleteToken": ALPHA,
    "v1alphaGetWallet": ALPHA,
    "v1alphaListPSBTs": ALPHA,
    "v1alphaCreatePSBT": ALPHA,
}

# Types of fields of requests that accept more than the specification's type, because the client
# converts them: bytes to base64, mappings to objects.
ACCEPTED = {
    ("AddSignaturesRequest", "psbt"): "Union[str, bytes]",
    ("CreateProposalRequest", "recipients"): "Sequence[Union[types.Recipient, Mapping[str, Any]]]",
}

# Fields that dataclasses do not print.
SECRET = {"token", "secret", "psbt", "raw_hex", "hex"}

# The types of fields that hold times, in requests: the server also accepts dates there.
TIME = "Union[datetime, str]"


def main() -> int:
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    problems = check_names(operations(specification))
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    stale = []
    for name, text in generated(specification).items():
        path = HERE / "specterd" / name  # or name itself, if it is absolute
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"stale: {', '.join(stale)}; run python3 clients/python/generate.py", file=sys.stderr)
    return 1 if stale else 0


def generated(specification: Schema) -> Dict[str, str]:
    """Return the text of each generated file."""
    names = json.dumps(dict(sorted(NAMES.items())), indent=2) + "\n"  # for the API reference
    return {"types.py": types_text(specification), "_groups.py": groups_text(specification), str(REFERENCE): names}


Operation = Tuple[str, str, Schema]  # method, path, operation


def operations(specification: Schema) -> List[Operation]:
    methods = ("get", "post", "put", "patch", "delete")
    paths = specification["paths"].items()
    return [(m.upper(), path, item[m]) for path, item in paths for m in methods if m in item]


def check_names(found: List[Operation]) -> List[str]:
    """Return what is missing from NAMES and LEFT_OUT, and what they name in vain."""
    ids = [operation["operationId"] for _, _, operation in found]
    problems = []
    for method, path, operation in found:
        name = operation["operationId"]
        if (name in NAMES) == (name in LEFT_OUT):
            problems.append(
                f"{name} ({method} {path}) must have either a name in NAMES, such as "
                f'"{name}": "{operation["tags"][0]}.{re.sub("[A-Z].*", "", name)}", '
                "or a reason in LEFT_OUT of clients/python/generate.py"
            )
    problems += [f"{name} is not in docs/openapi.json; remove it" for name in [*NAMES, *LEFT_OUT] if name not in ids]
    names = list(NAMES.values())
    problems += [f"{name} occurs twice in NAMES" for name in sorted(set(names)) if names.count(name) > 1]
    return problems


# Types


def types_text(specification: Schema) -> str:
    schemas = specification["components"]["schemas"]
    lines = [
        '"""The types of requests and responses; generated by generate.py from docs/openapi.json."""',
        "",
        "from __future__ import annotations",
        "",
        "from dataclasses import dataclass, field",
        "from datetime import datetime",
        "from typing import Any, Dict, List, Optional",
        "",
        "from ._values import Object",
    ]
    names = [name for name in sorted(used(specification)) if is_class(schemas[name])]
    for name in names:
        lines += ["", "", *class_lines(name, schemas[name], schemas)]
    lines += ["", "", "__all__ = [", *[f'    "{name}",' for name in names], "]", ""]
    return "\n".join(lines)


def used(specification: Schema) -> List[str]:
    """Return the schemas of responses and of parts of requests."""
    schemas, found = specification["components"]["schemas"], []

    def visit(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                visit(one)
        if not isinstance(value, dict):
            return
        for key, one in value.items():
            if key != "$ref":
                visit(one)
                continue
            name = one.rsplit("/", 1)[-1]
            if one.startswith("#/components/schemas/") and name not in found:
                found.append(name)
                visit(schemas[name])

    for _, _, operation in operations(specification):
        if operation["operationId"] not in LEFT_OUT:
            visit(operation.get("requestBody", {}))
            visit({code: r for code, r in operation["responses"].items() if code.startswith("2")})
    return [name for name in found if not name.endswith("Request")]


def is_class(schema: Schema) -> bool:
    return schema.get("type") == "object" and "properties" in schema


def class_lines(name: str, schema: Schema, schemas: Schema) -> List[str]:
    lines = ["@dataclass", f"class {name}(Object):"]
    lines += docstring(schema.get("description", ""), 4)
    required = schema.get("required", [])
    properties = sorted(schema["properties"].items(), key=lambda p: p[0] not in required)
    for field_name, value in properties:
        kind = type_of(value, schemas)
        optional = field_name not in required
        if optional and not kind.startswith("Optional[") and kind != "Any":
            kind = f"Optional[{kind}]"
        default = "None" if optional else ""
        if field_name in SECRET:
            default = f"field({'default=None, ' if optional else ''}repr=False)"
        lines.append(f"    {python_name(field_name)}: {kind}" + (f" = {default}" if default else ""))
        lines += docstring(description_of(value), 4)
    return lines


def description_of(value: Schema) -> str:
    text: str = value.get("description", "")
    options = [str(option) for option in value.get("enum", []) if option]
    return text + (" " if text else "") + f"One of: {', '.join(options)}." if options else text


def type_of(value: Schema, schemas: Schema, prefix: str = "") -> str:
    """Return the Python type of a value in a response or in a part of a request."""
    if "$ref" in value:
        name: str = value["$ref"].rsplit("/", 1)[-1]
        if is_class(schemas[name]):
            return prefix + name
        return type_of(schemas[name], schemas, prefix)
    for union in ("anyOf", "oneOf"):
        options = [o for o in value.get(union, []) if o.get("type") != "null"]
        if options and len(options) < len(value[union]):
            return optional_of(type_of(options[0], schemas, prefix))
        if options:
            objects = all(o.get("type") == "object" for o in options)
            return "Dict[str, Any]" if objects else "Any"
    kinds = value.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    named = [kind for kind in kinds if kind != "null"]
    if not named:
        return "Any"
    kind = plain_type(named[0], value, schemas, prefix)
    return optional_of(kind) if len(named) < len(kinds) else kind


def plain_type(kind: str, value: Schema, schemas: Schema, prefix: str) -> str:
    if kind == "array":
        return f"List[{type_of(value['items'], schemas, prefix)}]"
    if kind == "object":
        entries = value.get("additionalProperties")
        return f"Dict[str, {type_of(entries, schemas, prefix) if isinstance(entries, dict) else 'Any'}]"
    if kind == "string" and value.get("format") == "date-time":
        return "datetime"
    return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kind]


def optional_of(kind: str) -> str:
    return kind if kind == "Any" or kind.startswith("Optional[") else f"Optional[{kind}]"


def python_name(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def docstring(text: str, indent: int) -> List[str]:
    if not text:
        return []
    pad, text = " " * indent, text.replace("\\", "\\\\").replace('"""', "'''")
    if text.endswith('"'):
        text += " "
    wrapped = textwrap.wrap(f'"""{text}"""', 100 - indent, break_long_words=False, break_on_hyphens=False)
    return [pad + line for line in wrapped]


# Groups


def groups_text(specification: Schema) -> str:
    groups: Dict[str, List[Operation]] = {}
    for method, path, operation in operations(specification):
        name = NAMES.get(operation["operationId"])
        if name:
            groups.setdefault(name.split(".")[0], []).append((method, path, operation))
    lines = [
        '"""The methods of the client; generated by generate.py from docs/openapi.json."""',
        "",
        "from __future__ import annotations",
        "",
        "from datetime import datetime",
        "from typing import Any, Iterator, List, Literal, Mapping, Optional, Sequence, Union",
        "",
        "from . import types",
        "from ._http import Reference, Request, Transport, etag_of, new_key",
        "from ._values import UNSET, Unset, given, json_lines, present",
        "",
        "",
        "class Group:",
        '    """Base class of the groups of methods."""',
        "",
        "    def __init__(self, transport: Transport) -> None:",
        "        self._transport = transport",
    ]
    for group in sorted(groups):
        name = "".join(part.capitalize() for part in group.split("_"))
        lines += ["", "", f"class {name}(Group):", f'    """Requests about {group.replace("_", " ")}."""']
        for method, path, operation in groups[group]:
            for m in methods_of(method, path, operation, specification["components"]["schemas"]):
                lines += ["", *m]
    lines += ["", "", "class Groups:", '    """The groups of methods, by noun."""', ""]
    lines += ["    def __init__(self, transport: Transport) -> None:"]
    lines += [f"        self.{g} = {''.join(p.capitalize() for p in g.split('_'))}(transport)" for g in sorted(groups)]
    lines += ["", "", "OPERATIONS = {"]
    lines += [f'    "{m} {p}": "{NAMES[o["operationId"]]}",' for g in sorted(groups) for m, p, o in groups[g]]
    lines += ["}", '"""The method of each operation."""', ""]
    return "\n".join(lines)


class Method:
    """The parts of one generated method."""

    def __init__(self, method: str, path: str, operation: Schema, schemas: Schema) -> None:
        self.method, self.path, self.operation, self.schemas = method, path, operation, schemas
        self.name = NAMES[operation["operationId"]].split(".")[1]
        self.positional: List[str] = []
        self.keywords: List[str] = []
        self.notes: List[str] = []
        self.request: List[str] = []
        parameters = operation.get("parameters", [])
        self.headers = [p["name"] for p in parameters if p["in"] == "header"]
        self.query = [p for p in parameters if p["in"] == "query"]
        self.success = {c: r for c, r in operation["responses"].items() if c.startswith("2")}
        self.content: Schema = {}
        for response in self.success.values():
            self.content.update(response.get("content", {}))

    def add_path(self) -> None:
        named = re.findall(r"(?:([a-z-]+)/)?\{(\w+)\}", self.path)
        values = []
        for noun, parameter in named:
            name = path_name(noun, parameter)
            kind = "Reference" if parameter in ("id", "delivery") else "str"
            self.positional.append(f"{name}: {kind}")
            values.append(f'"{parameter}": {name}')
        if values:
            self.request.append("params={" + ", ".join(values) + "}")

    def add_query(self, without: Tuple[str, ...] = (), limit: str = "limit") -> None:
        pairs = []
        for p in self.query:
            if p["name"] in without:
                continue
            name = limit if p["name"] == "limit" else python_name(p["name"])
            kind = request_type(p["schema"], self.schemas)
            self.keywords.append(f"{name}: {kind}" if p.get("required") else f"{name}: {optional_of(kind)} = None")
            self.note(name, p.get("description", ""))
            pairs.append(f'"{p["name"]}": {name}')
        if pairs:
            self.request.append("query=" + mapping(pairs))

    def add_body(self) -> None:
        content = self.operation.get("requestBody", {}).get("content", {})
        if content and "application/json" not in content:
            self.positional.append("lines: Union[str, bytes, Sequence[types.Label]]")
            self.request += ["body=json_lines(lines)", f'content_type="{next(iter(content))}"']
            return
        if not content:
            return
        reference = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
        schema = self.schemas[reference]
        required = schema.get("required", [])
        pairs: List[str] = []
        always: List[str] = []
        for field_name, value in sorted(schema.get("properties", {}).items()):
            name = python_name(field_name)
            kind = ACCEPTED.get((reference, field_name)) or request_type(value, self.schemas)
            if field_name in required:
                target = self.positional if len(required) == 1 else self.keywords
                target.append(f"{name}: {kind}")
            elif self.method == "PATCH":
                self.keywords.append(f"{name}: Union[{kind}, Unset] = UNSET")
            else:
                self.keywords.append(f"{name}: {optional_of(kind)} = None")
            self.note(name, value.get("description", ""))
            kept = always if field_name in required else pairs
            kept.append(f'"{field_name}": {name}')
        if pairs:
            optional = f"{'given' if self.method == 'PATCH' else 'present'}({mapping(pairs)})"
            self.request.append(f"body={mapping([*always, f'**{optional}'])}" if always else f"body={optional}")
        else:
            self.request.append(f"body={mapping(always)}")

    def add_headers(self) -> None:
        if "If-Match" in self.headers:
            self.keywords.append("if_match: Optional[str] = None")
            references = [p.split(":")[0] for p in self.positional if p.endswith(": Reference")]
            text = "ETag that the object must still have"
            if references:
                text += "; by default that of the object, if you pass an object, and none if you pass an id"
            self.note("if_match", text + ".")
            default = f" if if_match is not None else etag_of({references[-1]})" if references else ""
            self.request.append("if_match=if_match" + default)
        if "If-None-Match" in self.headers and not self.name.startswith("iter"):
            self.keywords.append("if_none_match: Optional[str] = None")
            self.note("if_none_match", "ETag of an earlier response; raises NotModified if it is unchanged.")
            self.request.append("if_none_match=if_none_match")
        if "Idempotency-Key" in self.headers:
            self.keywords.append("idempotency_key: Optional[str] = None")
            self.note("idempotency_key", "Key with which the request is executed once; by default a new one for each call.")
            self.request.append("key=idempotency_key or new_key()")

    def note(self, name: str, text: str) -> None:
        if text:
            self.notes.append(f"{name}: {text}")

    def lines(self, result: str, call: str, summary: str) -> List[str]:
        keywords = sorted(self.keywords, key=lambda k: " = " in k)
        arguments = ["self", *self.positional, *(["*"] if keywords else []), *keywords]
        head = f"    def {self.name}({', '.join(arguments)}) -> {result}:"
        if len(head) > 110:
            head = "\n".join([f"    def {self.name}(", *[f"        {a}," for a in arguments], f"    ) -> {result}:"])
        lines = [head, *self.doc(summary)]
        parts = [f'"{self.method}"', f'"{self.path}"', *self.request]
        lines += ["        request = Request(", *[f"            {part}," for part in parts], "        )"]
        return lines + [f"        {call}"]

    def doc(self, summary: str) -> List[str]:
        description = self.operation.get("description", "")
        blocks = [docstring_text(summary + "."), docstring_text(description), *[docstring_text(n, "  ") for n in self.notes]]
        lines = [line for block in blocks[:2] for line in [*block, ""] if block]
        lines += [line for block in blocks[2:] for line in block]
        while lines and not lines[-1]:
            lines.pop()
        text = ['        """' + lines[0], *[("        " + line).rstrip() for line in lines[1:]]]
        return [text[0] + '"""'] if len(text) == 1 else [*text, '        """']


def mapping(pairs: List[str]) -> str:
    """Return a dictionary, on several lines if it is long."""
    line = "{" + ", ".join(pairs) + "}"
    if len(line) < 80:
        return line
    return "\n".join(["{", *[f"                {pair}," for pair in pairs], "            }"])


def summary_of(operation: Schema) -> str:
    """Return the summary without the formats that have their own methods."""
    return re.sub(r", or (export CSV or JSON Lines|stream them)$", "", operation["summary"])


def docstring_text(text: str, hanging: str = "") -> List[str]:
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    return textwrap.wrap(text, 92, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def path_name(noun: str, parameter: str) -> str:
    """Return the name of a path parameter: the noun before it for an id, a name or an alias."""
    if parameter not in ("id", "name", "alias") or noun == "lists":
        return python_name(parameter)
    return noun[:-3] + "y" if noun.endswith("ies") else noun.rstrip("s")


def request_type(value: Schema, schemas: Schema) -> str:
    """Return the Python type of an argument."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"types.{name}" if is_class(schemas[name]) else request_type(schemas[name], schemas)
    if "oneOf" in value:
        return "Union[" + ", ".join(request_type(o, schemas) for o in value["oneOf"]) + "]"
    if "anyOf" in value:  # a type or null
        options = [o for o in value["anyOf"] if o.get("type") != "null"]
        return optional_of(request_type(options[0], schemas))
    kinds = value.get("type", [])
    nullable = isinstance(kinds, list) and "null" in kinds
    options = [f'"{option}"' for option in value.get("enum", []) if option is not None]
    named = [k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null"][0]
    if options:
        kind = f"Literal[{', '.join(options)}]"
    elif named == "array":
        kind = f"Sequence[{request_type(value['items'], schemas)}]"
    elif named == "object":
        kind = type_of(value, schemas, "types.").replace("Dict[", "Mapping[").removeprefix("Optional[")
    elif value.get("format") == "date-time":
        kind = TIME
    else:
        kind = type_of({"type": named}, schemas)
    return f"Optional[{kind}]" if nullable else kind


def methods_of(method: str, path: str, operation: Schema, schemas: Schema) -> List[List[str]]:
    """Return the methods of an operation: itself, and iter and export if it has pages and CSV."""
    found = [plain_method(Method(method, path, operation, schemas))]
    query = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    if "cursor" in query:
        found.append(iterator(Method(method, path, operation, schemas)))
    if any("text/csv" in r.get("content", {}) for r in operation["responses"].values()):
        found.append(exporter(Method(method, path, operation, schemas)))
    return found


def plain_method(m: Method) -> List[str]:
    m.add_path()
    m.add_body()
    m.add_query(without=("view", "bom"))
    m.add_headers()
    schema = m.content.get("application/json", {}).get("schema", {})
    kind = "types." + schema["$ref"].rsplit("/", 1)[-1] if "$ref" in schema else None
    summary = summary_of(m.operation)
    wait = ", timeout=self._transport.timeout + (wait or 0)" if any(p["name"] == "wait" for p in m.query) else ""
    if "text/plain" in m.content:
        m.request.append('accept="*/*"')
        return m.lines("str", "return self._transport.text(request)", summary)
    if kind is None and "application/jsonl" in m.content:
        kind = "types." + m.content["application/jsonl"]["schema"]["$ref"].rsplit("/", 1)[-1]
        return m.lines(f"List[{kind}]", f"return self._transport.lines({kind}, request)", summary)
    if kind is None:
        return m.lines("None", "self._transport.none(request)", summary)
    if "204" in m.success:
        return m.lines(f"Optional[{kind}]", f"return self._transport.maybe({kind}, request{wait})", summary)
    return m.lines(kind, f"return self._transport.one({kind}, request{wait})", summary)


def iterator(m: Method) -> List[str]:
    m.name = "iter" + m.name[len("list") :] if m.name.startswith("list") else "iter_" + m.name
    m.add_path()
    m.add_query(without=("cursor", "view", "bom"), limit="page_size")
    page = m.schemas[m.content["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]]
    kind = "types." + page["properties"]["items"]["items"]["$ref"].rsplit("/", 1)[-1]
    summary = summary_of(m.operation) + ", and yield the entries of all pages"
    return m.lines(f"Iterator[{kind}]", f"return self._transport.pages({kind}, request)", summary)


def exporter(m: Method) -> List[str]:
    m.name = "export" + m.name[len("list") :]
    m.keywords.append('format: Literal["csv", "jsonl"] = "csv"')
    m.note("format", "csv, or jsonl for JSON Lines.")
    m.add_path()
    m.add_query(without=("cursor", "limit"))
    m.request.append('accept={"csv": "text/csv", "jsonl": "application/jsonl"}[format]')
    summary = "Export: " + summary_of(m.operation)[0].lower() + summary_of(m.operation)[1:] + ", as the parts of one file"
    return m.lines("Iterator[bytes]", "return self._transport.stream(request)", summary)


if __name__ == "__main__":
    sys.exit(main())
