"""How texts are cut into jobs: within the limits, by spans of hashes that no other job has a text of."""

import pytest

from embedding_lakehouse.core.bulk import HashSpan, cut_into_jobs

LINES = [(f"{number:02x}", b"x" * (number + 1)) for number in range(20)]


def jobs(most_texts: int, most_bytes: int) -> list[list[str]]:
    return [[text_hash for text_hash, _ in job] for job in cut_into_jobs(reversed(LINES), most_texts, most_bytes)]


@pytest.mark.parametrize(("most_texts", "most_bytes"), [(1, 1_000), (7, 1_000), (50, 30), (3, 25), (50, 1_000)])
def test_every_text_is_in_one_job_within_the_limits(most_texts: int, most_bytes: int) -> None:
    found = jobs(most_texts, most_bytes)
    assert [text_hash for job in found for text_hash in job] == [text_hash for text_hash, _ in LINES]
    assert max(map(len, found)) <= most_texts
    assert all(sum(len(line) for text_hash, line in LINES if text_hash in job) <= most_bytes for job in found)


def test_the_span_of_a_job_holds_its_texts_alone() -> None:
    found = jobs(6, 1_000)
    for job in found:
        span = HashSpan(job[0], job[-1])
        assert [text_hash for text_hash, _ in LINES if text_hash in span] == job


def test_a_text_larger_than_a_file_stands_alone() -> None:
    assert jobs(50, 15)[-5:] == [["0f"], ["10"], ["11"], ["12"], ["13"]]


def test_no_text_is_no_job() -> None:
    assert list(cut_into_jobs([], 10)) == []
