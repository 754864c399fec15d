"""JSON Schema as far as our OpenAPI document uses it: what is valid, values that are, and ones with
a single fault."""

import base64
import math
import copy
import re

KINDS = {
    "object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float),
    "integer": int,
}
WRONG = [None, True, 7, -1.5, "wrong", [], [1], {}, {"wrong": 1}]


def is_a(value, kind):
    if isinstance(value, bool):
        return kind == "boolean"
    return value is None if kind == "null" else isinstance(value, KINDS[kind])


class Schemas:
    """`special`: functions of a random source that make the values of properties by that name."""

    def __init__(self, document, random, special):
        self.document, self.random, self.special = document, random, special

    def resolved(self, schema):
        while "$ref" in schema:
            node = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            schema = node
        return schema

    def properties(self, schema):
        """All that an object may have, whichever part of the schema says so."""
        schema = self.resolved(schema)
        found = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            found.update(self.properties(part))
        return found

    # What is valid.

    def valid(self, value, schema):
        schema = self.resolved(schema)
        kinds = schema.get("type", [])
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if kinds and not any(is_a(value, kind) for kind in kinds):
            return False
        if "enum" in schema and value not in schema["enum"]:
            return False
        if "const" in schema and value != schema["const"]:
            return False
        for part in schema.get("allOf", []):
            if not self.valid(value, part):
                return False
        if "anyOf" in schema and not any(self.valid(value, part) for part in schema["anyOf"]):
            return False
        if "oneOf" in schema and sum(self.valid(value, part) for part in schema["oneOf"]) != 1:
            return False
        if "not" in schema and self.valid(value, schema["not"]):
            return False
        if isinstance(value, dict):
            return self.valid_object(value, schema)
        if isinstance(value, list):
            sized = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            return sized and all(self.valid(item, schema.get("items", {})) for item in value)
        if isinstance(value, str):
            sized = len(value) <= schema.get("maxLength", len(value))
            return sized and bool(re.search(schema.get("pattern", ""), value))
        if is_a(value, "number"):
            return schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return True

    def valid_object(self, value, schema):
        if not set(schema.get("required", [])) <= set(value):
            return False
        if len(value) > schema.get("maxProperties", len(value)):
            return False
        known = self.properties(schema)
        closed = schema.get("unevaluatedProperties") is False
        further = False if closed else schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in known:
                if not self.valid(member, known[name]):
                    return False
            elif further is False or (further is not True and not self.valid(member, further)):
                return False
        return True

    # Values.

    def value(self, schema, depth=0):
        schema = self.resolved(schema)
        pick = self.random
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return pick.choice(schema["enum"])
        for choice in ("oneOf", "anyOf"):
            if choice in schema and "type" not in schema:
                return self.value(pick.choice(schema[choice]), depth)
        kind = schema.get("type", "object" if "allOf" in schema else None)
        if isinstance(kind, list):
            kind = pick.choice(kind)
        if kind is None:
            return pick.choice([None, 1, "any", [1, "x"], {"a": {"b": 2}}])
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            most = min(schema.get("maxItems", 3), 3)
            count = pick.randint(schema.get("minItems", 0), most)
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(count)]
        if kind == "string":
            return self.string(schema)
        if kind == "boolean":
            return pick.random() < 0.5
        low = schema.get("minimum", -5)
        high = min(schema.get("maximum", low + 1000), low + 100_000)
        return pick.choice([low, high, pick.randint(math.ceil(low), math.floor(high))])

    def string(self, schema):
        if "examples" in schema:
            return self.random.choice(schema["examples"])
        if schema.get("contentEncoding") == "base64":
            return base64.b64encode(self.random.randbytes(5)).decode()
        words = ["", "a", "200", "2xx", "ETag", "/a/0", "ü\n\"}", "x" * 30]
        return self.random.choice([word for word in words if self.valid(word, schema)])

    def object(self, schema, depth):
        known = self.properties(schema)
        share = 0.25 if depth else 0.5
        names = set(schema.get("required", []))
        names |= {name for name in known if self.random.random() < share}
        made = {}
        for name in sorted(names):
            make = self.special.get(name)
            made[name] = make(self.random) if make else self.value(known[name], depth + 1)
        if isinstance(schema.get("additionalProperties"), dict):
            for name in self.random.sample(["X-A", "b", "C1"], self.random.randint(0, 2)):
                made[name] = self.value(schema["additionalProperties"], depth + 1)
        return made

    # One fault.

    def places(self, value, schema):
        """(container, key, schema) of everything within a value; of unions, within objects only."""
        schema = self.resolved(schema)
        if isinstance(value, dict):
            for part in schema.get("anyOf", []):
                if self.valid(value, part):
                    schema = self.resolved(part)
            known = self.properties(schema)
            for name, member in value.items():
                part = known.get(name)
                if part is not None:
                    yield value, name, part
                    yield from self.places(member, part)
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield value, at, schema.get("items", {})
                yield from self.places(item, schema.get("items", {}))

    def faulty(self, value, schema):
        """A copy with one fault; nothing where none was found."""
        pick = self.random
        for _ in range(20):
            root = {"value": copy.deepcopy(value)}
            places = [(root, "value", schema), *self.places(root["value"], schema)]
            container, key, part = pick.choice(places)
            kind = pick.choice(["type", "unknown", "missing", "range"])
            inside = container[key]
            part = self.resolved(part)
            if kind == "unknown" and isinstance(inside, dict):
                inside["no_such_field"] = 1
            elif kind == "missing" and isinstance(inside, dict) and part.get("required"):
                inside.pop(pick.choice(part["required"]))
            elif kind == "range" and is_a(inside, "number"):
                limits = [part.get("minimum", 0) - 1, part.get("maximum", 1) + 1]
                container[key] = pick.choice(limits)
            elif kind == "range" and isinstance(inside, str):
                container[key] = inside + "\u0001" * 20_000
            else:
                container[key] = pick.choice(WRONG)
            if not self.valid(root["value"], schema):
                return root["value"]
        return None
