"""Every decision can be said: a sentence for each kind, a meaning for each reason that the core gives."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec
import pytest

from processor.codec.outputs import decision_line
from processor.core.lifecycle import DECISIONS
from processor.core.outputs import Decision
from processor.core.time import parse_time
from processor.runtime.sentences import REASONS, Moment, moment_of, of_decision, sentence

CORE = Path(__file__).resolve().parents[2] / "processor" / "core"
DETAIL = {
    "channel": "email",
    "template": "hello",
    "until": 0,
    "score": "points",
    "from": "cold",
    "to": "warm",
    "event": "e-1",
    "by_ms": 60_000,
    "into": "ana",
    "name": "country",
    "ledger": [{"score": "points", "rule": "download", "points": 5, "after": 12.5}],
}


def show(at_ms):
    return f"<{at_ms}>"


@pytest.mark.parametrize("kind", DECISIONS)
def test_every_kind_has_a_sentence_of_its_own(kind):
    said = sentence(Moment(kind, "c", 0, "welcome", 1, "e", "step", "rule", DETAIL), show)
    assert said
    assert said != f"{kind} rule"
    assert "{" not in said


RECORDERS = {"_refuse": "not_entered", "_limit": "limit", "_leave": "exited"}


def reasons_of(tree, file):
    """(kind, reason) of every refusal in a module of the core that names its reason by a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            named = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
            if name == "Verdict" and len(texts) > 1 and texts[0] == "skip":
                yield "suppressed", texts[1]
            elif name in RECORDERS and texts:
                yield RECORDERS[name], texts[0]
            elif name == "Decision" and texts and texts[0] in {"limit", "not_entered", "merged"}:
                found = named.get("reason") or next((t for t in reversed(texts[1:]) if t), "")
                if found:
                    yield texts[0], found
            elif name == "_decision" and len(texts) > 1 and texts[1]:
                yield texts[0], texts[1]
            elif name == "end" and len(texts) > 1 and texts[0] == "exit":
                yield "exited", texts[1]
        elif isinstance(node, ast.Return) and file == "entries.py":
            text = getattr(node.value, "value", None)
            if isinstance(text, str) and text:
                yield "not_entered", text


def test_every_reason_of_the_core_has_a_meaning():
    found = set()
    for path in sorted(CORE.rglob("*.py")):
        found.update(reasons_of(ast.parse(path.read_text(encoding="utf-8")), path.name))
    assert {"suppressed", "not_entered", "limit", "exited", "merged"} <= {kind for kind, _ in found}
    assert len(found) > 20  # the search itself works
    assert sorted((kind, reason) for kind, reason in found if reason not in REASONS.get(kind, {})) == []


def test_a_rule_with_a_name_is_said_with_its_name():
    moment = Moment("suppressed", "c", 0, "p", 1, "e", "s", "cap:weekly-mail", {"channel": "email"})
    assert "the cap weekly-mail is used up" in sentence(moment, show)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (
            Moment("suppressed", "c", 0, reason="arbitration:one", detail={"by": "upgrade"}),
            "the program upgrade went before it (one)",
        ),
        (Moment("held", "c", 0, reason="budget:texts", detail={"until": 3}), "left of the budget texts"),
        (Moment("not_entered", "c", 0, reason="outranked", detail={"by": "vip"}), "the contact is in vip"),
        (Moment("waiting", "c", 0, step="w", detail={"until": 7}), "waits at w until <7>"),
        (Moment("waiting", "c", 0, step="w"), "waits at w without an end"),
        (Moment("stepped", "c", 0, step="decide", reason="score.x > 3"), "decide: went where score.x > 3"),
        (Moment("stepped", "c", 0, step="decide", reason="else"), "decide: the else ran"),
        (Moment("exited", "c", 0, step="s", reason="order_completed"), "left at s: order_completed"),
        (
            Moment("not_entered", "c", 0, reason="reenter_never"),
            "not entered: the contact has been in it before",
        ),
        (Moment("merged", "c", 0, reason="arrived", detail={"from": "x"}), "the contact x became this one"),
        (
            Moment("held", "c", 0, reason="quiet_hours", detail={"channel": "sms", "until": 3}),
            "held until <3>: quiet",
        ),
    ],
)
def test_sentences_say_what_happened(moment, said):
    assert said in sentence(moment, show)


def test_a_decision_and_its_line_are_the_same_moment():
    at_ms = parse_time("2026-03-01T10:00Z")
    decision = Decision("held", "c", at_ms, "p", 2, "e", "s", "quiet_hours", {"until": 5})
    assert moment_of(msgspec.json.decode(decision_line(decision))) == of_decision(decision)


@pytest.mark.parametrize(
    "record", [{}, {"kind": "held", "contact_id": "c"}, {"kind": 1, "contact_id": "c", "at": "x"}]
)
def test_what_is_no_decision_is_refused(record):
    with pytest.raises(ValueError, match="decision"):
        moment_of(record)


def test_meanings_are_sentences_without_a_full_stop():
    for table in REASONS.values():
        for reason, meaning in table.items():
            assert re.fullmatch(r"[a-z].*[^.]", meaning), reason
