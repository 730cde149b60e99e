"""YAML is read into nodes that know their place; whatever the text, nothing but a report comes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.language.problems import Problems
from processor.language.source import Mapping, Scalar, parse, plain


def read(text: str):
    problems = Problems()
    documents = parse(text, "f.yaml", problems)
    return documents, [str(problem) for problem in problems._found]


def only(text: str) -> Scalar:
    documents, problems = read(text)
    assert problems == []
    (root,) = documents
    assert isinstance(root, Mapping)
    ((_, value),) = root.pairs
    assert isinstance(value, Scalar)
    return value


def test_plain_values_are_those_of_yaml_1_2():
    (node,), _ = read(
        "a: [1, -2, 1.5, 1e3, .5, true, False, null, ~, on, yes, 010, 0x10, '1', 'null', 2026-03-01, 10:00]\n"
        "b: {c: }"
    )
    assert plain(node) == {
        "a": [1, -2, 1.5, 1000.0, 0.5, True, False, None, None, "on", "yes", 10, "0x10", "1", "null",
              "2026-03-01", "10:00"],
        "b": {"c": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "needle", "line", "column"),
    [
        ("key: one two three", "three", 1, 14),
        ("key: 'one ''two'' three'", "three", 1, 19),
        ('key: "one \\"two\\" three"', "three", 1, 19),
        ('key: "\\u00e9\\x41 three"', "three", 1, 18),
        ("key: |\n  one\n\n    two\n  three", "three", 5, 3),
        ("key: |\n  one\n\n    two\n  three", "two", 4, 5),
        ("key: >\n  one\n  three", "three", 1, 6),
        ("key: one\n  three", "three", 1, 6),
        ("{key: 'ü three'}", "three", 1, 10),
        ("\ufeffkey: one three", "three", 1, 10),
    ],
)
def test_the_place_of_a_word_inside_a_text(text, needle, line, column):
    value = only(text)
    mark = value.at(value.text.index(needle))
    assert (mark.line, mark.column) == (line, column)


def test_documents_and_their_places():
    documents, problems = read("# c\na: 1\n---\n\nb: 2\n---\n---\n- c\n---\n")
    assert problems == []
    assert [document.mark.line for document in documents] == [2, 5, 8]


def test_anchors_are_followed():
    (node,), problems = read("a: &x [1, {b: 2}]\nc: *x\n")
    assert problems == []
    assert plain(node) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("a: *x", 'f.yaml:1:4 error yaml-limit: the reference "*x" is to nothing that stands before it'),
        ("a: &x [*x]", 'f.yaml:1:8 error yaml-limit: the reference "*x" is to nothing that stands before it'),
        ("[" * 70, "f.yaml:1:61 error yaml-limit: nested more than 60 deep"),
        ("a: b: c", 'f.yaml:1:5 error yaml-syntax: not YAML: a second ":" stands in this line'),
        ("a: 'x", "f.yaml:1:6 error yaml-syntax: not YAML: a quotation is not closed"),
        ("a: @x", "f.yaml:1:4 error yaml-syntax: not YAML: a text cannot begin with this character"),
        ("a: [1, 2", "f.yaml:1:9 error yaml-syntax: not YAML: a list or map in brackets is not closed"),
        ("if: 'a' == b", "f.yaml:1:9 error yaml-syntax: not YAML: this does not line up"),
        ("a: 1\nb: \x07", "f.yaml:2:4 error yaml-syntax: not YAML: special characters are not allowed"),
        ("[a]: b", "f.yaml:1:1 error yaml-syntax: a key cannot be a list or map"),
        ('a: "\\Uffffffff"', "f.yaml:1:1 error yaml-syntax: not YAML: "),
        ("a: !x y", 'f.yaml:1:4 error yaml-tag: the tag "!x" means nothing here'),
        ("a: 1\nb:\n  a: 2\n  a: 3", 'f.yaml:4:3 error duplicate-key: "a" is written twice, first in line 3'),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text, report):
    documents, problems = read(text)
    assert documents == []
    assert len(problems) == 1
    assert problems[0].startswith(report)
    assert " - " in problems[0]


def test_references_that_multiply_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    documents, problems = read("\n".join(lines))
    assert documents == []
    assert len(problems) == 1
    assert "yaml-limit: more than 100000 entries in one file" in problems[0]


_MARKS = [*"{}[],\"'|>#\t\\\x00\ufeffé\u2028@`~1a"]
_SPACED = [
    "b:",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "&x ",
    "*x",
    "!t ",
    "---\n",
    "...\n",
    "? ",
    "%YAML 1.2\n",
    "<<: ",
]
_PIECES = st.sampled_from([*_MARKS, *_SPACED])


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=40).map("".join)))
def test_any_text_gives_nodes_or_problems(text):
    documents, problems = read(text)
    assert bool(problems) <= (documents == [])
    for report in problems:
        assert report.startswith("f.yaml:")
    for document in documents:
        plain(document)
