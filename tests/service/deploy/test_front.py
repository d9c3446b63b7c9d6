"""What stands around the service: nginx in front of it, Prometheus beside it."""

from __future__ import annotations

import re
import shutil
from importlib.resources import files
from pathlib import Path

import msgspec

from failsoft.service.http import HttpPolicy

from .material import ENDPOINTS, FOLDER, check, tool

CERTIFICATE = Path(__file__).parents[2] / "telemetry" / "localhost.pem"
NGINX = (FOLDER / "nginx.conf").read_text()


def test_nginx_takes_it(tmp_path: Path) -> None:
    """With a certificate that is there."""
    site = re.sub(r"(ssl_certificate\w*) .*;", rf"\1 {CERTIFICATE};", NGINX)
    (tmp_path / "site.conf").write_text(site)
    main = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include site.conf; }}"
    (tmp_path / "nginx.conf").write_text(main)
    check([tool("nginx"), "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"])


def test_nginx_waits_for_as_long_as_a_request_may_take() -> None:
    """And takes a body that the service would: it says better what is wrong with it."""
    policy = HttpPolicy()
    (wait,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert int(wait) > policy.max_timeout
    (most,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    assert int(most) * 2**20 > policy.max_body_bytes


def test_nginx_passes_on_what_comes_as_it_comes() -> None:
    """SRV-01 In each place that leads to the service."""
    assert NGINX.count("proxy_pass ") == NGINX.count("proxy_buffering off;") == 2


def test_prometheus_takes_it(tmp_path: Path) -> None:
    """TL-05 With the rules that ship, under the name that the file has for them."""
    promtool = tool("promtool")
    shutil.copy(FOLDER / "prometheus.yaml", tmp_path / "prometheus.yml")
    rules = Path(str(files("failsoft.telemetry") / "dashboards" / "rules.yaml"))
    shutil.copy(rules, tmp_path / "failsoft-rules.yaml")
    check([promtool, "check", "config", tmp_path / "prometheus.yml"])


def test_prometheus_asks_where_metrics_are() -> None:
    """TL-05 At an endpoint that there is."""
    (job,) = msgspec.yaml.decode((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["metrics_path"] in ENDPOINTS
