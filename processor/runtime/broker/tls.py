"""Certificates for trying TLS on 127.0.0.1: an authority of their own, a server's, and a client's."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from processor.runtime.broker.process import LOCALHOST

__all__ = ["Certificates", "make_certificates"]

CLIENT_NAME: Final = "trayecto"
_YEARS: Final = dt.timedelta(days=3650)
_DAY: Final = dt.timedelta(days=1)


class Certificates(NamedTuple):
    """PEM files for a client: whom to trust, and what to show when asked who it is."""

    ca: Path
    client_certificate: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Return the certificates in ``folder``, made when they are not there; ``server.pem`` is the broker's."""
    made = Certificates(folder / "ca.pem", folder / "client.pem", folder / "client.key")
    if all(path.is_file() for path in (*made, folder / "server.pem")):
        return made
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("trayecto local authority", authority_key, None, authority_key)
    made.ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for name, common_name in (("server", "localhost"), ("client", CLIENT_NAME)):
        key = ec.generate_private_key(ec.SECP256R1())
        chain = _certificate(common_name, key, authority, authority_key)
        pem = chain.public_bytes(serialization.Encoding.PEM) + made.ca.read_bytes()
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # The broker wants key and chain in one file, clients mostly want them in two.
        _write_secret(folder / f"{name}.key", secret)
        _write_secret(folder / f"{name}.pem", (secret if name == "server" else b"") + pem)
    return made


def _write_secret(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """Sign a certificate; without an issuer it is an authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOCALHOST))]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(here), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
