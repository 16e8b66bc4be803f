"""Read capacities: whole when they are asked for, and changed in part."""

import pytest
from pinecone import Pinecone
from pinecone.models.indexes.index import IndexModel

from tests.integration.pinecone_server.conftest import SERVERLESS, Server

MANUAL = {"shards": 2, "replicas": 1}
DEDICATED = {"node_type": "b1", "scaling": "Manual", "manual": MANUAL}
BODY = {"dimension": 2, "spec": {"serverless": {"cloud": "aws", "region": "us-east-1"}}}


def without(name: str, members: dict) -> dict:
    return {key: value for key, value in members.items() if key != name}


def created(client: Pinecone, **read_capacity: object) -> IndexModel:
    return client.indexes.create(dimension=2, spec=SERVERLESS, read_capacity=read_capacity)


def nodes(index: IndexModel) -> tuple[str, str, int, int]:
    dedicated = index.read_capacity.dedicated
    return dedicated.node_type, dedicated.scaling, dedicated.manual.shards, dedicated.manual.replicas


def test_a_dedicated_capacity_is_described_as_it_was_asked_for(server: Server):
    index = created(server.client(), mode="Dedicated", dedicated=DEDICATED)

    described = server.client().indexes.describe(index.name)
    assert nodes(described) == nodes(index) == ("b1", "Manual", 2, 1)
    assert (described.read_capacity.status.current_shards, described.read_capacity.status.current_replicas) == (2, 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"node_type": "t1"}, ("t1", "Manual", 2, 1)),
        ({"scaling": "Manual", "manual": {"replicas": 4}}, ("b1", "Manual", 2, 4)),
        ({"manual": {"shards": 3}}, ("b1", "Manual", 3, 1)),
        ({"scaling": "Manual", "manual": {"replicas": 0, "shards": 1}}, ("b1", "Manual", 1, 0)),
        ({}, ("b1", "Manual", 2, 1)),
    ],
)
def test_what_a_change_leaves_out_stays(server: Server, change: dict, expected: tuple):
    index = created(server.client(), mode="Dedicated", dedicated=DEDICATED)

    changed = server.client().indexes.configure(index.name, read_capacity={"mode": "Dedicated", "dedicated": change})

    assert nodes(changed) == nodes(server.client().indexes.describe(index.name)) == expected


def test_an_index_goes_from_on_demand_to_dedicated_and_back(server: Server):
    client = server.client()
    name = client.indexes.create(dimension=2, spec=SERVERLESS).name

    assert nodes(client.indexes.configure(name, read_capacity={"mode": "Dedicated", "dedicated": DEDICATED})) == ("b1", "Manual", 2, 1)
    back = client.indexes.configure(name, read_capacity={"mode": "OnDemand"})
    assert (type(back.read_capacity).__name__, back.read_capacity.status.state) == ("ReadCapacityOnDemandResponse", "Ready")


def test_before_2026_07_a_capacity_stands_in_the_spec(server: Server):
    capacity = {"mode": "Dedicated", "dedicated": DEDICATED}
    serverless = BODY["spec"]["serverless"] | {"read_capacity": capacity}
    change = {"mode": "Dedicated", "dedicated": {"scaling": "Manual", "manual": {"replicas": 3}}}
    with server.http() as http:
        http.headers["X-Pinecone-Api-Version"] = "2025-10"
        index = http.post("/indexes", json={"name": "old-capacity", "dimension": 2, "spec": {"serverless": serverless}}).json()
        changed = http.patch("/indexes/old-capacity", json={"spec": {"serverless": {"read_capacity": change}}})

    assert index["spec"]["serverless"]["read_capacity"]["dedicated"] == DEDICATED
    assert changed.status_code == 202
    assert changed.json()["spec"]["serverless"]["read_capacity"]["dedicated"]["manual"] == {"shards": 2, "replicas": 3}


@pytest.mark.parametrize(
    "capacity",
    [
        "OnDemand",
        [],
        {},
        {"mode": "Sometimes"},
        {"mode": ["Dedicated"]},
        {"mode": "Dedicated"},
        {"mode": "Dedicated", "dedicated": "b1"},
        {"mode": "Dedicated", "dedicated": []},
        *({"mode": "Dedicated", "dedicated": without(name, DEDICATED)} for name in DEDICATED),
        *({"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": without(name, MANUAL)}} for name in MANUAL),
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": "2"}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": [2, 1]}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": {"shards": 0, "replicas": 1}}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": {"shards": 1, "replicas": -1}}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": {"shards": 1.5, "replicas": 1}}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": {"shards": True, "replicas": 1}}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "manual": {"shards": 2**40, "replicas": 1}}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "node_type": "x9"}},
        {"mode": "Dedicated", "dedicated": {**DEDICATED, "scaling": "Auto"}},
    ],
)
def test_a_capacity_that_is_not_whole_is_refused_at_creation_and_for_an_index_on_demand(server: Server, capacity: object):
    name = server.client().indexes.create(dimension=2, spec=SERVERLESS).name
    with server.http() as http:
        at_creation = http.post("/indexes", json={**BODY, "name": "not-whole", "read_capacity": capacity})
        later = http.patch(f"/indexes/{name}", json={"read_capacity": capacity})

    assert (at_creation.status_code, later.status_code) == (400, 400)
    assert not server.client().has_index("not-whole")
    assert server.client().indexes.describe(name).read_capacity.status.state == "Ready"


@pytest.mark.parametrize(
    "change", ["b1", {"manual": []}, {"manual": {"shards": "2"}}, {"node_type": 1}, {"scaling": "Manual"}, {"manual": {"replicas": -1}}]
)
def test_a_change_that_makes_no_sense_leaves_the_capacity_as_it_was(server: Server, change: object):
    index = created(server.client(), mode="Dedicated", dedicated=DEDICATED)
    with server.http() as http:
        refused = http.patch(f"/indexes/{index.name}", json={"read_capacity": {"mode": "Dedicated", "dedicated": change}})

    assert refused.status_code == 400
    assert nodes(server.client().indexes.describe(index.name)) == ("b1", "Manual", 2, 1)
