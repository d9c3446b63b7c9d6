"""Who signs for the nodes of a cluster that speaks in TLS."""

from __future__ import annotations

from pathlib import Path

import trustme

VARIABLES = ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")


class Authority:
    """Sign for the nodes of one cluster."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        paths = [folder / name for name in ("cert.pem", "key.pem", "ca.pem")]
        node = authority.issue_cert("a.node")
        node.cert_chain_pems[0].write_to_path(paths[0])
        node.private_key_pem.write_to_path(paths[1])
        authority.cert_pem.write_to_path(paths[2])
        self.settings = {name: str(path) for name, path in zip(VARIABLES, paths, strict=True)}
        self.settings["RAY_USE_TLS"] = "1"
