"""From text to Python's syntax tree, within limits and with messages for people.

Python's own parser reads the text, and nothing of what it returns is ever run: `check` accepts a closed list
of its nodes and builds a tree of our own.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Final

from processor.core.expressions.types import ExpressionError

__all__ = [
    "LIST_MAX", "NUMBER_MAX", "STRING_CHARS_MAX", "TEXT_CHARS_MAX", "Source", "parse", "split_template",
]  # fmt: skip

TEXT_CHARS_MAX: Final = 2000
NODES_MAX: Final = 200
DEPTH_MAX: Final = 30
STRING_CHARS_MAX: Final = 500
LIST_MAX: Final = 100
NUMBER_MAX: Final = 10**15

_BLANKS: Final = str.maketrans("\n\r\t\f\v", "     ")
_BRACKETS_MAX: Final = 100
# What people write who come from other languages: (pattern outside of texts, what to write).
_HABITS: Final = (
    (re.compile(r"&&"), 'write "and" instead of &&'),
    (re.compile(r"\|\|"), 'write "or" instead of ||'),
    (re.compile(r"<>"), "write != instead of <>"),
    (re.compile(r"==="), "write == instead of ==="),
    (re.compile(r"!(?!=)"), 'write "not" instead of !'),
    (re.compile(r"\b(AND|OR|NOT|IN|IF|ELSE)\b"), "write and, or, not, in, if and else in lower case"),
    (re.compile(r"\?"), "write: a if condition else b"),
    (re.compile("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]"), 'put texts in straight quotes: "text"'),
    (re.compile(r"\$\{?|\{"), "write names as they are, without $ or braces"),
    (re.compile(r";"), "write one expression; join conditions by and or or"),
)
_ASSIGNMENT: Final = re.compile(r"(?<![=!<>:])=(?!=)")


class Source:
    """A parsed text. ``at`` gives the offset of a node in the text as the person wrote it."""

    __slots__ = ("_encoded", "_shift", "body")

    def __init__(self, body: ast.expr, encoded: bytes, shift: int) -> None:
        self.body = body
        self._encoded = encoded
        self._shift = shift

    def at(self, node: ast.expr | ast.keyword) -> int:
        """The offset in characters; the parser counts UTF-8 bytes."""
        if len(self._encoded) == 0:
            return self._shift
        return self._shift + len(self._encoded[: node.col_offset].decode(errors="ignore"))


def parse(text: str, shift: int = 0) -> Source:
    """Read ``text``; ``shift`` is where it begins in a longer one.

    Raises:
        ExpressionError: not an expression, or beyond a limit.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise ExpressionError(
            f"the expression has {len(text)} characters, {TEXT_CHARS_MAX} are the most",
            "give parts of it a name as segments",
            shift,
        )
    # Line breaks mean nothing, as inside parentheses. Replaced one by one, so that offsets stay.
    flat = text.translate(_BLANKS)
    if not flat.strip():
        raise ExpressionError(
            "the expression is empty", 'write one, such as event.value > 0, or "true"', shift
        )
    lead = len(flat) - len(flat.lstrip())
    flat = flat.strip()
    _check_characters(flat, shift + lead)
    body = _python(flat, shift + lead)
    source = Source(body, flat.encode(), shift + lead)
    _check_size(source)
    return source


def _python(flat: str, shift: int) -> ast.expr:
    try:
        with warnings.catch_warnings():
            # About escapes and comparisons with literals; what matters of it is checked by type.
            warnings.simplefilter("ignore")
            return ast.parse(flat, mode="eval").body
    except SyntaxError as error:
        # The parser counts from 1, and says 0 where the text ends too soon.
        offset = min(error.offset - 1, len(flat)) if error.offset else len(flat)
        message, fix = _explain(flat, error)
        raise ExpressionError(message, fix, shift + offset) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise ExpressionError(
            "this is too deep or too large to be read", "give parts of it a name as segments", shift
        ) from None


def _explain(flat: str, error: SyntaxError) -> tuple[str, str]:
    reason = str(error.msg)
    if "f-string" in reason:
        return "f-texts are not part of the language", 'write a text template: "Hi {profile.first_name}"'
    if "unterminated string" in reason or "EOL" in reason:
        return "a text has no end", 'close it with the quote it began with, such as "text"'
    if "was never closed" in reason or "unexpected EOF" in reason:
        return "a bracket is not closed", "add the closing bracket"
    if "unmatched" in reason or "does not match" in reason:
        return "a closing bracket has no opening one", "remove it, or open it"
    if "leading zeros" in reason:
        return "a number begins with a zero", "write it without leading zeros"
    return (
        "this cannot be read as an expression",
        'write something such as event.value >= 20 and not in_list("vip")',
    )


def _check_characters(flat: str, shift: int) -> None:
    """Refuse what Python would read otherwise than meant (a comment), and name habits of other languages."""
    bare = _without_texts(flat)
    at = bare.find("#")
    if at >= 0:
        raise ExpressionError(
            "a comment cannot stand inside an expression",
            "put it above, as a comment of the YAML",
            shift + at,
        )
    for at, char in enumerate(flat):
        if char == "\0" or "\ud800" <= char <= "\udfff":
            raise ExpressionError("a character that is none", "remove it", shift + at)
    depth = 0
    for at, char in enumerate(bare):
        depth += (char in "([{") - (char in ")]}")
        if depth > _BRACKETS_MAX:
            raise ExpressionError("too many brackets inside each other", "take some away", shift + at)
    for pattern, fix in _HABITS:
        found = pattern.search(bare)
        if found:
            raise ExpressionError(f"{found[0]} is not part of the language", fix, shift + found.start())
    nesting = 0
    for at, char in enumerate(bare):
        nesting += (char in "([") - (char in ")]")
        if nesting == 0 and char == "=" and _ASSIGNMENT.match(bare, at):
            raise ExpressionError("= does not compare", "write == to compare", shift + at)


def _without_texts(flat: str) -> str:
    """``flat`` with the content of its texts blanked out, at the same offsets."""
    chars = list(flat)
    for begin, end in _texts(flat):
        chars[begin:end] = " " * (end - begin)
    return "".join(chars)


def _texts(flat: str) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(flat):
        if flat[at] in "\"'":
            end = _text_end(flat, at)
            yield at, end
            at = end
        else:
            at += 1


def _text_end(flat: str, at: int) -> int:
    """The offset behind the text that begins at ``at``, triple quotes included; the end if it has none."""
    quote = flat[at] * 3 if flat.startswith(flat[at] * 3, at) else flat[at]
    at += len(quote)
    while at < len(flat):
        if flat[at] == "\\":
            at += 2
        elif flat.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return len(flat)


def _check_size(source: Source) -> None:
    nodes = 0
    level: list[ast.AST] = [source.body]
    depth = 0
    while level:
        depth += 1
        nodes += sum(isinstance(node, ast.expr) for node in level)
        first = next((node for node in level if isinstance(node, ast.expr)), source.body)
        if nodes > NODES_MAX:
            raise ExpressionError(
                f"the expression has more than {NODES_MAX} parts",
                "give parts of it a name as segments",
                source.at(first),
            )
        if depth > DEPTH_MAX:
            raise ExpressionError(
                f"more than {DEPTH_MAX} operations lie inside each other",
                "give parts of it a name as segments",
                source.at(first),
            )
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def split_template(text: str) -> list[tuple[bool, str, int]]:
    """Cut a template into (whether it is an expression, text, offset); ``{{`` and ``}}`` are literal braces.

    Raises:
        ExpressionError: a brace without its other one, or beyond the limit.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise ExpressionError(
            f"the text has {len(text)} characters, {TEXT_CHARS_MAX} are the most", "make it shorter", 0
        )
    parts: list[tuple[bool, str, int]] = []
    literal = ""
    begin = at = 0
    while at < len(text):
        if text.startswith(("{{", "}}"), at):
            literal += text[at]
            at += 2
        elif text[at] == "}":
            raise ExpressionError("a } closes nothing", "write }} for a brace in the text", at)
        elif text[at] == "{":
            end = _brace_end(text, at)
            if literal:
                parts.append((False, literal, begin))
                literal = ""
            parts.append((True, text[at + 1 : end], at + 1))
            at = begin = end + 1
        else:
            literal += text[at]
            at += 1
    if literal:
        parts.append((False, literal, begin))
    return parts


def _brace_end(text: str, begin: int) -> int:
    at = begin + 1
    while at < len(text):
        if text[at] == "}":
            return at
        at = _text_end(text, at) if text[at] in "\"'" else at + 1
    raise ExpressionError(
        "a { is not closed", "close it: {profile.first_name}, or write {{ for a brace in the text", begin
    )
