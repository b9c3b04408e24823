"""YAML files, in which numbers are numbers: `1e-3` too, and nothing is `yes`; a key that stands twice is refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error

__all__ = ["read_yaml", "yaml_text"]

_FLOAT = re.compile(r"[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)")
_TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")


def read_yaml(text: str, path: object, what: Argument) -> Mapping[str, object]:
    """The mapping that the text of a file holds.

    Raises
    ------
    ValueError
        If it is no YAML with a mapping.
    """
    yaml = import_io("yaml")
    try:
        data = yaml.load(text, Loader=_loader(yaml))  # a SafeLoader: data alone, no objects
    except (yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split()) or "it is nested too deep"
        raise argument_error(what, "must be a description in YAML", f"{path} is none: {said}") from error
    if not isinstance(data, dict):
        raise argument_error(what, "must be a description in YAML", f"{path} holds {type(data).__name__}, no mapping")
    return data


@functools.cache
def _loader(yaml: ModuleType) -> type:
    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            seen = set()
            # PyYAML itself takes the last of equal keys without a word.
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(None, None, "a key that is no name", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    # YAML 1.1 reads `no` as false, 1e-3 as text for want of a dot, and 2020-01-01 as a date.
    kept = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in kept]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(rf"^(?:{_TRUTH.pattern})$"), list("tTfF"))
    floats = re.compile(rf"^(?:{_FLOAT.pattern})$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", floats, list("-+0123456789."))
    return Loader


def yaml_text(data: Mapping[str, object]) -> str:
    """A mapping as YAML, in its order."""
    yaml = import_io("yaml")
    return yaml.dump(dict(data), Dumper=_dumper(yaml), sort_keys=False, allow_unicode=True, width=110)


@functools.cache
def _dumper(yaml: ModuleType) -> type:
    """Text of several lines stands as it is."""

    class Dumper(yaml.SafeDumper):
        # Else a value that stands twice is written once, and referred to as *id001.
        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper
