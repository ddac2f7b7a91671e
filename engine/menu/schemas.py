"""JSON schemas of the files in `menus/`, so that an editor completes and checks them. Pure.

Made from the shapes the files are read into and from the vocabulary. An editor's word is not the
proof: whether screens exist, fit and lead on is known to `check.py` alone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.menu.deep_links import WrittenLinks
from engine.menu.networks import WrittenNetworks
from engine.menu.vocabulary import FACTS, LISTS, READERS, RULES, SAYS_YES, SUBJECTS, VERBS
from engine.menu.written import WrittenJourney

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCREEN_NAME = "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$"


def schemas() -> Mapping[str, bytes]:
    """File name below `menus/schema/` -> its content."""
    made = {
        "journey.json": _journey(),
        "networks.json": msgspec.json.schema(WrittenNetworks),
        "deep_links.json": msgspec.json.schema(WrittenLinks),
    }
    return {
        name: msgspec.json.format(msgspec.json.encode({"$schema": DIALECT, **schema}), indent=2)
        + b"\n"
        for name, schema in made.items()
    }


def _journey() -> Schema:
    schema = msgspec.json.schema(WrittenJourney)
    shapes: dict[str, Schema] = schema["$defs"]
    screen = shapes["WrittenScreen"]["properties"]
    screen["reads"] = {"anyOf": [{"enum": [*READERS]}, {"$ref": "#/$defs/WrittenRule"}]}
    screen["check"] = {"enum": [name for name, f in VERBS.items() if f.outcomes == SAYS_YES]}
    screen["lists"] = {"enum": [*LISTS]}
    screen["about"] = {"enum": [*SUBJECTS], "default": "price"}
    screen["choices"] = {
        "type": "object",
        "propertyNames": {"pattern": "^[1-9]$"},
        "additionalProperties": {"$ref": "#/$defs/WrittenChoice"},
    }
    mistakes = {key for facts in VERBS.values() for key in facts.mistakes}
    mistakes |= {key for facts in READERS.values() for key in facts.mistakes}
    mistakes |= {key for said in RULES.values() for key in said}
    screen["mistakes"] = {
        "type": "object",
        "propertyNames": {"enum": sorted(mistakes)},
        "additionalProperties": _screen_name(),
    }
    shapes["WrittenRule"] |= _rule()
    shapes["WrittenChoice"]["properties"]["when"] = {"enum": [*FACTS]}
    for name in ("WrittenChoice", "WrittenScreen", "WrittenVerb", "WrittenOpening"):
        shape = shapes[name]
        shape["properties"]["do"] = {"enum": [*VERBS]}
        shape["properties"]["next"] = _next()
        shape["allOf"] = [_outcomes(verb) for verb in VERBS]
    shapes["WrittenOpening"]["properties"]["home"] = _screen_name()
    return schema


def _rule() -> Schema:
    """Exactly one of three; who states a pattern says what to tell those who do not fit it."""
    string = {"type": "string"}
    return {
        "properties": {
            "regex": string,
            "range": {"$ref": "#/$defs/WrittenRange"},
            "one_of": {
                "type": "object",
                "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
                "additionalProperties": string,
            },
            "complaint": {"type": "string", "pattern": "^mistake\\."},
        },
        "oneOf": [
            {"required": ["regex", "complaint"]}, {"required": ["range"]}, {"required": ["one_of"]},
        ],
    }  # fmt: skip


def _screen_name() -> Schema:
    return {"type": "string", "pattern": _SCREEN_NAME}


def _next() -> Schema:
    """One screen, or one for each outcome."""
    return {"anyOf": [_screen_name(), {"type": "object", "additionalProperties": _screen_name()}]}


def _outcomes(verb: str) -> Schema:
    outcomes = [*VERBS[verb].outcomes]
    return {
        "if": {"properties": {"do": {"const": verb}}, "required": ["do"]},
        "then": {
            "properties": {
                "next": {
                    "type": "object",
                    "required": outcomes,
                    "propertyNames": {"enum": outcomes},
                }
            }
        },
    }
