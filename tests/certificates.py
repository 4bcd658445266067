"""Certificates of this machine that nobody else vouches for, for the servers that tests start."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certify(folder: Path, host: str = "localhost") -> str:
    """Write a certificate that is its own authority, cert.pem, and its key, key.pem; its SHA-256. It is good for `host`
    alone: localhost, or an IP address of this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    known_as = x509.DNSName(host) if host == "localhost" else x509.IPAddress(ip_address(host))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.touch(mode=0o600)
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made.fingerprint(hashes.SHA256()).hex()


def issue(folder: Path, host: str) -> None:
    """Write an authority's certificate, ca.pem, and one that it has issued for an IP address of this machine, to serve
    and to be a client: cert.pem and key.pem."""
    now = datetime.now(UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def begun(name: str, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        authority, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("authority", name))
        return x509.CertificateBuilder(
            authority, subject, public, x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1)
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)

    authority = begun("authority", ca_key.public_key(), ca=True).sign(ca_key, hashes.SHA256())
    known_as = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    made = begun(host, key.public_key(), ca=False).add_extension(known_as, critical=False).sign(ca_key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.touch(mode=0o600)
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
