"""The page about models: every profile and every class that it shows works as it stands."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.embedder import Bought, Embedder
from embedding_lakehouse.core.profiles import parse_profiles
from embedding_lakehouse.core.providers import PROVIDERS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text()


def shown(language: str) -> list[str]:
    """The page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_profiles_of_the_page_are_right_and_show_every_provider() -> None:
    declared = parse_profiles(shown("toml")[0], "docs/models.md")
    assert {profile.provider for profile in declared.values()} == set(PROVIDERS)


def test_the_profiles_that_the_shipped_file_comments_out_are_right() -> None:
    lines = (ROOT / "include" / "profiles.toml").read_text().splitlines()
    toml = "\n".join(line.removeprefix("# ") for line in lines if re.match(r"(# )?(\[profiles|\w+ =)", line))
    declared = parse_profiles(toml, "profiles.toml")
    assert {profile.provider for profile in declared.values()} == {*PROVIDERS, "my_models.lengths:LengthModel"}


def test_the_model_of_one_s_own_embeds_by_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "my_models"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "lengths.py").write_text(shown("python")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    profile = parse_profiles(f"[profiles.mine]\nmodel_name = 'lengths'\nmodel_version = 'v1'\ndimensions = 3\n{shown('toml')[1]}", "p")[
        "mine"
    ]
    found = [outcome for some in Embedder(profile, load_model(profile)).embed(["four", "sixsix"]) for outcome in some]
    vectors = [outcome.vector for outcome in sorted(found, key=lambda outcome: outcome.position) if isinstance(outcome, Bought)]
    np.testing.assert_array_equal(vectors, [[8, 9, 10], [12, 13, 14]])
    del sys.modules["my_models.lengths"], sys.modules["my_models"]
