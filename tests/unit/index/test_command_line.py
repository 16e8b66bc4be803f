"""Mistakes in the arguments are reported before anything is imported or asked."""

import pytest

from embedding_lakehouse.__main__ import main


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_a_filter_that_is_no_json_object_is_refused(text: str, capsys: pytest.CaptureFixture):
    assert main(["search", "a question", "--filter", text]) == 1
    assert "--filter" in capsys.readouterr().err


@pytest.mark.parametrize("time", ["yesterday", "2026-11-20T09:30"])
def test_a_time_that_is_none_or_has_no_zone_is_refused(time: str, capsys: pytest.CaptureFixture):
    assert main(["explain", "0" * 64, "--at", time]) == 1
    assert "--at" in capsys.readouterr().err
