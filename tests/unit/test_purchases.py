"""Which accounts an erasure looks at for purchases in bulk, and what two looks at them come to."""

from embedding_lakehouse.core.bulk import batch_of_upload, upload_name
from embedding_lakehouse.core.profiles import parse_profiles
from embedding_lakehouse.core.purchases import Purchase, Withdrawn, accounts

PROFILE = """
[profiles.{name}]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "{name}"
dimensions = 64
connection = "{connection}"
bulk = {{ above_texts = {above_texts} }}
"""


def purchase(name: str = "batch_1", state: str = "in_progress", deleted: tuple[str, ...] = (), **left: str) -> Purchase:
    return Purchase("here", "b1", name, state, deleted, left)


def test_each_connection_is_looked_at_once_and_only_where_something_is_bought_in_bulk() -> None:
    declared = [("a", "", 10), ("b", "", 20), ("c", "own", 10), ("d", "other", 0)]
    text = "".join(PROFILE.format(name=name, connection=connection, above_texts=most) for name, connection, most in declared)
    found = accounts(parse_profiles(text, "profiles.toml").values())
    assert {connection: profile.name for connection, profile in found.items()} == {"openai_default": "a", "own": "c"}


def test_an_upload_names_its_batch() -> None:
    assert batch_of_upload(upload_name("20260131T235959-1f9c04", 7, "ab" * 32)) == "20260131T235959-1f9c04"
    for other in ("", "notes.jsonl", "my-own-file.jsonl", "batch_output.jsonl"):
        assert batch_of_upload(other) != "20260131T235959-1f9c04"


def test_a_job_has_the_state_in_which_it_was_found_and_what_the_last_look_left() -> None:
    first = Withdrawn().looked_at("here", [purchase(deleted=("in",), out="refused")])
    (found,) = first.looked_at("here", [purchase(state="cancelled", deleted=("out",), error="refused")]).purchases
    assert found == purchase(deleted=("in", "out"), error="refused")


def test_what_a_later_look_does_not_find_any_more_is_not_left() -> None:
    left = Withdrawn().looked_at("here", [purchase(out="refused")])
    assert len(left.out_of_reach) == 1
    assert left.looked_at("here", []).out_of_reach == []
    assert len(left.looked_at("elsewhere", []).out_of_reach) == 1


def test_an_account_that_cannot_be_looked_at_is_out_of_reach_with_what_it_left_before() -> None:
    lost = Withdrawn().looked_at("here", [purchase(out="refused")]).without("here", "it is silent")
    assert lost.out_of_reach == [
        "purchases in bulk behind the connection here: it is silent",
        "out of a purchase in bulk (batch b1) behind the connection here: refused; delete it there",
    ]
    assert lost.looked_at("here", []).out_of_reach == []


def test_a_note_holds_it_all() -> None:
    found = Withdrawn().looked_at("here", [purchase(deleted=("in",), out="refused")]).without("elsewhere", "it is silent")
    assert Withdrawn.of_note(found.as_note()) == found
    assert Withdrawn.of_note(None) == Withdrawn()
