"""Holds a Kubernetes manifest against the models of the API's own client: run by test_deploy.

What the API has no field for, or lacks, or has of another type, ends this with a message.
"""

import re
import sys

import yaml
from kubernetes import client

PLAIN = {"str": str, "int": int, "bool": bool, "object": object}


def check(kind, value, where):
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        for index, item in enumerate(value):
            check(found[1], item, f"{where}[{index}]")
    elif found := re.fullmatch(r"dict\(str, (.+)\)", kind):
        for name, item in value.items():
            check(found[1], item, f"{where}.{name}")
    elif kind in PLAIN:
        if not isinstance(value, PLAIN[kind]):
            sys.exit(f"{where}: {value!r} is no {kind}")
    else:
        model = getattr(client, kind)
        attributes = {name: attribute for attribute, name in model.attribute_map.items()}
        for name, item in value.items():
            if name not in attributes:
                sys.exit(f"{where}.{name}: {kind} has no such field")
            check(model.openapi_types[attributes[name]], item, f"{where}.{name}")
        try:
            model(**{attributes[name]: item for name, item in value.items()})
        except ValueError as error:
            sys.exit(f"{where}: {error}")


with open(sys.argv[1], encoding="utf-8") as file:
    for document in yaml.safe_load_all(file):
        check(f"V1{document['kind']}", document, document["kind"])
