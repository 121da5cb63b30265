"""What no tool of others checks: that the files under deploy/ agree with one another. Run by check.sh with the top of the repository as argument."""

import base64
import json
import pathlib
import re
import sys

import yaml

top = pathlib.Path(sys.argv[1])
deploy = top / "deploy"
mistakes = []


def expect(truth, mistake):
    if not truth:
        mistakes.append(mistake)


rules = yaml.safe_load((deploy / "prometheus/rules.yaml").read_text())
operator = yaml.safe_load((deploy / "kubernetes/components/monitoring/prometheusrule.yaml").read_text())
expect(operator["spec"]["groups"] == rules["groups"], "prometheusrule.yaml has other groups than prometheus/rules.yaml")

alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
runbook = (deploy / "runbook.md").read_text()
sections = re.findall(r"^## (Recap\w+)$", runbook, re.M)
for alert in alerts:
    name, annotations = alert["alert"], alert.get("annotations", {})
    expect(annotations.get("summary") and annotations.get("description"), f"{name}: no summary or description")
    expect(annotations.get("runbook_url") == f"deploy/runbook.md#{name.lower()}", f"{name}: runbook link does not name its section")
    expect(alert.get("labels", {}).get("severity") in ("page", "ticket"), f"{name}: severity is neither page nor ticket")
    expect(name in sections, f"{name}: no section in runbook.md")
for section in sections:
    expect(section in [alert["alert"] for alert in alerts], f"runbook.md: {section} is no alert")
    body = runbook.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    for part in ("**Means.**", "**Look at.**", "**Do.**"):
        expect(part in body, f"runbook.md: {section} has no {part}")

tests = yaml.safe_load((deploy / "prometheus/rules.test.yaml").read_text())["tests"]
cases = [case for test in tests for case in test["alert_rule_test"]]
for alert in alerts:
    for fires in (True, False):
        expect(
            any(case["alertname"] == alert["alert"] and bool(case["exp_alerts"]) == fires for case in cases),
            f"{alert['alert']}: no test that it {'fires' if fires else 'stays silent'}",
        )

scaling = yaml.safe_load((deploy / "kubernetes/components/lag-scaling/scaledobject.yaml").read_text())
trigger = scaling["spec"]["triggers"][0]["metadata"]
replicas = f"ceil(({trigger['query']}) / {trigger['threshold']})"
expect(
    any(case["expr"] == replicas for test in tests for case in test.get("promql_expr_test", [])),
    f"rules.test.yaml: no test of the replicas that KEDA wants, {replicas}",
)

sources = yaml.safe_load((deploy / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
uids = {source["uid"] for source in sources}
dashboards = sorted((deploy / "grafana/dashboards").glob("*.json"))
listed = yaml.safe_load((deploy / "grafana/kustomization.yaml").read_text())["configMapGenerator"][0]["files"]
expect(sorted(listed) == [f"dashboards/{path.name}" for path in dashboards], "grafana/kustomization.yaml lists other dashboards than there are")
expressions = []
for path in dashboards:
    dashboard = json.loads(path.read_text())
    expect(dashboard["uid"] == path.stem, f"{path.name}: uid is not the file's name")
    taken = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    expect(len(ids) == len(set(ids)), f"{path.name}: a panel id twice")
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        expect(grid["x"] + grid["w"] <= 24, f"{path.name}: {panel['title']} is wider than the grid")
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        expect(not cells & taken, f"{path.name}: {panel['title']} lies over another panel")
        taken |= cells
        for target in panel.get("targets", []):
            expect(target["datasource"]["uid"] in uids, f"{path.name}: {panel['title']} asks an unknown datasource")
            expressions.append(target["expr"])

# Settings: whatever a manifest sets is one that the README names, and the console's belong to the instance whose tokens are accepted.
readme = (top / "README.md").read_text()
named = {name for row in re.findall(r"^\| (`[A-Z].*?) \|", readme, re.M) for name in re.findall(r"`([A-Z][A-Z0-9_]*\*?)`", row)}
compose = yaml.safe_load((top / "docker-compose.yml").read_text())["services"]
config_map = yaml.safe_load((deploy / "kubernetes/base/configmap.yaml").read_text())["data"]
generators = yaml.safe_load((deploy / "kubernetes/overlays/production/kustomization.yaml").read_text())["configMapGenerator"]
overlay = dict(literal.split("=", 1) for generator in generators for literal in generator["literals"])
settings = {f"docker-compose.yml, {name}": service["environment"] for name, service in compose.items() if service.get("image", "").startswith("recap:")}
settings |= {"base/configmap.yaml": config_map, "overlays/production": config_map | overlay}
for where, given in settings.items():
    for name in given:
        expect(name in named or f"{name.split('_')[0]}_*" in named, f"{where}: README.md has no {name}")
for where in ("docker-compose.yml, query", "base/configmap.yaml", "overlays/production"):
    given = settings[where]
    for name in ("RECAP_CONSOLE", "CLERK_PUBLISHABLE_KEY"):
        expect(name in given, f"{where}: no {name}")
    # Compose takes the key from its own environment.
    key = given.get("CLERK_PUBLISHABLE_KEY")
    if key:
        host = base64.b64decode(re.sub("^pk_(live|test)_", "", key) + "==").decode().removesuffix("$")
        expect(given["CLERK_ISSUER"] == f"https://{host}", f"{where}: CLERK_PUBLISHABLE_KEY is that of {host}, not of {given['CLERK_ISSUER']}")

# promtool reads expressions only in rules.
pathlib.Path(sys.argv[2]).write_text(
    yaml.safe_dump({"groups": [{"name": "dashboards", "rules": [{"record": f"panel:{n}", "expr": e} for n, e in enumerate(expressions)]}]})
)

for mistake in mistakes:
    print(mistake, file=sys.stderr)
print(f"{len(alerts)} alerts, {len(cases)} alert tests, {len(dashboards)} dashboards with {len(expressions)} expressions, {len(mistakes)} mistakes")
sys.exit(bool(mistakes))
