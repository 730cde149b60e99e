"""Rows in bytes: each shape comes back as it was written, and bytes that end too early are no row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librt.strings import BytesWriter

from processor.core.drawers import Drawer
from processor.core.limits import PAST_KEYS_MAX, SENT_MAX
from processor.core.named import Past, Pasts, Series
from processor.core.packing import (
    Reader,
    first_after,
    lies_at,
    name_of,
    put_blob,
    put_count,
    put_name,
    put_number,
    put_text,
    put_time,
)
from processor.core.rows import Row
from processor.core.sends import Sends

NOW = 1_800_000_000_000
texts = st.text(st.characters(codec="utf-8"), max_size=40)
instants = st.integers(-(1 << 61), 1 << 61)


@given(count=st.integers(0, 1 << 40), at_ms=instants, number=st.floats(allow_nan=False), text=texts)
def test_what_is_written_is_read(count, at_ms, number, text):
    to = BytesWriter()
    put_count(to, count)
    put_time(to, at_ms)
    put_number(to, number)
    put_text(to, text)
    put_blob(to, text.encode())
    put_name(to, text)
    data = to.getvalue()
    at = Reader(data, 0)
    assert (at.count(), at.time(), at.number(), at.text(), at.blob(), at.name()) == (
        count, at_ms, number, text, text.encode(), text,
    )  # fmt: skip
    assert at.at == len(data)


@given(names=st.lists(texts, min_size=1, max_size=30))
def test_names_that_share_a_tag_are_told_apart(names):
    to = BytesWriter()
    for name in names:
        packed = name_of(name).packed
        to.write(b"\x07\x07" + packed[2:])  # every one with the same tag
    at = Reader(to.getvalue(), 0)
    assert [at.name() for _ in names] == names


def test_a_negative_count_is_a_fault():
    with pytest.raises(AssertionError):
        put_count(BytesWriter(), -1)


@given(data=st.binary(max_size=40), at=st.integers(0, 45), size=st.integers(0, 20))
def test_lies_at_is_a_slice_compared(data, at, size):
    raw = data[at : at + size]
    assert lies_at(data, at, raw) == (at + len(raw) <= len(data))
    other = bytes([byte ^ 1 for byte in raw])
    assert lies_at(data, at, other) == (not other and at <= len(data))


@given(times=st.lists(st.integers(0, 50), max_size=40), at_ms=st.integers(-1, 51))
def test_first_after_counts_those_before(times, at_ms):
    to = BytesWriter()
    for time in sorted(times):
        put_time(to, time)
    assert first_after(to.getvalue(), at_ms) == sum(time <= at_ms for time in times)


@given(cut=st.integers(1, 400))
def test_a_row_that_was_cut_off_is_refused(cut):
    row = Row.new()
    row.change_attributes()["email"] = "ana@shop.example"
    row.history.put("seen", Series(3, NOW, NOW + 1, bytes(24)))
    row.past.put("welcome", Past(1, NOW, 0))
    row.alias, row.recent, row.inside = "bob", bytes(16), ["welcome"]
    data = row.encode()
    with pytest.raises((ValueError, IndexError)):
        Row.decode(data[: -min(cut, len(data))])


@given(
    names=st.lists(texts, unique=True, max_size=12),
    changes=st.lists(st.integers(0, 11), max_size=6),
    added=st.lists(texts, unique=True, max_size=4),
)
def test_a_drawer_is_a_dictionary(names, changes, added):
    row = Row.new()
    for number, name in enumerate(names):
        row.past.put(name, Past(number, NOW, NOW + number))
    expected = {name: number for number, name in enumerate(names)}
    row = Row.decode(row.encode())
    for place in changes:
        if place < len(names):
            item = row.past.get(names[place])
            assert item is not None
            row.past.change(item)
            item.entries += 100
            item.use_key("k" * item.entries, NOW)  # longer than before
            expected[names[place]] += 100
    for name in added:
        if name not in row.past:
            row.past.put(name, Past(7, NOW, NOW))
            expected[name] = 7
    row = Row.decode(row.encode())
    assert {name: past.entries for name, past in row.past.all().items()} == expected
    assert list(row.past.all()) == list(expected)
    assert row.past.get("not there") is None or "not there" in expected


def test_an_item_is_added_once():
    pasts: Drawer = Pasts(b"", 0, 0)
    pasts.put("a", Past(1, 1, 1))
    with pytest.raises(AssertionError, match="added once"):
        pasts.put("a", Past(1, 1, 1))


@given(keys=st.lists(st.sampled_from([f"cart-{n}" for n in range(PAST_KEYS_MAX + 20)]), max_size=150))
def test_keys_are_remembered_in_order_of_use(keys):
    past, expected = Past(1, NOW, 0), dict[str, int]()
    for number, key in enumerate(keys):
        past.use_key(key, NOW + number)
        expected.pop(key, None)
        expected[key] = NOW + number
        if len(expected) > PAST_KEYS_MAX:
            del expected[next(iter(expected))]
    assert past.all_keys() == expected
    assert list(past.all_keys()) == list(expected)
    assert [past.key_ms(key) for key in keys] == [expected.get(key, -1) for key in keys]


@given(
    sends=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from(["x", "y"])), max_size=300
    ),
    window=st.integers(1, 200),
)
def test_sends_are_kept_as_long_as_a_cap_looks_back(sends, window):
    kept, expected = Sends(b"", b"", [], []), list[tuple[int, str, str]]()
    now = NOW
    for step, channel, purpose in sends:
        now += step
        kept.add(now, channel, purpose, now - window)
        expected = [send for send in expected if send[0] > now - window][1 - SENT_MAX :]
        expected.append((now, channel, purpose))
    assert kept.all() == expected
    assert len(kept) == len(expected)
    to = BytesWriter()
    kept.write(to)
    assert Sends.read(Reader(to.getvalue(), 0)).all() == expected


def test_a_contact_may_have_had_sends_of_many_kinds():
    kept = Sends(b"", b"", [], [])
    for number in range(1_000):
        kept.add(NOW + number, f"channel-{number}", "x", 0)
    assert [channel for _, channel, _ in kept.all()] == [
        f"channel-{n}" for n in range(1_000 - SENT_MAX, 1_000)
    ]
