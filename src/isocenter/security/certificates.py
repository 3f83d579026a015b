"""Facts of certificates."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from isocenter.security.binding import CertificateFacts


def facts_of(der: bytes) -> CertificateFacts:
    """What counts here of a certificate, given as DER."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        dns_names = tuple(alternative.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        dns_names = ()
    return CertificateFacts(
        certificate.subject.rfc4514_string(),
        str(names[0].value) if names else "",
        dns_names,
        certificate.fingerprint(hashes.SHA256()).hex(),
    )
