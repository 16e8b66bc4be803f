"""How a document is cut: exact texts at exact places, each text once, the same pieces wherever nothing changed."""

import random

import pytest

from embedding_lakehouse.core.chunking import LONGEST_LINE, Chunk, Chunking, StructureChunking, WordChunking, blocks, chunk_document

WINDOWS = WordChunking(words=200, overlap=40)
STRUCTURE = StructureChunking(max_characters=1_250)
STRATEGIES = [STRUCTURE, WINDOWS]
MEDIA_TYPES = ["text/markdown", "text/plain", None]

# Texts that a splitter may stumble over: by name, since pytest shows it.
ODD_TEXTS = {
    "emoji of several code points": "👩‍👩‍👧‍👦 and 🇩🇪 fly. " * 300,
    "characters beyond the first plane": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𠜎 " * 300,
    "windows line ends": "One line.\r\n\r\nAnother line.\r\n" * 200,
    "old line ends": "One line.\rAnother line.\r" * 200,
    "combining marks": "a" + "\u0301" * 5_000,
    "zero bytes": "a\0b " * 2_000,
    "line separators": "one\u2028two\u2029three\x85four\x0bfive " * 300,
    "right to left": "\u202bשלום עולם\u202c مرحبا " * 300,
    "nothing but marks": "#\n" * 2_000,
    "an unclosed fence": "```python\n" + "print(1)\n" * 1_000,
    "one long line": "word " * 10_000,
    "one long word": "w" * 50_000,
    "a long line between short ones": "# Title\n\nshort\n\n" + "x" * 45_000 + "\n\nshort again",
}


def numbered(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


def assert_exact(text: str, chunks: list[Chunk]) -> None:
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(text[chunk.start_offset : chunk.start_offset + len(chunk.text)] == chunk.text for chunk in chunks)
    assert [chunk.start_offset for chunk in chunks] == sorted(chunk.start_offset for chunk in chunks)


def test_windows_of_words_start_at_every_160th_word() -> None:
    chunks = chunk_document(numbered(1_000), WINDOWS)
    assert [chunk.text.split()[0] for chunk in chunks] == ["w0", "w160", "w320", "w480", "w640", "w800", "w960"]


def test_a_full_window_has_200_words() -> None:
    chunks = chunk_document(numbered(1_000), WINDOWS)
    assert [len(chunk.text.split()) for chunk in chunks] == [200, 200, 200, 200, 200, 200, 40]


@pytest.mark.parametrize(("words", "windows"), [(1, [1]), (160, [160]), (161, [161, 1]), (200, [200, 40]), (201, [200, 41])])
def test_the_last_short_window_is_kept(words: int, windows: list[int]) -> None:
    assert [len(chunk.text.split()) for chunk in chunk_document(numbered(words), WINDOWS)] == windows


def test_a_window_keeps_the_white_space_between_its_words() -> None:
    assert [chunk.text for chunk in chunk_document("  one\t two\r\n\r\nthree  ", WINDOWS)] == ["one\t two\r\n\r\nthree"]


def test_windows_without_overlap_hold_every_word_once() -> None:
    chunks = chunk_document(numbered(1_000), WordChunking(words=30, overlap=0))
    assert " ".join(chunk.text for chunk in chunks) == numbered(1_000)


@pytest.mark.parametrize("chunking", STRATEGIES, ids=["structure", "words"])
@pytest.mark.parametrize("text", ["", " ", "\n\n\t \r\n", "\u00a0\u2003"], ids=repr)
def test_an_empty_or_blank_document_has_no_chunks(text: str, chunking: Chunking) -> None:
    assert chunk_document(text, chunking) == []


@pytest.mark.parametrize("media_type", MEDIA_TYPES, ids=str)
@pytest.mark.parametrize("chunking", STRATEGIES, ids=["structure", "words"])
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_every_chunk_stands_in_the_text_at_its_offset(text: str, chunking: Chunking, media_type: str | None) -> None:
    chunks = chunk_document(text, chunking, media_type)
    assert chunks
    assert_exact(text, chunks)


@pytest.mark.parametrize("media_type", MEDIA_TYPES, ids=str)
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_no_piece_of_a_structure_is_longer_than_declared(text: str, media_type: str | None) -> None:
    assert all(len(chunk.text) <= 1_250 for chunk in chunk_document(text, STRUCTURE, media_type))


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_structure_loses_nothing_but_white_space(text: str) -> None:
    # Compared as sets of words, since a repeated piece is one chunk.
    kept = {word for chunk in chunk_document(text, STRUCTURE, "text/plain") for word in chunk.text.split()}
    assert {word for word in text.split() if len(word) < 100} <= kept


def test_a_text_repeated_in_a_document_is_one_chunk_at_its_first_place() -> None:
    text = "\n\n".join(["The same words stand here, over and over again."] * 3)
    assert chunk_document(text, StructureChunking(max_characters=50)) == [Chunk(0, 0, "The same words stand here, over and over again.")]


def test_a_repeated_window_is_one_chunk() -> None:
    assert [chunk.text for chunk in chunk_document("same " * 100, WordChunking(words=10, overlap=0))] == ["same " * 9 + "same"]


def test_markdown_is_cut_at_its_headings() -> None:
    text = "# One\n\nText of the first part.\n\n# Two\n\nText of the second part."
    assert [chunk.text.split("\n")[0] for chunk in chunk_document(text, StructureChunking(50), "text/markdown")] == ["# One", "# Two"]


def test_an_edit_leaves_the_other_sections_as_they_were() -> None:
    sections = [f"# Section {number}\n\n{numbered(120)} {number}" for number in range(10)]
    before = {chunk.text for chunk in chunk_document("\n\n".join(sections), STRUCTURE, "text/markdown")}
    sections[4] = sections[4].replace("w7 ", "another word ")
    after = {chunk.text for chunk in chunk_document("\n\n".join(sections), STRUCTURE, "text/markdown")}
    assert len(after - before) == 1


@pytest.mark.parametrize("media_type", ["text/markdown", "text/html", "application/pdf"])
def test_what_parsers_turn_into_markdown_is_cut_as_markdown(media_type: str) -> None:
    text = "- one\n- two\n" * 20
    assert chunk_document(text, StructureChunking(50), media_type) == chunk_document(text, StructureChunking(50), "text/markdown")


def test_chunking_twice_gives_the_same_chunks() -> None:
    text = "".join(random.Random(3).choices("ab \n#.", k=20_000))
    assert chunk_document(text, STRUCTURE, "text/markdown") == chunk_document(text, STRUCTURE, "text/markdown")


@pytest.mark.parametrize("seed", range(20))
def test_random_texts_are_cut_exactly(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choices(["word ", "\n", "\n\n", "# ", "- ", "😀", "é", "x" * 30_000, "`", "|", "\r\n"], k=60))
    for media_type in MEDIA_TYPES:
        assert_exact(text, chunk_document(text, StructureChunking(draw.randint(50, 500)), media_type))


def test_a_million_words_in_one_line_are_cut() -> None:
    text = " ".join(map(str, range(1_000_000)))
    chunks = chunk_document(text, STRUCTURE, "text/markdown")
    assert_exact(text, chunks)
    assert " ".join(chunk.text for chunk in chunks) == text


def test_a_million_words_in_one_line_make_a_window_for_every_160() -> None:
    assert len(chunk_document(" ".join(map(str, range(1_000_000))), WINDOWS)) == 6_250


def test_six_million_characters_without_a_space_are_cut() -> None:
    text = "".join(random.Random(7).choices("abcdefgh", k=6_000_000))
    chunks = chunk_document(text, STRUCTURE, "text/markdown")
    assert "".join(chunk.text for chunk in chunks) == text


def test_a_run_without_a_space_counts_as_several_words() -> None:
    text = "".join(random.Random(7).choices("abcdefgh", k=600_000))
    assert max(len(chunk.text) for chunk in chunk_document(text, WINDOWS)) == 200_000


def test_a_text_without_overlong_lines_is_one_block() -> None:
    text = "short line\n" * 10_000
    assert list(blocks(text)) == [(0, text)]


@pytest.mark.parametrize("seed", range(10))
def test_blocks_put_together_are_the_text(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choices(["a" * draw.randint(1, 3 * LONGEST_LINE), "\n", "word " * draw.randint(1, 9_000)], k=9))
    cut = list(blocks(text))
    assert "".join(block for _, block in cut) == text
    assert all(text.startswith(block, start) for start, block in cut)


def test_an_overlong_line_is_cut_at_a_space() -> None:
    first, second = (block for _, block in blocks("word " * 5_000))
    assert first.endswith("word")
    assert second.startswith(" word")
