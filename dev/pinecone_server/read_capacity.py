"""How much of a machine an index's readers get: on demand, or nodes of their own. This server remembers it and nothing else."""

from dev.pinecone_server.errors import invalid

ON_DEMAND = {"mode": "OnDemand"}
NODE_TYPES = ("b1", "t1")
LARGEST = 2**31 - 1


def changed(held: dict, wanted: object) -> dict:
    """Return the read capacity that a request asks for; what a dedicated one leaves out stays as it is held.

    Raises Refusal if it is none, or something is neither asked for nor held.
    """
    if not isinstance(wanted, dict) or wanted.get("mode") not in ("OnDemand", "Dedicated"):
        raise invalid("read_capacity must have a mode of 'OnDemand' or 'Dedicated'")
    if wanted["mode"] == "OnDemand":
        return ON_DEMAND
    before, asked = _given(held, "dedicated"), _given(wanted, "dedicated")
    if "scaling" in asked and "manual" not in asked:
        raise invalid("read_capacity.dedicated.scaling goes together with 'manual'")
    dedicated = {**before, **asked, "manual": {**_given(before, "manual"), **_given(asked, "manual")}}
    return {"mode": "Dedicated", "dedicated": _whole(dedicated)}


def described(capacity: dict) -> dict:
    """Return a read capacity with its status, as the control plane describes it."""
    if capacity["mode"] == "OnDemand":
        return {**capacity, "status": {"state": "Ready"}}
    # A catalog of an earlier server may hold less than is asked for now.
    manual = capacity["dedicated"].get("manual") or {}
    status = {"state": "Ready", "current_shards": manual.get("shards", 1), "current_replicas": manual.get("replicas", 1)}
    return {**capacity, "status": status}


def _given(capacity: dict, name: str) -> dict:
    part = capacity.get(name)
    if part is not None and not isinstance(part, dict):
        raise invalid(f"read_capacity: {name} must be an object, got {part!r}")
    return {key: value for key, value in (part or {}).items() if value is not None}


def _whole(dedicated: dict) -> dict:
    if dedicated.get("node_type") not in NODE_TYPES:
        raise invalid(f"read_capacity.dedicated.node_type must be one of {', '.join(NODE_TYPES)}, got {dedicated.get('node_type')!r}")
    if dedicated.get("scaling") != "Manual":
        raise invalid(f"read_capacity.dedicated.scaling must be 'Manual', got {dedicated.get('scaling')!r}")
    manual = {name: _number(name, dedicated["manual"].get(name), least) for name, least in (("shards", 1), ("replicas", 0))}
    return {"node_type": dedicated["node_type"], "scaling": "Manual", "manual": manual}


def _number(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
        raise invalid(f"read_capacity.dedicated.manual.{name} must be a whole number from {least}, got {value!r}")
    return value
