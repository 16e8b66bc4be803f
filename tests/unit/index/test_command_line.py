"""Mistakes in the arguments are reported before anything is imported or asked."""

import pytest

from embedding_lakehouse.__main__ import main


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_a_filter_that_is_no_json_object_is_refused(text: str, capsys: pytest.CaptureFixture):
    assert main(["search", "a question", "--filter", text]) == 1
    assert "--filter" in capsys.readouterr().err
