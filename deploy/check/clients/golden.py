"""The generated Python client against the living service: the golden requests, and what an export does with the answers."""

import datetime
import enum
import importlib
import json
import os
import re
import sys
import typing

from recap_client import AuthenticatedClient
from recap_client.api.dashboard import get_interactions, get_stats
from recap_client.models import Excluded, Interaction, ProblemCode, ProblemDetails

url = os.environ["RECAP_URL"]
token = os.environ["RECAP_TOKEN"]


def snake(name):
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def argument(name, text, hint=None):
    """A parameter as the generated functions take it, by its type there."""
    for kind in typing.get_args(hint):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return kind(text)
    if name in ("from", "to"):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() and name in ("limit", "agentId", "top") else text


def comparable(value):
    """Times by their moment: Python spells UTC otherwise."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


golden = json.load(open(os.environ["RECAP_GOLDEN"], encoding="utf-8"))
for request in golden:
    function = importlib.import_module("recap_client.api.dashboard." + snake(request["path"].rsplit("/", 1)[1]))
    hints = typing.get_type_hints(function.sync)
    hints = {name: hint if typing.get_args(hint) else typing.Optional[hint] for name, hint in hints.items()}
    arguments = {}
    for name, text in request["query"].items():
        own = snake(name) + ("_" if name == "from" else "")
        arguments[own] = argument(name, text, hints.get(own))
    client = AuthenticatedClient(base_url=url, token=request["token"])
    answer = function.sync(client=client, **arguments)
    found = [item.to_dict() for item in answer] if isinstance(answer, list) else answer.to_dict()
    if comparable(found) != comparable(request["expected"]):
        sys.exit(f"{request['path']} {request['query']}: {json.dumps(found)}")

march = {"from_": argument("from", "2024-03-01T00:00:00Z"), "to": argument("to", "2024-03-31T23:59:59.999Z")}
client = AuthenticatedClient(base_url=url, token=token)
page = get_interactions.sync(client=client, all_in_org=True, limit=1, exclude=[Excluded.TOOLCALLS, Excluded.FEEDBACKDATA], **march)
assert isinstance(page, list) and isinstance(page[0], Interaction), page
assert any("department" in conversation.user_public_metadata for conversation in page), "metadata has members"
assert all(not conversation.tool_calls for conversation in page), "exclude is taken"
refused = get_stats.sync(client=AuthenticatedClient(base_url=url, token="nonsense"), **march)
assert isinstance(refused, ProblemDetails) and refused.code == ProblemCode.INVALID_TOKEN, refused
print(f"openapi-python-client: {len(golden)} golden requests answered exactly")
