# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules and the dashboard name metrics that there are, and say what they mean."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.tests.monitoring.promql import (
    ROOT,
    dashboard,
    expressions,
    metrics_of,
    offered,
    panels,
    rules,
)

PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
UNITS = {"short", "s", "d", "bytes", "percentunit", "ops"}


def test_every_metric_is_offered_and_each_of_the_list_is_used() -> None:
    named = set().union(*map(metrics_of, expressions()))
    assert named == offered()


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        (
            'sum by (a, b) (rate(x_total{c=~"d|e", f!="g{h}"}[5m])) / on (i) group_left (j) y:z > 100',
            {"x_total", "y:z"},
        ),
        ('time() - min(x{queue!="hold"}) or vector(0)', {"x"}),
        ("absent(up) unless on (instance) z and w offset 5m", {"up", "z", "w"}),
    ],
)
def test_metrics_are_found_in_an_expression(expression: str, metrics: set[str]) -> None:
    assert metrics_of(expression) == metrics


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_happened_to_whom_and_what_to_do(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "description"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert "$labels." in said["summary"] or rule["alert"] == "MailNothingWatched"
    assert len(said["summary"]) < 200
    assert not said["summary"].endswith(".")
    assert re.search(r"'[a-z0-9-]+ [^']+'|run the site playbook|renewed by", said["description"]), (
        "names no command"
    )
    assert set(re.findall(r"ilnmors\.mail\.(\w+)", said["description"])) <= PLAYBOOKS


def test_each_alert_has_a_name_of_its_own_and_is_tried() -> None:
    names = [rule["alert"] for rule in rules()]
    assert sorted(set(names)) == sorted(names)
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "monitoring").glob("*.test.yml"))
    assert [name for name in names if f'alertname="{name}"' not in tests] == []


def test_tests_of_rules_are_yaml() -> None:
    for path in (ROOT / "tests" / "monitoring").glob("*.test.yml"):
        assert yaml.safe_load(path.read_text())["rule_files"] == ["rules.yml"]


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert defaults["thresholds"]["steps"][0]["value"] is None
    for one in (panel, *panel["targets"]):
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    several = len(panel["targets"]) > 1 or " by " in panel["targets"][0]["expr"]
    assert all(target["legendFormat"] for target in panel["targets"]) or not several


def test_panels_lie_beside_each_other() -> None:
    places: set[tuple[int, int]] = set()
    identities = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(identities)) == len(identities)
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not places & cells, f"{panel['title']} lies on another one"
        places |= cells


def test_the_dashboard_asks_which_prometheus() -> None:
    found = dashboard()
    variables = {one["name"]: one for one in found["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert found["id"] is None
    assert found["schemaVersion"] >= 39
    text = "".join(expressions())
    assert "${" not in text
