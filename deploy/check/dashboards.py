"""Reads dashboards with Grafana's own types (the Foundation SDK, generated from Grafana's schemas) and names what those do not know: members that would be
ignored, and values of another type or outside their enumeration. Run by check.sh with the dashboards as arguments."""

import enum
import inspect
import json
import sys
import types
import typing

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def ignored(given, kept, path):
    """Members that are lost when the dashboard is read and written again."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name in kept:
                yield from ignored(value, kept[name], f"{path}.{name}")
            elif value is not None:
                yield f"{path}.{name} is not known"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept)):
            yield from ignored(one, other, f"{path}[{index}]")
    elif given != kept:
        yield f"{path} is read as {kept!r}"


def fits(value, hint):
    """Whether a value is what its annotation says, as far as the value itself shows."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin in (list, dict):
        values = value.values() if origin is dict and isinstance(value, dict) else value
        return isinstance(value, origin) and all(fits(one, arguments[-1]) for one in values)
    if not inspect.isclass(hint):
        return True
    if issubclass(hint, enum.Enum):
        return isinstance(value, hint) or value in [member.value for member in hint]
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def mistyped(value, path):
    """Attributes of the read dashboard that are not what Grafana's types say."""
    if isinstance(value, (list, dict)):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from mistyped(one, f"{path}[{name!r}]")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models") and not isinstance(value, enum.Enum):
        for name, hint in typing.get_type_hints(type(value)).items():
            attribute = getattr(value, name, None)
            if attribute is None or not fits(attribute, hint):
                if attribute is not None:
                    yield f"{path}.{name} is {attribute!r}"
                continue
            yield from mistyped(attribute, f"{path}.{name}")


register_default_plugins()
mistakes = 0
for name in sys.argv[1:]:
    with open(name) as file:
        given = json.load(file)
    dashboard = Dashboard.from_json(given)
    kept = json.loads(JSONEncoder().encode(dashboard))
    for mistake in [*ignored(given, kept, ""), *mistyped(dashboard, "")]:
        print(f"{name}: {mistake}", file=sys.stderr)
        mistakes += 1
print(f"{len(sys.argv) - 1} dashboards, {mistakes} mistakes")
sys.exit(bool(mistakes))
