"""What the interpreter of the py.* ops runs first: imports the operator's modules and describes them.

Process: once in a process that only describes, where `tell` is a descriptor; once in the spawner, so
that all workers share what was imported; in workers, report() and to_json().
"""

import importlib.util
import inspect
import io
import json
import linecache
import os
import pkgutil
import re
import sys
import traceback
import types
import typing

OWN_FILE = "<fetchmill>"  # of this code, in tracebacks
REPORT_MAX = 3000  # characters of a traceback
SUMMARY_MAX = 300

# Workers have no files, so what is imported inside a function must be there already.
PRELOADED = """
_strptime array ast base64 binascii bisect bz2 calendar cmath codecs collections.abc colorsys
concurrent.futures.thread configparser contextlib copy csv dataclasses datetime decimal difflib enum
email.message email.parser email.policy fnmatch fractions functools gzip hashlib heapq hmac html
html.entities html.parser ipaddress itertools json locale logging lzma math operator pprint queue
quopri random re secrets shlex statistics string stringprep struct textwrap threading time tomllib
unicodedata urllib.parse uuid weakref xml.etree.ElementTree xml.sax zlib zoneinfo
"""

functions = {}  # name: process
failed = {}  # name: why there is none
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Mistake(Exception):
    """What the operator has to change, in words."""


class NowhereBytes(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        return len(data)


class Nowhere(io.TextIOBase):
    """What prints go to: a worker has nobody to tell."""

    encoding, errors = "utf-8", "replace"

    def __init__(self):
        self.buffer = NowhereBytes()

    def writable(self):
        return True

    def write(self, text):
        return len(text)


def close_streams():
    sys.stdin = sys.__stdin__ = io.StringIO()
    sys.stdout = sys.__stdout__ = Nowhere()
    sys.stderr = sys.__stderr__ = Nowhere()


def preload():
    encodings = importlib.import_module("encodings")
    codecs = [f"encodings.{module.name}" for module in pkgutil.iter_modules(encodings.__path__)]
    for name in [*PRELOADED.split(), *codecs]:
        try:
            importlib.import_module(name)
        except ImportError:  # of another system
            pass


# ---- Importing


def import_file(directory, file):
    """The module of that file. Its name is that of its op, so that it shadows no other."""
    path = os.path.join(directory, file)
    with open(path, "rb") as source:
        data = source.read()
    code = compile(data, file, "exec", dont_inherit=True)
    remember_lines(file, data)
    module = types.ModuleType("py." + file.removesuffix(".py"))
    module.__file__ = path
    sys.modules[module.__name__] = module
    exec(code, module.__dict__)
    return module


def remember_lines(name, data):
    """For tracebacks in workers. Without a time of change nobody looks at the file again."""
    lines = importlib.util.decode_source(data).splitlines(keepends=True)
    linecache.cache[name] = (len(data), None, lines, name)


def remember_helpers(directory):
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(directory) and path.endswith(".py"):
            with open(path, "rb") as source:
                remember_lines(path, source.read())


def check_threads():
    if len(os.listdir("/proc/self/task")) > 1:
        raise Mistake("importing it starts a thread, which workers, forked after that, do not have")


def import_all(directory, tell):
    def say(**event):
        text = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        while tell >= 0 and text:
            text = text[os.write(tell, text) :]

    global root
    root = directory = os.path.join(os.path.abspath(directory), "")
    close_streams()
    preload()
    try:
        files = [file for file in sorted(os.listdir(directory)) if file.endswith(".py")]
    except OSError as error:
        return say(mistake=error.strerror)
    sys.path.append(directory)
    files = [file for file in files if not file.startswith(("_", "."))]
    if not files:
        say(mistake="there is no NAME.py in it")
    for file in files:
        name = file.removesuffix(".py")
        say(importing=file)
        try:
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,63}", name):
                raise Mistake("the name of an op is a letter, then letters, digits and _")
            module = import_file(directory, file)
            check_threads()
            op = describe(name, module)
        except BaseException as error:
            text = report(error)
            failed[name] = f"{file}:" + ("\n" if "\n" in text else " ") + text
            say(mistake=failed[name])
        else:
            functions[name] = module.process
            say(op=op)
    remember_helpers(directory)
    say(done=True)


# ---- Describing


def signature_of(process):
    try:
        return inspect.signature(process, eval_str=True)
    except (NameError, AttributeError, SyntaxError, TypeError):
        return inspect.signature(process)  # of names that only a type checker has


def describe(name, module):
    process = getattr(module, "process", None)
    if not callable(process):
        raise Mistake("it has no function process(body, params)")
    if inspect.iscoroutinefunction(process) or inspect.isgeneratorfunction(process):
        raise Mistake("process must be a plain function: not async, and without yield")
    signature = signature_of(process)
    parameters = list(signature.parameters.values())
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or parameters[0].kind not in by_place:
        raise Mistake("process must take the body first: process(body, params)")
    takes_any = len(parameters) > 1 and parameters[1].name == "params"
    takes_any = takes_any and parameters[1].kind in by_place
    own = parameters[1 + takes_any :]
    for parameter in own:
        if parameter.kind not in (by_place[1], inspect.Parameter.KEYWORD_ONLY):
            raise Mistake(f"{parameter} cannot be a parameter of an op: give it a name of its own")
        if parameter.name == "op":
            raise Mistake("a parameter cannot be named op, as steps say {\"op\": NAME} already")
    text = inspect.getdoc(process) or inspect.getdoc(module) or f"process() of {name}.py."
    return {
        "name": name,
        "summary": " ".join(text.strip().partition("\n\n")[0].split())[:SUMMARY_MAX],
        "output": media_type_of(signature.return_annotation),
        "takes_any": takes_any,
        "parameters": [describe_parameter(parameter) for parameter in own],
    }


def media_type_of(annotation):
    if annotation in (bytes, bytearray, memoryview):
        return "application/octet-stream"
    if annotation is str:
        return "text/plain; charset=utf-8"
    kind = typing.get_origin(annotation) or annotation
    return "application/json" if kind in (dict, list, tuple, int, float, bool, None) else "*/*"


def describe_parameter(parameter):
    annotation, description = parameter.annotation, ""
    if typing.get_origin(annotation) is typing.Annotated:
        texts = [text for text in annotation.__metadata__ if isinstance(text, str)]
        annotation, description = annotation.__origin__, (texts or [""])[0]
    types_, values = forms_of(annotation)
    described = {
        "name": parameter.name,
        "types": ["json"] if "json" in types_ else types_,
        "values": values,
        "required": parameter.default is parameter.empty,
        "description": description,
    }
    if not described["required"] and parameter.default is not None:
        try:
            described["default"] = ENCODER.encode(parameter.default)
        except (TypeError, ValueError):  # then it is the function's own affair
            pass
    return described


def forms_of(annotation):
    """(the forms that values take, the strings allowed); see ParamType."""
    simple = {str: "string", bool: "boolean", int: "integer", float: "number"}
    simple |= {list[str]: "string_list", dict[str, str]: "string_map"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal and all(isinstance(value, str) for value in arguments):
        return ["string"], list(arguments)
    if origin in (typing.Union, types.UnionType):
        members = [forms_of(member) for member in arguments if member is not type(None)]
        values = [value for _, values in members for value in values]
        plain = any("string" in forms and not values for forms, values in members)
        all_forms = [form for forms, _ in members for form in forms]
        if type(None) in arguments:
            all_forms.append("null")
        return all_forms, [] if plain else values
    try:
        return [simple.get(annotation, "json")], []
    except TypeError:  # an annotation that cannot be hashed
        return ["json"], []


# ---- In workers


def report(error):
    """Its traceback, without our frames and the operator's paths, and not longer than REPORT_MAX."""
    if isinstance(error, Mistake):
        return str(error)
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == OWN_FILE:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")
    text = text.replace(root, "")
    if len(text) > REPORT_MAX:
        text = "..." + text[-REPORT_MAX:]
    if in_worker and isinstance(error, ImportError):
        text += "\nWorkers have no files: import at the top of the module, not inside process."
    elif in_worker and isinstance(error, PermissionError):
        text += "\nWorkers have no files and no network."
    return text.encode("utf-8", "replace").decode()


def to_json(value):
    """The value as bytes of JSON; a string that says why not, if it is none."""
    try:
        return ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(value).__name__
        return f"process returned {kind}, which is not bytes, str or JSON: {error}"


root = "/"
in_worker = False
