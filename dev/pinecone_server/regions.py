"""Where an index may be asked for: the regions of each cloud, since the service adds to its own from time to time."""

from dev.pinecone_server.errors import Code, Refusal

# How many regions of each area are numbered; Google's numbers have gaps, which count as regions here.
AWS = {
    "us-east": 2,
    "us-west": 2,
    "ca-central": 1,
    "ca-west": 1,
    "mx-central": 1,
    "sa-east": 1,
    "eu-west": 3,
    "eu-central": 2,
    "eu-north": 1,
    "eu-south": 2,
    "ap-south": 2,
    "ap-east": 2,
    "ap-southeast": 7,
    "ap-northeast": 3,
    "me-south": 1,
    "me-central": 1,
    "il-central": 1,
    "af-south": 1,
}
GCP = {
    "us-central": 1,
    "us-east": 5,
    "us-west": 4,
    "us-south": 1,
    "northamerica-northeast": 2,
    "northamerica-south": 1,
    "southamerica-east": 1,
    "southamerica-west": 1,
    "europe-west": 12,
    "europe-central": 2,
    "europe-north": 2,
    "europe-southwest": 1,
    "asia-east": 2,
    "asia-northeast": 3,
    "asia-south": 2,
    "asia-southeast": 2,
    "australia-southeast": 2,
    "me-central": 2,
    "me-west": 1,
    "africa-south": 1,
}
AZURE = """
eastus eastus2 centralus northcentralus southcentralus westcentralus westus westus2 westus3 canadacentral canadaeast mexicocentral
brazilsouth northeurope westeurope uksouth ukwest francecentral germanywestcentral switzerlandnorth swedencentral norwayeast polandcentral
italynorth spaincentral austriaeast eastasia southeastasia japaneast japanwest koreacentral centralindia southindia australiaeast
australiasoutheast newzealandnorth indonesiacentral malaysiawest uaenorth qatarcentral israelcentral southafricanorth
"""
REGIONS = {
    "aws": {f"{area}-{number}" for area, most in AWS.items() for number in range(1, most + 1)},
    "gcp": {f"{area}{number}" for area, most in GCP.items() for number in range(1, most + 1)},
    "azure": set(AZURE.split()),
}


def place(cloud: str, region: str) -> tuple[str, str]:
    """Return a cloud and a region of it. Raises Refusal for any other."""
    if region not in REGIONS.get(cloud, ()):
        raise Refusal(Code.NOT_FOUND, f"Resource cloud: {cloud} region: {region} not found.")
    return cloud, region
