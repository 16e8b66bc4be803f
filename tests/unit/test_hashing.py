"""The identities that other systems can compute for themselves: SHA-256 over UTF-8, as lower-case hex."""

import pytest

from embedding_lakehouse.core.hashing import chunk_id, content_hash, text_hash

# By `printf '%s' '...' | sha256sum`.
KNOWN = {
    "": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "Größe 😀": "11113866120cb97f3331d9608f14d1fe7873a7bed9c0f9fc17301d12053a2635",
}


@pytest.mark.parametrize(("text", "expected"), KNOWN.items(), ids=KNOWN)
def test_a_text_has_the_known_hash(text: str, expected: str) -> None:
    assert content_hash(text) == text_hash(text) == expected


def test_a_chunk_id_is_the_hash_of_document_bars_and_text() -> None:
    assert chunk_id("guide.md", "Install it.") == "b1d69d22a30d63b65acb164a1fea45f772028d65b27357d74a49ce75af0cb3fa"


def test_the_same_text_in_two_documents_has_two_chunk_ids() -> None:
    assert chunk_id("one", "text") != chunk_id("two", "text")


def test_line_ends_and_blanks_count() -> None:
    assert len({text_hash("a\nb"), text_hash("a\r\nb"), text_hash("a\nb "), text_hash("a b")}) == 4
