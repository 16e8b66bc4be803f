"""A checksum over record ids: of the set alone, and moved by what is added and removed."""

from hashlib import sha256

from embedding_lakehouse.core.checksums import EMPTY, checksum, combined

IDS = [sha256(str(number).encode()).hexdigest() for number in range(100)]


def test_the_order_of_the_ids_does_not_matter():
    assert checksum(IDS) == checksum(reversed(IDS)) != checksum(IDS[1:])


def test_no_ids_have_the_empty_checksum():
    assert checksum([]) == EMPTY == checksum(IDS, IDS)


def test_a_set_moves_by_what_is_added_and_removed():
    assert combined(checksum(IDS[:60]), checksum(IDS[60:], IDS[:10])) == checksum(IDS[10:])


def test_the_checksum_of_disjoint_sets_is_that_of_their_union():
    assert combined(checksum(IDS[:30]), checksum(IDS[30:50]), checksum(IDS[50:])) == checksum(IDS)
