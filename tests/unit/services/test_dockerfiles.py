"""The Dockerfiles of the services are one file but for the name, so knowing one is knowing four."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("market", "engine", "execution", "audit")


def test_dockerfiles_differ_by_the_name_of_the_service_only() -> None:
    texts = {
        (ROOT / "services" / name / "Dockerfile").read_text().replace(name.upper(), "NAME").replace(name, "name")
        for name in SERVICES
    }
    assert len(texts) == 1


def test_each_image_installs_an_extra_of_its_own() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in SERVICES:
        assert name in extras
        assert f"[{name}]" in (ROOT / "services" / name / "Dockerfile").read_text()


def test_compose_builds_every_service_from_its_dockerfile() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    for name in SERVICES:
        assert f"dockerfile: services/{name}/Dockerfile" in compose


def test_execution_can_be_scaled() -> None:
    """A name or a port of the host's can be had once."""
    compose = (ROOT / "docker-compose.yml").read_text()
    assert "container_name" not in compose
    assert "hostname:" not in compose
    (section,) = re.findall(r"^  execution:\n((?:    .*\n)+)", compose, re.MULTILINE)
    assert "ports:" not in section
    assert "INSTANCE" not in section, "each process takes a name of its own"


def test_nothing_forces_a_registry() -> None:
    for path in (ROOT / "docker-compose.yml", *(ROOT / "services" / name / "Dockerfile" for name in SERVICES)):
        text = path.read_text()
        assert "@sha256:" not in text, path
        assert "# syntax=" not in text, path
        assert "pull_policy" not in text, path
