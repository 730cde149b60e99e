"""Faults: each has a message, what to write instead, and the place."""

import pytest

from processor.core.expressions import ExpressionError, compile_expression, compile_template
from tests.core.expressions.world import NAMES, compiled

# (text with ^ before the place that is blamed, message, fix)
FAULTS = [
    # names
    ("^event.valeu > 1", "the event order_completed has no property valeu", 'did you mean "value"?'),
    ("1 + ^profile.emial", "unknown profile attribute emial", 'did you mean "email"?'),
    ("^score.engagment > 1", "unknown score model engagment", 'did you mean "engagement"?'),
    ("^score.engagement.x > 1", "score.engagement has no members", "remove .x"),
    ("^evnt.value > 1", "unknown name evnt", 'did you mean "event"?'),
    ("^value > 1", "unknown name value", "write event.value"),
    ("^visits > 1", "unknown name visits", "write profile.visits"),
    (
        "event.order_id == ^abc",
        "unknown name abc",
        (
            "there is: answer, entry, event, false, grade, none, now, profile, …, "
            'or put a text in quotes: "abc"'
        ),
    ),
    ("^event == 1", "event alone is not a value", "write event. and a name behind it"),
    ("^hour > 9", "hour is a function", "call it, as in hour() >= 16"),
    ("^event.order_id.x", "order_id is a text and has no members", "remove .x"),
    ("^event[0] > 1", "only a name in quotes can stand in brackets", 'write it so: score["my-model"]'),
    (
        "^answer.secnds > 1",
        "none of the events page_viewed, downloaded has a property secnds",
        'did you mean "seconds"?',
    ),
    # functions and their arguments
    ("1 > ^cuont(1)", "unknown function cuont", 'did you mean "count"?'),
    ('count(^"downloadd") > 1', "unknown event type downloadd", 'did you mean "downloaded"?'),
    ("count(^event.value) > 1", "an event type must be written out, in quotes", 'write "order_completed"'),
    (
        "^count() > 1",
        "count needs its argument type",
        'write it as in count("downloaded", within="1d", where=event.kind == "pdf") >= 2',
    ),
    ('count("downloaded", ^"1d") > 1', "count takes no such argument", "write count(type, within=, where=)"),
    ('count("downloaded", ^withn="1d") > 1', "count has no argument withn", 'did you mean "within"?'),
    (
        'count("downloaded", within=^"1 day") > 1',
        '"1 day" is not a duration',
        "write whole numbers with the units w, d, h, m or s, largest first, such as 30m, 2d or 1h30m",
    ),
    (
        'count("downloaded", within=^"0d") > 1',
        "a window of no length holds nothing",
        'write a longer one, such as "7d"',
    ),
    (
        'count("downloaded", within=^7) > 1',
        "a duration must be written out, in quotes",
        'write a number and its unit in quotes, such as "7d"',
    ),
    (
        'count("downloaded", ^type="downloaded") > 1',
        "type is given twice",
        "write count(type, within=, where=)",
    ),
    (
        'count("downloaded", where=^"event.size > 1") > 1',
        "where= is a condition, not a text",
        "write it without the quotes around it",
    ),
    (
        'count("downloaded", where=^profile.vip) > 1',
        "profile cannot be used in where=, which looks at one event alone when it happens",
        'compare properties of that event: where=event.url == "/pricing"',
    ),
    (
        'count("downloaded", where=^hour() > 1) > 1',
        "hour() cannot be used in where=, which looks at one event alone when it happens",
        'compare properties of that event: where=event.url == "/pricing"',
    ),
    (
        'count("downloaded", where=^event.valu == "a") > 1',
        "the event downloaded has no property valu",
        'did you mean "value"?',
    ),
    (
        'count("downloaded", where=^event.size) > 1',
        "this is a number, not a condition",
        "compare it: event.size > 0",
    ),
    (
        'sum("order_completed", ^"valeu") > 1',
        "the event order_completed has no property valeu",
        'did you mean "value"?',
    ),
    ('sum("downloaded", ^"kind") > 1', "kind is a text, not a number", "there is: size"),
    ('in_segment(^"stff")', "unknown segment stff", 'did you mean "staff"?'),
    ('in_list(^"newsleter")', "unknown list newsleter", 'did you mean "newsletter"?'),
    ('in_program(^"welcom")', "unknown program welcom", 'did you mean "welcome"?'),
    ('consent(^"marketting")', "unknown purpose marketting", 'did you mean "marketing"?'),
    ('consent("marketing", channel=^"emial")', "unknown channel emial", 'did you mean "email"?'),
    ('variant(^"split") == "a"', "unknown split split", 'did you mean "split-a-b"?'),
    ("lower(^event.value) == 'a'", "this is a number, not a text", "write a text here"),
    ('days_until(^"2026-03-01") > 1', "this is a text, not a date or a time", 'write date("2026-03-01")'),
    ('date(^"2026-02-30") < today()', "this is not a date", 'write year, month and day: date("2026-03-01")'),
    (
        'now < time(^"noon")',
        '"noon" is not a time',
        "write 2026-03-01, 2026-03-01 09:30 or 2026-03-01T09:30:00Z",
    ),
    (
        "round(event.value, digits=^event.pieces) > 1",
        "the number of decimals must be written out",
        "write a whole number from 0 to 9",
    ),
    (
        "min(event.value, ^event.order_id) > 1",
        "min cannot rank a text here",
        "give numbers, or times, or dates, or durations",
    ),
    ("contains(^event.value, 1)", "a number holds nothing to look for", 'write a list: ["a", "b"]'),
    (
        "^event.order_id.lower() == 'a'",
        "only functions of the language can be called",
        "write a function's name, as in count(…)",
    ),
    ("abs(^*event.tags) > 1", "* before a value is not part of the language", "write the values one by one"),
    # types
    ("^event.value", "this is a number, not a condition", "compare it: event.value > 0"),
    ("not ^event.order_id", "this is a text, not a condition", 'compare it: event.order_id == "text"'),
    ("^event.tags and true", "this is a list, not a condition", "compare its length: length(event.tags) > 0"),
    ("true or ^now", "this is a time, not a condition", "compare it: … < now"),
    ('event.value > ^"20"', "a number is compared with a text", "write the number without quotes"),
    ('event.gift == ^"true"', "a condition is compared with a text", "write true or false, without quotes"),
    ('event.ends > ^"2026-03-01"', "a time is compared with a text", 'write time("2026-03-01T09:30Z")'),
    ('event.day > ^"2026-03-01"', "a date is compared with a text", 'write date("2026-03-01")'),
    (
        "now - event.ends > ^3",
        "a duration is compared with a number",
        'write duration("2d") for a length of time',
    ),
    ("^event.gift > true", "a condition has no order, so > means nothing", "compare it by == or !="),
    ("^event.tags > 3", "a list has no order, so > means nothing", "compare its length: length(…)"),
    ("event.tags == ^'a'", "a list is compared with a text", "write: value in list"),
    ('event.value in ^["a"]', "a number can never be in this list", "list values that are a number"),
    ("1 in ^event.value", "a number holds nothing to look for", 'write a list: ["a", "b"]'),
    ("event.value in [1, ^event.pieces]", "a list holds literals only", 'write numbers or texts: ["a", "b"]'),
    ('weekday() == ^"monday"', 'it is never "monday"', 'did you mean "mon"?'),
    ('grade.engagement in ^["hot", "cool"]', 'it is never "cool"', 'did you mean "cold"?'),
    (
        "^event.order_id + 1 > 2",
        "+ cannot be used with a text and a number",
        'write a text template: "{profile.first_name}: {event.value}"',
    ),
    ("^now + 2 > now", "+ cannot be used with a time and a number", 'add a duration: now + duration("2d")'),
    (
        '^"a" * 3 == "aaa"',
        "* cannot be used with a text and a number",
        'write a text template: "{profile.first_name}: {event.value}"',
    ),
    (
        "^event.tags + event.tags == 1",
        "+ cannot be used with a list and a list",
        "calculate with numbers, or with times and durations",
    ),
    ("1 + ^none > 1", "none cannot be calculated with", "leave it out"),
    ("^-event.order_id == 1", "a text has no sign", "write - before numbers and durations only"),
    ("(1 if true else ^now) == 1", "this can be a number or a time", "choose between values of one type"),
    # what is no part of the language
    ("^event.value ** 2 > 1", "** is not an operator of the language", "multiply: x * x"),
    ("^event.value // 2 > 1", "// is not an operator of the language", "write round(a / b)"),
    ("^~event.value > 1", "~ is not part of the language", "write not for the opposite of a condition"),
    ("event.value > 1 ^&& true", "&& is not part of the language", 'write "and" instead of &&'),
    ("event.value > 1 ^|| true", "|| is not part of the language", 'write "or" instead of ||'),
    ("^!event.gift", "! is not part of the language", 'write "not" instead of !'),
    (
        "event.gift ^AND true",
        "AND is not part of the language",
        "write and, or, not, in, if and else in lower case",
    ),
    ("event.value ^= 1", "= does not compare", "write == to compare"),
    ("^event.value is none", "is does not compare", "write == or !="),
    ("event.order_id == ^“A”", "“ is not part of the language", 'put texts in straight quotes: "text"'),
    ("^${event.value} > 1", "${ is not part of the language", "write names as they are, without $ or braces"),
    (
        "event.gift ^# a gift",
        "a comment cannot stand inside an expression",
        "put it above, as a comment of the YAML",
    ),
    (
        "^lambda: 1",
        "lambda is not part of the language",
        "write comparisons, and, or, not, + - * / % and the functions of the language",
    ),
    ("^[x for x in event.tags]", "loops are not part of the language", 'count events: count("…", where=…)'),
    ('^f"{1}" == "1"', None, None),
    ("^(x := 1) > 1", None, None),
    (
        "^().__class__",
        "only event, entry, answer, profile, score and grade have members",
        "remove what follows the dot",
    ),
    ("^event.__class__", "the event order_completed has no property __class__", None),
    ("^__import__('os')", "unknown function __import__", None),
    (
        "^1j > 1",
        "this kind of literal is not part of the language",
        'write a number, a "text", true or false',
    ),
    (
        "^b'a' == 1",
        "this kind of literal is not part of the language",
        'write a number, a "text", true or false',
    ),
    ("event.value > ^1e16", "a number beyond 1,000,000,000,000,000", "write a smaller one"),
    # what cannot be read
    ("^", "the expression is empty", 'write one, such as event.value > 0, or "true"'),
    ('event.order_id == ^"abc', "a text has no end", 'close it with the quote it began with, such as "text"'),
    ("^(event.value > 1", "a bracket is not closed", "add the closing bracket"),
    ("event.value > 1^)", "a closing bracket has no opening one", "remove it, or open it"),
    (
        "event.value >^",
        "this cannot be read as an expression",
        'write something such as event.value >= 20 and not in_list("vip")',
    ),
    (
        "event.value ^20",
        "this cannot be read as an expression",
        'write something such as event.value >= 20 and not in_list("vip")',
    ),
]


@pytest.mark.parametrize(("marked", "message", "fix"), FAULTS)
def test_fault(marked, message, fix):
    text, offset = marked.replace("^", "", 1), marked.index("^")
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, NAMES, want="boolean")
    error = caught.value
    assert message in (None, error.message)
    assert fix in (None, error.fix)
    assert error.message
    assert error.fix
    assert str(error) == f"{error.message}: {error.fix}"
    if message is not None:
        assert error.offset == offset


@pytest.mark.parametrize("lead", ["", "  ", "\n", 'true and\n  "é" == "日本" or ', "\t"])
def test_the_place_is_counted_in_characters_of_the_text_as_written(lead):
    with pytest.raises(ExpressionError) as caught:
        compiled(f"{lead}event.valeu > 1", "boolean")
    assert caught.value.offset == len(lead)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true" + " " * 2000, "the expression has 2004 characters, 2000 are the most"),
        (" and ".join(["true"] * 201), "the expression has more than 200 parts"),
        ("1 + " * 40 + "1 > 1", "more than 30 operations lie inside each other"),
        ("not " * 40 + "true", "more than 30 operations lie inside each other"),
        ("(" * 120 + "true" + ")" * 120, "too many brackets inside each other"),
        (f"event.order_id == '{'a' * 501}'", "a text of 501 characters"),
        (f"event.value in [{', '.join('1' * 101)}]", "a list of 101 elements"),
        (f"event.value > {'9' * 1000}", "a number beyond 1,000,000,000,000,000"),
        ("event.order_id == '\0'", "a character that is none"),
        ("event.order_id == '\ud800'", "a character that is none"),
        ("event.order_id == '\\ud800'", "a text with a character that is none"),
    ],
)
def test_limit(text, message):
    with pytest.raises(ExpressionError) as caught:
        compiled(text, "boolean")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("want", "text"),
    [
        ("number", "event.order_id"),
        ("string", "event.value"),
        ("time", "event.value"),
        ("date", "now"),
        ("duration", "event.blob"),
        ("list", "event.address"),
        ("boolean", "none"),
        ("number", "event.gift"),
    ],
)
def test_wanted_type(want, text):
    with pytest.raises(ExpressionError, match=r"^this is "):
        compiled(text, want)


@pytest.mark.parametrize("namespace", ["event", "entry", "answer"])
def test_a_namespace_that_is_not_there(namespace):
    with pytest.raises(ExpressionError) as caught:
        compiled(f"{namespace}.value > 1", event_types=(), entry_types=(), answer_types=())
    assert caught.value.message == f"there is no {namespace} here"


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("Hi ^{event.value", "a { is not closed"),
        ("Hi ^} there", "a } closes nothing"),
        ("Hi {^event.valeu}", "the event order_completed has no property valeu"),
        ("{event.value} {^}", "the expression is empty"),
        ("^" + "a" * 2001, "the text has 2001 characters, 2000 are the most"),
    ],
)
def test_fault_of_a_template(marked, message):
    with pytest.raises(ExpressionError) as caught:
        compile_template(marked.replace("^", "", 1), NAMES)
    assert caught.value.message == message
    assert caught.value.offset == marked.index("^")
