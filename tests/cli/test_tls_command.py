"""`isocenter tls`, as it is typed."""

import json
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from isocenter.cli.tls_view import folder_for
from tests.cli.helpers import Run
from tests.support.tls import Certificates, openssl, write_key

TLS = Path("isocenter-data/tls")


def state(run: Run) -> dict:
    return json.loads(run("tls", "show", "--json").stdout)


def test_init_makes_what_is_needed_once_and_overwrites_nothing(run: Run) -> None:
    made = run("tls", "init", "--name", "pacs.example")
    assert made.exit_code == 0
    assert f"Peers must trust {TLS / 'ca.pem'}" in made.stderr
    found = state(run)
    assert found["certificate"]["common_name"] == "ISOCENTER"
    assert "pacs.example" in found["certificate"]["names"]
    assert found["problems"] == []
    before = (TLS / "node.pem").read_bytes()
    again = run("tls", "init")
    assert again.exit_code == exit_codes.UNWRITABLE_OUTPUT
    assert "isocenter tls renew makes it anew" in again.stderr
    assert (TLS / "node.pem").read_bytes() == before


def test_the_node_is_named_as_its_configuration_says(run: Run) -> None:
    Path("isocenter.toml").write_text(
        '[node]\nae_title = "PACS"\n[listen]\nhost = "192.0.2.9"\n[tls]\ndirectory = "keys"\n'
    )
    assert run("tls", "init").exit_code == 0
    found = state(run)
    assert found["directory"] == "keys"
    assert found["certificate"]["common_name"] == "PACS"
    assert {"localhost", "127.0.0.1", "::1", "192.0.2.9"} <= set(found["certificate"]["names"])


def test_issue_says_what_to_do_with_what_it_made(run: Run) -> None:
    issued = run("tls", "issue", "CT 1", "--name", "ct1.example")
    assert issued.exit_code == 0, issued.output
    for name in ("key.pem", "certificate.pem", "ca.pem", "bundle.p12", "passphrase.txt"):
        assert Path("CT_1-tls", name).exists()
        assert name in issued.stdout
    assert '[peers.ct_1]\n  ae_title = "CT 1"\n  host = "ct1.example"' in issued.stderr
    again = run("tls", "issue", "CT 1")
    assert again.exit_code != 0
    assert "is there already" in again.stderr
    # Anew, for the same names, elsewhere:
    assert run("tls", "issue", "CT 1", "--again", "--out", "new/ct1", "--days", "9").exit_code == 0
    (found,) = json.loads(run("tls", "show", "new/ct1/certificate.pem", "--json").stdout)
    assert found["names"] == ["ct1.example"]
    assert found["days_left"] <= 9


def test_a_passphrase_comes_from_a_file_and_is_shown_nowhere(run: Run) -> None:
    Path("secret").write_text("correct horse\nsecond line\n")
    issued = run("tls", "issue", "CT1", "--passphrase-file", "secret")
    assert issued.exit_code == 0
    assert "correct horse" not in issued.output
    assert not Path("CT1-tls/passphrase.txt").exists()
    opened = openssl(
        "pkcs12", "-in", "CT1-tls/bundle.p12", "-nokeys", "-passin", "pass:correct horse"
    )
    assert opened.returncode == 0
    Path("empty").write_text("\n")
    assert (
        "nothing in its first line"
        in run("tls", "issue", "CT2", "--passphrase-file", "empty").stderr
    )
    assert not Path("CT2-tls").exists()


@pytest.mark.parametrize(
    ("title", "folder"),
    [("CT1", "CT1-tls"), ("../../ETC", "_.._ETC-tls"), ("A/B", "A_B-tls"), ("..", "peer-tls")],
)
def test_an_ae_title_never_names_another_folder(title: str, folder: str) -> None:
    assert folder_for(title) == folder


def test_no_private_key_is_ever_shown(run: Run) -> None:
    commands = (
        ("tls", "init"),
        ("tls", "issue", "CT1"),
        ("tls", "show"),
        ("tls", "show", "--json"),
        ("tls", "renew", "--new-key"),
        ("tls", "request"),
        ("tls", "revoke", "CT1"),
    )
    for command in commands:
        done = run(*command)
        assert done.exit_code == 0, done.output
        assert "PRIVATE KEY" not in done.output
    for path in (*TLS.iterdir(), *Path("CT1-tls").iterdir()):
        if b"PRIVATE" in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0


def test_show_tells_a_person_all_of_it(run: Run) -> None:
    assert "has no certificate yet" in run("tls", "show").stdout
    run("tls", "init")
    run("tls", "issue", "CT1")
    run("tls", "revoke", "CT1")
    shown = run("tls", "show").stdout
    for words in ("CN=ISOCENTER", "730 days left", "Trusts:", "1 by Isocenter CA", "CT1", "ECDHE"):
        assert words in shown


def test_show_tells_what_is_wrong(run: Run) -> None:
    run("tls", "init")
    (TLS / "node.key").chmod(0o644)
    assert f"chmod 600 {TLS / 'node.key'}" in run("tls", "show").stdout
    assert len(state(run)["problems"]) == 1


def test_a_hospitals_ca_signs_a_request(run: Run, place: Path) -> None:
    assert run("tls", "request", "--name", "pacs.example", "--out", "node.csr").exit_code == 0
    hospital = Certificates(place / "hospital")
    ca_key = place / "hospital.key"
    write_key(ca_key, hospital._key)
    signed = openssl(
        "x509", "-req", "-in", "node.csr", "-CA", hospital.ca, "-CAkey", ca_key, "-days", "30",
        "-copy_extensions", "copy", "-out", "node.pem",
    )  # fmt: skip
    assert signed.returncode == 0, signed.stdout
    assert "is there already" in run("tls", "request", "--out", "node.csr").stderr
    installed = run("tls", "install", "node.pem", hospital.ca)
    assert installed.exit_code == 0, installed.output
    assert "ISOCENTER, of A Test CA" in installed.stdout
    trusted = run("tls", "trust", hospital.ca, "--revoked", hospital.revoke())
    assert "Trusts A Test CA, sha256:" in trusted.stdout
    assert "1 revocation list" in trusted.stderr
    assert "trusted already" in run("tls", "trust", hospital.ca).stderr
    assert state(run)["problems"] == []
    # What another CA issued is not renewed here.
    assert run("tls", "renew").exit_code != 0


def test_files_that_the_configuration_names_are_not_touched(run: Run, place: Path) -> None:
    own = Certificates(place / "ca").issue("PACS")
    Path("isocenter.toml").write_text(
        f'[tls]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\ntrusted = "t"\n'
        'revoked = "r"\n'
    )
    for command in (("init",), ("renew",), ("request",), ("install", own.certificate)):
        refused = run("tls", *command)
        assert refused.exit_code == exit_codes.SYNTAX
        assert "which is yours to change" in refused.stderr
    assert "[tls] trusted names" in run("tls", "trust", own.certificate).stderr
    assert "[tls] revoked names" in run("tls", "revoke", "X").stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("revoke", "NOBODY"), "isocenter tls init makes one"),
        (("renew",), "isocenter tls init makes one"),
        (("show", "none.pem"), "No such file"),
        (("trust", "none.pem"), "No such file"),
        (("install", "none.pem"), "No such file"),
        (("issue", "A\\B"), "is not an AE title"),
        (("issue", "CT1", "--name", "a b"), "neither a host name nor an IP address"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    run: Run, command: tuple[str, ...], words: str
) -> None:
    done = run("tls", *command)
    assert done.exit_code == exit_codes.SYNTAX
    assert words in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("+pw", "secret"), "use --passphrase-file"),
        (("+pn",), "it does not encrypt"),
        (("+pa",), "was retired"),
        (("+cs", "NULL-SHA"), "the suites are those of --tls-profile"),
        (("-der",), "openssl pkey converts them"),
        (("--tls", "+cd", "."), "no file there ends in"),
        (("--tls",), "No certification authority is trusted"),
        (("+tls", "none.key", "none.pem"), "No such file"),
    ],
)
def test_what_is_not_done_of_dcmtks_options_is_said(
    run: Run, options: tuple[str, ...], words: str
) -> None:
    done = run("echo", "localhost", *options)
    assert done.exit_code == exit_codes.SYNTAX
    assert words in done.stderr


def test_the_usual_port_of_tls_is_another(run: Run) -> None:
    run("tls", "init")
    assert "ANY-SCP@localhost:2762 over TLS" in run("echo", "localhost", "--tls", "-v").stderr
    assert "ANY-SCP@localhost:11112." in run("echo", "localhost", "-tls", "-v").stderr
