"""Contacts land in the partitions in which Kafka's own partitioner puts them."""

import pytest

from processor.codec.murmur2 import murmur2, partition_of


# The vectors of Apache Kafka's own UtilsTest.testMurmur2, signed as Java shows them.
@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_known_vectors(key: bytes, signed: int):
    assert murmur2(key) == signed & 0xFFFFFFFF


def test_the_sign_is_dropped_before_the_remainder():
    assert partition_of("foobar", 1000) == (-790332482 & 0x7FFFFFFF) % 1000
    assert partition_of("abc", 1000) == 479470107 % 1000


def test_a_contact_is_hashed_as_utf8():
    assert partition_of("é\U0001f600", 1 << 31) == murmur2("é\U0001f600".encode()) & 0x7FFFFFFF


def test_every_partition_gets_its_part():
    counts = [0] * 8
    for number in range(8000):
        counts[partition_of(f"contact-{number}", 8)] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
