"""The Kubernetes manifest: valid by its schemas, and in step with the service and the image."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from failsoft.service.config.file import load

from .material import ENDPOINTS, FOLDER

DOCUMENTS: list[dict[str, Any]] = [
    msgspec.yaml.decode(document)
    for document in (FOLDER / "kubernetes.yaml").read_text().split("\n---\n")
]
BY_KIND = {document["kind"]: document for document in DOCUMENTS}
POD = BY_KIND["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
TREE = BY_KIND["ConfigMap"]["data"]["tree.toml"]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("document", DOCUMENTS, ids=list(BY_KIND))
def test_the_schemas_take_it(document: dict[str, Any], version: str) -> None:
    """Strictly: a key that isn't known is a mistake."""
    kubernetes_validate: Any = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate isn't installed: it is 100 MB of schemas"
    )
    kubernetes_validate.validate(document, version, strict=True)


def test_the_tree_in_it_is_one(tmp_path: Path) -> None:
    """SRV-09 As `failsoft check` sees it."""
    file = tmp_path / "tree.toml"
    file.write_text(TREE)
    assert load(file, {}).tree.service.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")],
)
def test_each_probe_asks_what_it_should(probe: str, path: str) -> None:
    """A pod that loads must not be killed for it, nor one that isn't ready."""
    assert CONTAINER[probe]["httpGet"] == {"path": path, "port": "http"}
    assert path in ENDPOINTS


def test_all_agree_on_the_port() -> None:
    """The tree, the container, the service in front, and Prometheus."""
    (port,) = CONTAINER["ports"]
    assert tomllib.loads(TREE)["service"]["port"] == port["containerPort"]
    assert BY_KIND["Service"]["spec"]["ports"][0]["targetPort"] == port["name"] == "http"
    annotations = POD["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    assert annotations["prometheus.io/path"] in ENDPOINTS


def test_it_waits_for_longer_than_the_grace() -> None:
    """SRV-05 With preStop before it, or the pod is killed in the midst of its last answers."""
    grace = tomllib.loads(TREE)["service"]["grace"]
    wait = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["spec"]["terminationGracePeriodSeconds"] >= wait + grace + 20


def test_readiness_is_seen_to_go_before_the_pod_does() -> None:
    """SRV-05 Within preStop's time; else requests come that nobody takes any more."""
    probe = CONTAINER["readinessProbe"]
    wait = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < wait


def test_labels_lead_to_the_pods() -> None:
    """Of all that selects some."""
    labels = POD["metadata"]["labels"]
    selectors = [
        BY_KIND["Deployment"]["spec"]["selector"]["matchLabels"],
        BY_KIND["Service"]["spec"]["selector"],
        BY_KIND["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    assert [labels, labels, labels] == selectors


def test_it_runs_as_the_user_of_the_image() -> None:
    """Who may write where the image says, and the volumes are."""
    dockerfile = (FOLDER / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    assert POD["spec"]["securityContext"]["runAsUser"] == int(user)
    mounted = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    (homes,) = re.findall(r"install -d -o failsoft (.*)", dockerfile)
    assert set(homes.split()) <= mounted
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {
        volume["name"] for volume in POD["spec"]["volumes"]
    }
