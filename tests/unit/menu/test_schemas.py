"""Editors are told the truth: the schemas are those of today's shapes and words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.menu.documents import read_document
from engine.menu.schemas import schemas
from engine.menu.vocabulary import FACTS, LISTS, READERS, RULES, SUBJECTS, VERBS
from tests.unit.menu.cases import SOUND, lay_out_case
from tests.unit.session.rooms import MENUS

SCHEMAS = {name: json.loads(content) for name, content in schemas().items()}
FILES = sorted(MENUS.glob("*.yaml"))


class Misfit(Exception):
    """A value does not fit its schema."""


def fit(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """The part of JSON Schema (2020-12) that the schemas use. Raises Misfit."""
    for word, rule in schema.items():
        if word not in WORDS:
            raise AssertionError(f"a word this test does not know: {word}")
        WORDS[word](value, rule, schema, root)


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    try:
        fit(value, schema, root)
    except Misfit:
        return False
    return True


def must(holds: bool) -> None:
    if not holds:
        raise Misfit


TYPES: dict[str, Any] = {
    "object": dict, "string": str, "boolean": bool, "array": list, "null": type(None),
    "number": (int, float), "integer": int,
}  # fmt: skip


def _object(value: Any, rule: Any, schema: Any, root: Any) -> None:
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    for key, part in value.items():
        fit(key, schema.get("propertyNames", {}), root)
        if key in known:
            fit(part, known[key], root)
        elif isinstance(other := schema.get("additionalProperties", {}), dict):
            fit(part, other, root)
        else:
            must(other is not False)


def _ref(value: Any, rule: str, _: Any, root: Any) -> None:
    target = root
    for part in rule.removeprefix("#/").split("/"):
        target = target[part]
    fit(value, target, root)


def _if(value: Any, rule: Any, schema: Any, root: Any) -> None:
    if fits(value, rule, root):
        fit(value, schema["then"], root)


def _nothing(*_: Any) -> None:
    return


WORDS: dict[str, Any] = {
    "type": lambda v, rule, s, r: must(
        isinstance(v, TYPES[rule]) and not (rule in ("number", "integer") and v in (True, False))
    ),
    "enum": lambda v, rule, s, r: must(v in rule),
    "const": lambda v, rule, s, r: must(v == rule),
    "pattern": lambda v, rule, s, r: must(re.search(rule, v) is not None),
    "required": lambda v, rule, s, r: must(not isinstance(v, dict) or set(rule) <= set(v)),
    "anyOf": lambda v, rule, s, r: must(any(fits(v, one, r) for one in rule)),
    "oneOf": lambda v, rule, s, r: must(sum(fits(v, one, r) for one in rule) == 1),
    "minimum": lambda v, rule, s, r: must(v >= rule),
    "maximum": lambda v, rule, s, r: must(v <= rule),
    "allOf": lambda v, rule, s, r: must(all(fits(v, one, r) for one in rule)),
    "items": lambda v, rule, s, r: must(all(fits(one, rule, r) for one in v)),
    "properties": _object, "propertyNames": _object, "additionalProperties": _object,
    "$ref": _ref, "if": _if, "then": _nothing, "$defs": _nothing, "$schema": _nothing,
    "title": _nothing, "description": _nothing, "default": _nothing,
}  # fmt: skip


def schema_of(path: Path) -> dict[str, Any]:
    name = path.stem if f"{path.stem}.json" in SCHEMAS else "journey"
    found: dict[str, Any] = SCHEMAS[f"{name}.json"]
    return found


def content(path: Path) -> Any:
    faults: list[str] = []
    document = read_document(path, faults.append)
    assert document is not None, faults
    return document.values


def test_the_schemas_beside_the_menus_are_those_of_today() -> None:
    kept = {path.name: path.read_bytes() for path in (MENUS / "schema").iterdir()}
    assert kept == dict(schemas()), "write them anew: capp menus schema"


@pytest.mark.parametrize("path", [*FILES, *sorted(SOUND.glob("*.yaml"))], ids=lambda p: p.name)
def test_sound_files_fit_their_schema(path: Path) -> None:
    fit(content(path), schema_of(path), schema_of(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_file_names_its_schema_first(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    name = path.stem if f"{path.stem}.json" in SCHEMAS else "journey"
    assert first == f"# yaml-language-server: $schema=schema/{name}.json"


@pytest.mark.parametrize(
    ("case", "file"),
    [
        ("kind_unknown", "send"), ("field_misspelt", "send"), ("part_misspelt", "home"),
        ("verb_unknown", "send"), ("outcome_unknown", "send"), ("outcome_left_out", "home"),
        ("reader_unknown", "send"), ("list_unknown", "past"), ("fact_unknown", "past"),
        ("subject_unknown", "past"), ("choice_0_is_back", "home"), ("yaml_label_no", "home"),
        ("yaml_choices_as_list", "send"), ("screens_missing", "past"),
        ("kept_too_short", "form"), ("kept_too_long", "form"), ("kept_in_words", "form"),
        ("rule_of_two_kinds", "form"), ("regex_without_complaint", "form"),
        ("range_below_nothing", "form"), ("range_by_another_word", "form"),
        ("complaint_that_is_none", "form"), ("check_that_checks_nothing", "form"),
        ("links_misspelt", "deep_links"), ("network_field_misspelt", "networks"),
    ],
)  # fmt: skip
def test_an_editor_notices_what_the_schema_can_know(tmp_path: Path, case: str, file: str) -> None:
    path = lay_out_case(case, tmp_path) / f"{file}.yaml"
    assert not fits(content(path), schema_of(path), schema_of(path))


def test_every_word_of_the_vocabulary_can_be_completed() -> None:
    shapes = SCHEMAS["journey.json"]["$defs"]
    screen = shapes["WrittenScreen"]["properties"]
    assert screen["reads"]["anyOf"][0]["enum"] == [*READERS]
    assert [*shapes["WrittenRule"]["properties"]] == [*RULES, "complaint"]
    assert screen["check"]["enum"] == ["payable_amount", "unused_name"]
    assert screen["lists"]["enum"] == [*LISTS]
    assert screen["about"]["enum"] == [*SUBJECTS]
    assert screen["do"]["enum"] == [*VERBS]
    assert shapes["WrittenChoice"]["properties"]["when"]["enum"] == [*FACTS]
