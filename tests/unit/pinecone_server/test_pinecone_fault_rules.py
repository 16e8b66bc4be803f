"""The rules by which the development Pinecone server fails on purpose."""

from dev.pinecone_server.faults import Faults, Rule


def drawn(faults: Faults, path: str, requests: int) -> list[str | None]:
    rules = [faults.draw(path) for _ in range(requests)]
    return [rule.kind if rule else None for rule in rules]


def test_a_rule_hits_as_often_as_it_says():
    faults = Faults()
    faults.set([Rule("server_error", times=2)], seed=0)

    assert drawn(faults, "/query", 4) == ["server_error", "server_error", None, None]


def test_a_rule_hits_its_path_alone():
    faults = Faults()
    faults.set([Rule("cut_before", path="/vectors/upsert")], seed=0)

    assert drawn(faults, "/svc/index/vectors/upsert", 1) == ["cut_before"]
    assert drawn(faults, "/svc/index/query", 1) == [None]


def test_the_first_rule_that_hits_wins():
    faults = Faults()
    faults.set([Rule("too_many_requests", times=1), Rule("server_error", times=1)], seed=0)

    assert drawn(faults, "/query", 3) == ["too_many_requests", "server_error", None]


def test_a_share_is_met_over_many_requests():
    faults = Faults()
    faults.set([Rule("server_error", share=0.3)], seed=4)

    assert 250 < sum(kind is not None for kind in drawn(faults, "/query", 1000)) < 350


def test_a_seed_decides_which_requests_fail():
    faults = Faults()
    faults.set([Rule("server_error", share=0.3)], seed=4)
    first = drawn(faults, "/query", 50)
    faults.set([Rule("server_error", share=0.3)], seed=4)

    assert drawn(faults, "/query", 50) == first
