"""The examples of TLS fronts, run on loopback before a hook: Debian's caddy and nginx."""

from __future__ import annotations

import datetime as dt
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import eventually, free_port

EXAMPLES = Path(__file__).parents[2] / "systemd" / "front"
FILES = {"caddy": "Caddyfile", "nginx": "nginx.conf"}
SECOND_HOST = {
    "caddy": (
        "lb_policy",
        "health_uri",
        "health_interval",
        "health_timeout",
        "fail_duration",
        "transport",
    ),
    "nginx": ("server 10.0.0.2",),
}
"""The lines of each example, by their beginnings, that name a second host."""

NAME = "alerts.example.org"
PATIENCE = 120
"""Seconds; a slow machine is no fault of a front's."""

NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.main.log;
{user}
events {{}}
http {{
	access_log {folder}/nginx.access.log;
	client_body_temp_path {folder}/temp;
	proxy_temp_path {folder}/temp;
	fastcgi_temp_path {folder}/temp;
	uwsgi_temp_path {folder}/temp;
	scgi_temp_path {folder}/temp;
	include {folder}/runner.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


@dataclass(slots=True)
class Authority:
    """Signs certificates that this test's fronts and senders show to each other."""

    folder: Path
    name: str = "ca"
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def certificate(self) -> Path:
        """Its own certificate, which who trusts it keeps."""
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            path.write_bytes(_pem(self._signed(self._subject, self._key, authority=True)))
        return path

    @property
    def _subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    def pair(self, name: str, organisation: str) -> Pair:
        """A certificate for a name, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        pair.certificate.write_bytes(_pem(self._signed(subject, key, authority=False)))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        return pair

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


class _ByName(http.client.HTTPSConnection):
    """Connects to loopback, and asks there for the front's name."""

    def __init__(self, port: int, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(NAME, port, timeout=timeout)
        self._trust = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._trust.wrap_socket(plain, server_hostname=NAME)


class Front:
    """A running front with the example as it is written, but for names, places and ports."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        hooks: Sequence[str],
        changes: Mapping[str, str] | None = None,
    ) -> None:
        """Start caddy or nginx before hooks (`HOST:PORT`); `changes` are made to the example."""
        self.folder = folder
        self.port = free_port()
        self.authority = Authority(folder)
        self._server = self.authority.pair(NAME, "Test")
        arrange = {"caddy": self._caddy, "nginx": self._nginx}[kind]
        words = arrange(list(hooks), changes or {})
        self._output = (folder / f"{kind}.log").open("wb")
        self.process = subprocess.Popen(
            words,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"},
        )
        eventually(self._listens, timeout=PATIENCE)

    def _text(self, name: str, changes: Mapping[str, str]) -> str:
        text = (EXAMPLES / name).read_text("utf-8")
        for there, here in changes.items():
            assert there in text, there
            text = text.replace(there, here)
        return text

    def _caddy(self, hooks: list[str], changes: Mapping[str, str]) -> list[str | Path]:
        own = f"tls {self._server.certificate} {self._server.key}"
        places = {
            "{\n\t# A secret may": "{\n\tadmin off\n\tauto_https off\n\t# A secret may",
            f"{NAME} {{\n": f"https://{NAME}:{self.port} {{\n\tbind 127.0.0.1\n\t{own}\n",
            "reverse_proxy 127.0.0.1:8080 {": f"reverse_proxy {' '.join(hooks)} {{",
        }
        text = self._text(FILES["caddy"], {**changes, **places})
        if "\n\ttls {" in text:
            text = text.replace(f"\t{own}\n", "").replace("\n\ttls {", f"\n\t{own} {{")
        config = self.folder / "Caddyfile"
        config.write_text(text, "utf-8")
        return ["caddy", "run", "--config", config, "--adapter", "caddyfile"]

    def _nginx(self, hooks: list[str], changes: Mapping[str, str]) -> list[str | Path]:
        live = f"/etc/letsencrypt/live/{NAME}"
        places = {
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            f"{live}/fullchain.pem": str(self._server.certificate),
            f"{live}/privkey.pem": str(self._server.key),
            "/var/log/nginx": str(self.folder),
            "127.0.0.1:8080": hooks[0],
            "10.0.0.2:8080": hooks[-1],
            "proxy_read_timeout 60s": f"proxy_read_timeout {10 * PATIENCE}s",
        }
        text = self._text(FILES["nginx"], {**changes, **places})
        (self.folder / "runner.conf").write_text(text, "utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, user=user), "utf-8")
        return ["nginx", "-e", self.folder / "nginx.start.log", "-c", config]

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.logs()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connection(
        self, show: Pair | None = None, timeout: float = PATIENCE
    ) -> http.client.HTTPSConnection:
        """A connection over TLS, where the sender may `show` a certificate of its own."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if show is not None:
            context.load_cert_chain(show.certificate, show.key)
        return _ByName(self.port, context, timeout)

    def ask(
        self,
        path: str,
        body: bytes = b"{}",
        method: str = "POST",
        show: Pair | None = None,
        **headers: str,
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        connection = self.connection(show)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def logs(self) -> str:
        """Everything that the front wrote, to whichever file."""
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._output.close()


def missing(kind: str) -> str:
    """Why this front cannot be tried on this machine; empty when it can."""
    return "" if shutil.which(kind, path="/usr/sbin:/usr/bin") else f"{kind} is not installed"


def optional(kind: str, *beginnings: str) -> dict[str, str]:
    """The commented lines of the example that begin so, with the # taken away; blocks whole."""
    text = (EXAMPLES / FILES[kind]).read_text("utf-8")
    changes = {}
    for beginning in beginnings:
        found = re.search(rf"(?m)^(\t+)#{re.escape(beginning)}.*\n(?:(?:\1#\t+.*|\1#\}})\n)*", text)
        assert found is not None, beginning
        changes[found[0]] = re.sub(r"(?m)^(\t+)#", r"\1", found[0])
    return changes
