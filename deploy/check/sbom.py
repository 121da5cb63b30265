"""Whether a bill of materials is one: valid by CycloneDX's schema, nothing missing that Cargo links, every part with its version, origin and licence.
Run by sbom.sh with the bill and the output of `cargo tree` as arguments."""

import json
import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = pathlib.Path(sys.argv[1]).read_text()
mistakes = []
invalid = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
if invalid is not None:
    mistakes.append(f"not valid CycloneDX 1.5: {invalid}")

bill = json.loads(text)
program = bill["metadata"]["component"]
parts = {(part["name"], part["version"]): part for part in [program, *bill["components"]]}
linked = {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, filter(str.strip, open(sys.argv[2])))}
mistakes += [f"{name} {version} is linked and not listed" for name, version in sorted(linked - set(parts))]
for (name, version), part in parts.items():
    if not part.get("licenses"):
        mistakes.append(f"{name} {version} has no licence")
    if not part.get("purl", "").startswith(f"pkg:cargo/{name}@"):
        mistakes.append(f"{name} {version} has no package URL")
    if "registry+" in part["bom-ref"] and not part.get("hashes"):
        mistakes.append(f"{name} {version} has no checksum")

for mistake in mistakes:
    print(f"{sys.argv[1]}: {mistake}", file=sys.stderr)
print(f"{program['name']}: {len(bill['components'])} components, {len(linked)} of them linked, {len(mistakes)} mistakes")
sys.exit(bool(mistakes))
