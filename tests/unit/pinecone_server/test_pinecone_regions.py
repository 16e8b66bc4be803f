"""The regions that the development Pinecone server takes for real."""

import pytest
from pinecone import AwsRegion, AzureRegion, GcpRegion

from dev.pinecone_server.errors import Refusal
from dev.pinecone_server.regions import place

KNOWN = {"aws": AwsRegion, "gcp": GcpRegion, "azure": AzureRegion}


@pytest.mark.parametrize(("cloud", "region"), [(cloud, region.value) for cloud, regions in KNOWN.items() for region in regions])
def test_a_region_that_the_sdk_names_is_one(cloud: str, region: str):
    assert place(cloud, region) == (cloud, region)


@pytest.mark.parametrize(("cloud", "region"), [("aws", "us-west-2"), ("aws", "ap-southeast-1"), ("gcp", "us-east1"), ("gcp", "us-west1")])
def test_a_region_that_the_service_names_elsewhere_is_one(cloud: str, region: str):
    assert place(cloud, region) == (cloud, region)


@pytest.mark.parametrize(
    ("cloud", "region"),
    [
        ("aws", "us-west1"),
        ("aws", "invalid-region"),
        ("aws", "us-nowhere-1"),
        ("aws", "us-east-9"),
        ("aws", "us-central1"),
        ("aws", "eastus2"),
        ("aws", ""),
        ("gcp", "us-east-1"),
        ("azure", "us-east-1"),
        ("azure", "us-central1"),
        ("moon", "us-east-1"),
    ],
)
def test_any_other_is_not_found_by_its_name(cloud: str, region: str):
    with pytest.raises(Refusal, match=f"Resource cloud: {cloud} region: {region} not found.") as refusal:
        place(cloud, region)
    assert refusal.value.code.status == 404
