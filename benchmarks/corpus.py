"""A seeded corpus of English-like documents, and a small edit to some of them: the same texts on every machine with the same Python."""

import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

# Python's own language reference: thousands of real words with real frequencies that every installation has.
from pydoc_data.topics import topics

SHORTEST, LONGEST = 300, 1_500
SENTENCE_WORDS = (8, 20)
PARAGRAPH_SENTENCES = 5
FILES_A_FOLDER = 1_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """`documents` texts of 300 to 1,500 words. Two corpora of one seed agree in the documents that both have."""

    documents: int
    seed: int = 0

    def texts(self, wanted: Container[str] | None = None) -> Iterator[tuple[str, str]]:
        """The id and text of every document, or of those whose id is wanted."""
        words, weights = _vocabulary()
        for number in range(self.documents):
            doc_id = _doc_id(number)
            if wanted is not None and doc_id not in wanted:
                continue
            choose = random.Random(f"{self.seed}/{number}")
            drawn = choose.choices(words, cum_weights=weights, k=choose.randint(SHORTEST, LONGEST))
            yield doc_id, _prose(choose, drawn)

    def edits(self, share: float, rounds: int) -> Iterator[dict[str, str]]:
        """For each round new texts of a share of the documents, by id, no document twice: one word more at any place of each."""
        a_round = max(1, round(self.documents * share))
        chosen = random.Random(f"{self.seed}/edits").sample(range(self.documents), a_round * rounds)
        for first in range(0, len(chosen), a_round):
            wanted = {_doc_id(number) for number in chosen[first : first + a_round]}
            yield {doc_id: _insert_word(doc_id, text) for doc_id, text in self.texts(wanted)}

    def added(self, share: float, rounds: int) -> Iterator[dict[str, str]]:
        """For each round the texts of as many documents more, which the corpus does not have."""
        a_round = max(1, round(self.documents * share))
        for first in range(self.documents, self.documents + a_round * rounds, a_round):
            wanted = {_doc_id(number) for number in range(first, first + a_round)}
            yield dict(Corpus(first + a_round, self.seed).texts(wanted))


def write_files(folder: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Put each text into a file named by its id; files that are not named stay as they are."""
    for doc_id, text in texts:
        file = folder / doc_id
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _doc_id(number: int) -> str:
    return f"{number // FILES_A_FOLDER:04d}/{number:07d}.txt"


def _vocabulary() -> tuple[list[str], list[int]]:
    """The words and the running sums of their frequencies."""
    counted = Counter(word for topic in topics.values() for word in re.findall(r"[a-z]+", topic.lower()))
    words = sorted(counted)
    return words, list(accumulate(counted[word] for word in words))


def _prose(choose: random.Random, words: list[str]) -> str:
    """The words as sentences and paragraphs."""
    ends = list(accumulate(choose.randint(*SENTENCE_WORDS) for _ in range(len(words) // SENTENCE_WORDS[0] + 1)))
    ends = ends[: bisect(ends, len(words) - 1)]
    paragraphs: list[list[str]] = [[]]
    for start, end in zip([0, *ends], [*ends, len(words)], strict=True):
        if len(paragraphs[-1]) == PARAGRAPH_SENTENCES:
            paragraphs.append([])
        paragraphs[-1].append(" ".join(words[start:end]).capitalize() + ".")
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs) + "\n"


def _insert_word(doc_id: str, text: str) -> str:
    places = [match.start() for match in re.finditer(r"\S+", text)]
    place = random.Random(doc_id).choice(places)
    return f"{text[:place]}amended {text[place:]}"
