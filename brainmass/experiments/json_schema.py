"""The JSON schema of an experiment file, by which editors complete keys and mark what is wrong."""

from __future__ import annotations

import inspect
from typing import Any

import brainmass
from brainmass._common.version import __version__
from brainmass.experiments.schema import ANY, TABLES, TEXT, VALUE, Key, Table
from brainmass.experiments.things import catalogue

__all__ = ["json_schema"]


def json_schema() -> dict[str, object]:
    """What may stand in an experiment file, as a JSON schema (draft 7), from the tables that the command line reads."""
    tables = [table for table in TABLES.values() if "." not in table.name]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Experiment file of brainmass {__version__}",
        "type": "object",
        "properties": {table.name: _table(table) for table in tables},
        "required": [table.name for table in tables if table.required],
        "additionalProperties": False,
    }


def _table(table: Table) -> dict[str, object]:
    """A table, with those within it."""
    inner = {name.rpartition(".")[2]: x for name, x in TABLES.items() if name.rpartition(".")[0] == table.name}
    schema: dict[str, object] = {
        "type": "object",
        "description": table.says,
        "properties": {key.name: _key(key) for key in table.keys} | {name: _table(x) for name, x in inner.items()},
        # those that are free are described in the sentence, and are checked when the file is read
        "additionalProperties": {**ANY.json, "description": table.others} if table.others else False,
    }
    if required := [key.name for key in table.keys if key.required]:
        schema["required"] = required
    return schema | _models(table) if table.name == "model" else schema


def _key(key: Key) -> dict[str, object]:
    return {**key.kind.json, "description": key.meaning}


def _models(table: Table) -> dict[str, object]:
    """The classes that there are, each with its own keys."""
    models = catalogue()["model"]
    uses = {info.name: info.use_case for info in brainmass.list_models()}
    kind = {**TEXT.json, "description": "\n".join(f"{name}: {uses[name]}" for name in models), "enum": list(models)}
    properties = {key.name: _key(key) for key in table.keys} | {"type": kind}
    cases = [
        {
            # The keys of each model only where it is the one that is named: editors complete those.
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {
                "properties": _arguments(model),
                # Not `additionalProperties`, which sees the keys of its own branch alone.
                "propertyNames": {"enum": [*properties, *_arguments(model)]},
            },
        }
        for name, model in models.items()
    ]
    return {"properties": properties, "allOf": cases, "oneOf": [{"required": ["type"]}, {"required": ["file"]}]}


def _arguments(model: Any) -> dict[str, object]:
    """The parameters of a model with their meaning, and its other arguments."""
    names = [name for name in inspect.signature(model).parameters if name not in ("in_size", "name")]
    specs = model._params
    return {
        name: {**VALUE.json, "description": f"{specs[name].doc} ({specs[name].domain.text})"}
        if name in specs
        else dict(TEXT.json)
        if name == "method"
        else {}  # anything: noises and initialisers are tables, options are of all kinds
        for name in names
    }
