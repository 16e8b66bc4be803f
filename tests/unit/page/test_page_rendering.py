"""How values become HTML: escaped, rounded honestly, and readable whatever they are."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from embedding_lakehouse.page.rendering import environment, sample, share, short, span
from embedding_lakehouse.page.rows import Coverage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&😀"


def test_every_template_escapes_what_it_is_given() -> None:
    shown = environment().from_string("<p title='{{ text }}'>{{ text }}</p>").render(text=HOSTILE)
    assert shown == (
        "<p title='&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;😀'>&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;😀</p>"
    )


def test_no_template_marks_a_value_as_safe_or_holds_a_script_of_its_own() -> None:
    loader = environment()
    for name in loader.list_templates():
        source, *_ = loader.loader.get_source(loader, name)
        assert "safe" not in source.replace("autosafe", ""), name
        assert "<script>" not in source and "style=" not in source and "onclick" not in source, name


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ('[{"doc_id": "a", "norm": 0.0}, {"doc_id": "b"}]', ["doc_id", "norm"], [["a", "0.0"], ["b", ""]]),
        ('[["a", "chunk"], ["b", "chunk"]]', [], [["a", "chunk"], ["b", "chunk"]]),
        ("[]", [], []),
        (None, [], []),
        ("not json", [], [["not json"]]),
        ('{"a": 1}', [], [['{"a": 1}']]),
    ],
)
def test_samples_of_every_age_become_a_table(text: str | None, columns: list[str], rows: list[list[str]]) -> None:
    assert sample(text) == (columns, rows)


def test_a_long_value_of_a_sample_is_cut() -> None:
    ((cell,),) = sample(json.dumps([{"chunk_text": "x" * 10_000}]))[1]
    assert (len(cell), cell[-1]) == (301, "…")


@pytest.mark.parametrize(("value", "shown"), [(1.0, "100%"), (0.99999, "99.9%"), (0.996, "99.6%"), (0.0, "0.0%"), (None, "\u2013")])
def test_only_the_whole_is_called_a_hundred_percent(value: float | None, shown: str) -> None:
    assert share(value) == shown


@pytest.mark.parametrize(
    ("duration", "shown"),
    [(timedelta(seconds=1), "1 second"), (timedelta(hours=25), "1 day"), (timedelta(minutes=119), "1 hour"), (timedelta(0), "0 seconds")],
)
def test_a_duration_is_said_in_its_largest_unit(duration: timedelta, shown: str) -> None:
    assert span(duration) == shown


def test_a_short_text_is_not_cut() -> None:
    assert (short("abc"), short("a" * 13), short(None)) == ("abc", "a" * 12 + "…", "\u2013")


def coverage(waiting_since: datetime | None) -> Coverage:
    return Coverage(10, 9, 0, 1, 0, waiting_since)


@pytest.mark.parametrize(("waited", "is_fresh"), [(timedelta(hours=24), True), (timedelta(hours=24, seconds=1), False)])
def test_freshness_ends_just_past_its_target(waited: timedelta, is_fresh: bool) -> None:
    assert coverage(NOW - waited).is_fresh(NOW, 24) is is_fresh


def test_nothing_that_waits_is_always_fresh() -> None:
    assert coverage(None).is_fresh(NOW, 0)
