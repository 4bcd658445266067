"""The manifests: valid by Kubernetes' schemas, restricted as its strictest standard has it, and true to the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from settings import Settings
from starter.commands.api import open_to_all
from starter.desk import load_map
from tests.commandline import COMMANDS

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
BASE, EXAMPLES = FOLDER / "base", FOLDER / "examples"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
SETTINGS = tomllib.loads((BASE / "habeas.toml").read_text())


def kubectl() -> str | None:
    """One whose kustomize knows `labels` (4.1): Debian 12's is older, which makes nothing of any such file."""
    if program := shutil.which("kubectl"):
        said = subprocess.run([program, "version", "--client"], capture_output=True, text=True, check=False).stdout
        if re.search(r"Kustomize Version: v[5-9]", said):
            return program
    return None


KUBECTL = kubectl()
needs_kustomize = pytest.mark.skipif(KUBECTL is None, reason="no kubectl here whose kustomize is version 5")


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object, by file, kind and name."""
    for file in sorted(folder.glob("*.yaml")):
        for body in yaml.safe_load_all(file.read_text()):
            if body and "kind" in body:
                yield f"{file.name}:{body['kind']}:{body.get('metadata', {}).get('name', '')}", body


OBJECTS = {name: body for name, body in documents(BASE) if body["kind"] != "Kustomization"}
PODS = {name: body["spec"]["template"] for name, body in OBJECTS.items() if "template" in body.get("spec", {})}
CUSTOM = dict(documents(EXAMPLES))


@pytest.mark.parametrize("name", OBJECTS)
def test_kubernetes_takes_it(name: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], "1.34", strict=True)


@needs_kustomize
def test_what_kustomize_makes_of_the_base_and_of_the_overlay_that_it_shows_kubernetes_takes(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path / "base")
    shown = re.findall("^#   (.*)$", (BASE / "kustomization.yaml").read_text(), re.MULTILINE)
    overlay = tmp_path / "overlay"
    (overlay / "maps").mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text("\n".join(shown))
    shutil.copy(BASE / "habeas.toml", overlay)
    shutil.copy(BASE / "maps" / "paper.yaml", overlay / "maps" / "shop.yaml")

    base, own = rendered(tmp_path / "base"), rendered(overlay)

    assert Counter(body["kind"] for body in own) == Counter(body["kind"] for body in base)
    assert {body["metadata"]["namespace"] for body in own} == {"habeas"}
    for body in (*base, *own):
        kubernetes_validate.validate(body, "1.34", strict=True)
        selector = body.get("spec", {}).get("selector", {})
        if selector:
            assert selector.get("matchLabels", selector)["app.kubernetes.io/name"] == "habeas", body["metadata"]["name"]
    templates = [body["spec"]["template"]["spec"] for body in own if "template" in body.get("spec", {})]
    assert {one["image"].partition("@")[0] for spec in templates for one in spec["containers"]} == {
        "registry.example/habeas"
    }
    made = {body["metadata"]["name"]: body["data"].keys() for body in own if body["kind"] == "ConfigMap"}
    used = {volume["configMap"]["name"] for spec in templates for volume in spec["volumes"] if "configMap" in volume}
    assert used == made.keys()
    assert sorted(file for files in made.values() for file in files) == ["habeas.toml", "shop.yaml"]


def rendered(folder: Path) -> list[dict[str, Any]]:
    """The objects that kustomize makes."""
    assert KUBECTL is not None
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def test_the_kustomization_names_every_file_and_no_other() -> None:
    files = {file.name for file in BASE.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(KUSTOMIZATION["resources"]) == files
    for made in KUSTOMIZATION["configMapGenerator"]:
        assert all((BASE / file).is_file() for file in made["files"])
    assert all("latest" not in image["newTag"] for image in KUSTOMIZATION["images"])


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted(name: str) -> None:
    """As the Pod Security Standard `restricted` has it, and a root that cannot be written."""
    spec = PODS[name]["spec"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all("hostPath" not in volume for volume in spec["volumes"])
    mounted = {mount["name"] for one in spec["containers"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"]:
        secure = container["securityContext"]
        assert secure["allowPrivilegeEscalation"] is False
        assert secure["readOnlyRootFilesystem"] is True
        assert secure["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", [name for name in PODS if "Job" not in name])
def test_what_goes_on_is_probed_and_given_time_to_end(name: str) -> None:
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]

    ports = {port["name"] for port in container["ports"]}
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    assert spec["terminationGracePeriodSeconds"] >= (SETTINGS["drain_seconds"] if "worker" in name else 0) + 10


def test_a_worker_s_probes_are_paths_that_it_answers() -> None:
    health = (Path(__file__).parents[2] / "starter" / "health.py").read_text()
    (container,) = PODS["worker.yaml:Deployment:habeas-worker"]["spec"]["containers"]

    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert f'case "{container[probe]["httpGet"]["path"]}":' in health


def test_every_command_settings_and_map_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BASE)

    settings = Settings.load()

    assert load_map(settings).systems
    for pod in PODS.values():
        (container,) = pod["spec"]["containers"]
        assert " ".join(["habeas", *(word for word in container["args"] if word.isalpha())]) in COMMANDS
        paths = {mount["mountPath"] for mount in container["volumeMounts"]}
        for place in (settings.ledger, settings.checkpoint_key, settings.keys, str(settings.parcels)):
            assert any(place.removeprefix("file:").startswith(path) for path in paths), place


def test_the_api_starts_behind_the_ingress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BASE)

    api = Settings.load().api

    assert api is not None
    assert not open_to_all(api)
    (container,) = PODS["api.yaml:Deployment:habeas-api"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": api.port}]
    # That a proxy is between is true only while nobody else is let in.
    rules = OBJECTS["network.yaml:NetworkPolicy:habeas-api"]["spec"]["ingress"]
    assert [rule["from"] for rule in rules] == [
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    ]


def test_somebody_watches_the_dates_with_every_worker_stopped() -> None:
    (container,) = PODS["due.yaml:Deployment:habeas-due"]["spec"]["containers"]
    port = container["ports"][0]["containerPort"]
    (rule,) = OBJECTS["network.yaml:NetworkPolicy:habeas-due"]["spec"]["ingress"]

    assert container["args"][:2] == ["due", "serve"]
    assert container["args"][-2:] == ["--port", str(port)]
    assert OBJECTS["due.yaml:Service:habeas-due"]["spec"]["ports"][0]["port"] == port
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    # It needs nothing that could be missing with Temporal.
    assert "temporal-client" not in {mount["name"] for mount in container["volumeMounts"]}


def test_budgets_and_policies_select_pods_that_are_there() -> None:
    common = KUSTOMIZATION["labels"][0]
    assert common["includeSelectors"] is True
    labels = [{**pod["metadata"]["labels"], **common["pairs"]} for pod in PODS.values()]

    for name, body in OBJECTS.items():
        selector = body["spec"].get("selector") if body["kind"] == "PodDisruptionBudget" else None
        if body["kind"] == "NetworkPolicy":
            selector = body["spec"]["podSelector"]
        if selector:
            wanted = selector["matchLabels"].items()
            assert any(wanted <= pod.items() for pod in labels), name


def test_nothing_goes_in_or_out_but_what_is_named() -> None:
    policies = {body["metadata"]["name"]: body["spec"] for body in OBJECTS.values() if body["kind"] == "NetworkPolicy"}

    nothing = policies["habeas-nothing"]
    assert set(nothing["policyTypes"]) == {"Ingress", "Egress"}
    assert not {"ingress", "egress"} & set(nothing)
    for spec in policies.values():
        for rule in spec.get("egress", []) + spec.get("ingress", []):
            assert rule["ports"]
        assert all(rule["from"] for rule in spec.get("ingress", []))


def test_the_examples_fit_the_base() -> None:
    """Their kinds are others' own, which no schema here knows: what they have to name, and what it leads to."""
    keda = CUSTOM["keda.yaml:ScaledObject:habeas-worker"]["spec"]
    (trigger,) = keda["triggers"]
    deployment = CUSTOM["worker-deployment.yaml:WorkerDeployment:habeas-worker"]["spec"]
    connection = CUSTOM["worker-deployment.yaml:Connection:temporal"]

    assert f"worker.yaml:{keda['scaleTargetRef']['kind']}:{keda['scaleTargetRef']['name']}" in OBJECTS
    assert keda["minReplicaCount"] >= 1  # a deadline fires in a worker
    assert {"endpoint", "namespace", "taskQueue", "targetQueueSize"} <= set(trigger["metadata"])
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert trigger["metadata"]["taskQueue"] == Settings.model_fields["task_queue"].default
    assert trigger["metadata"]["endpoint"] == connection["spec"]["hostPort"] == SETTINGS["temporal_address"]
    assert deployment["workerOptions"]["connectionRef"]["name"] == connection["metadata"]["name"]
    assert deployment["workerOptions"]["temporalNamespace"] == SETTINGS["temporal_namespace"]
    (said,) = deployment["template"]["spec"]["containers"][0]["args"]
    assert {"build_id", "deployment"} <= set(Settings.model_fields)
    assert "HABEAS_BUILD_ID=" in said
    assert "HABEAS_DEPLOYMENT=" in said
    pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": deployment["template"]}
    kubernetes_validate.validate(pod, "1.34", strict=True)


CERTIFICATE = {"ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"}
"""What a Secret with a certificate has, as cert-manager writes it."""


def test_temporal_s_values_suit_us() -> None:
    values = yaml.safe_load((EXAMPLES / "temporal-values.yaml").read_text())
    config = values["server"]["config"]
    (namespace,) = config["namespaces"]["namespace"]

    assert {store["sql"]["driver"] for store in config["persistence"].values()} == {"postgres12"}
    assert all("password" not in store["sql"] for store in config["persistence"].values())
    assert namespace == {"name": SETTINGS["temporal_namespace"], "retention": "30d"}
    web = {one["name"]: one["value"] for one in values["web"]["additionalEnv"]}
    codec = f"{SETTINGS['api']['url']}/codec/{SETTINGS['temporal_namespace']}"
    assert web["TEMPORAL_CODEC_ENDPOINT"] == codec
    assert web["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"


def test_whoever_reaches_temporal_shows_the_certificate_that_it_asks_for() -> None:
    """One Secret for all who come from Habeas, another in Temporal's own namespace for all who come from there."""
    values = yaml.safe_load((EXAMPLES / "temporal-values.yaml").read_text())
    front = values["server"]["config"]["tls"]["frontend"]
    assert front["server"]["requireClientAuth"] is True
    host = SETTINGS["temporal_address"].split(":")[0]

    ours = {}
    for name, pod in PODS.items():
        (container,) = pod["spec"]["containers"]
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in pod["spec"]["volumes"]:
            if places[volume["name"]] == str(Path(SETTINGS["temporal_ca"]).parent):
                ours[name] = volume["secret"]["secretName"]
    assert set(ours) == {name for name in PODS if "due" not in name}
    (secret,) = set(ours.values())
    assert SETTINGS["temporal_tls"] is True
    files = {SETTINGS["temporal_ca"], SETTINGS["temporal_certificate"], SETTINGS["temporal_key"].removeprefix("file:")}
    assert {Path(file).name for file in files} == set(CERTIFICATE.values())
    assert len({Path(file).parent for file in files}) == 1

    (trigger,) = CUSTOM["keda.yaml:ScaledObject:habeas-worker"]["spec"]["triggers"]
    shown = CUSTOM[f"keda.yaml:TriggerAuthentication:{trigger['authenticationRef']['name']}"]["spec"]["secretTargetRef"]
    assert {one["parameter"]: one["key"] for one in shown} == CERTIFICATE
    assert {one["name"] for one in shown} == {secret}
    connection = CUSTOM["worker-deployment.yaml:Connection:temporal"]["spec"]
    assert connection["mutualTLSSecretRef"] == {"name": secret}

    for part in ("web", "admintools"):
        said = {one["name"]: one["value"] for one in values[part]["additionalEnv"]}
        (mount,) = values[part]["additionalVolumeMounts"]
        assert {Path(v).name for v in said.values() if v.startswith(mount["mountPath"])} == set(CERTIFICATE.values())
        assert said["TEMPORAL_TLS_SERVER_NAME"] == front["client"]["serverName"] == host
    assert len({str(values[part]["additionalVolumes"]) for part in ("web", "admintools", "server")}) == 1
