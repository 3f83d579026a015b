"""TLS both ways with DCMTK, pynetdicom and OpenSSL: who gets in, who does not, and what is said."""

import hashlib
import shutil
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pydicom
import pytest

import isocenter as api
from isocenter.client import TLSWish
from tests.server.support_nodes import eventually, log_lines
from tests.support import peers
from tests.support.corpus import bundled, data_set_of
from tests.support.node import Node
from tests.support.processes import Server, free_port, require
from tests.support.tls import Certificates, s_client
from tests.support.tls_node import PeerFiles, TLSNode, command, port_of

pytestmark = pytest.mark.interop

OBJECT = bundled("CT_small.dcm")
NO_CERTIFICATE = "demands a certificate of ours"
SHORT = ("-ta", "5")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TLSNode]:
    with TLSNode(tmp_path_factory.mktemp("tls")) as shared:
        yield shared


@pytest.fixture(scope="module")
def modality(node: TLSNode) -> PeerFiles:
    return node.issue("MODALITY", "localhost", "127.0.0.1")


@pytest.fixture
def strangers(tmp_path: Path) -> Certificates:
    """A CA that nobody trusts."""
    return Certificates(tmp_path / "strangers")


def wish(own: PeerFiles) -> TLSWish:
    """To be called as `own`."""
    return TLSWish(enabled=True, certificate=own.certificate, key=own.key, trusted=(own.ca,))


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


# Others call the node


@pytest.mark.parametrize("profile", ["+px", "+py", "+pz"])
def test_dcmtk_calls_with_each_of_its_profiles(node: TLSNode, modality: PeerFiles, profile: str):
    done = peers.dcmtk("echoscu", "-v", *modality.options, profile, "localhost", str(node.port))
    assert done.returncode == 0, done.stdout
    assert "Received Echo Response (Success)" in done.stdout


def test_dcmtk_stores_over_tls_and_a_command_gets_it_back(
    tmp_path: Path, node: TLSNode, modality: PeerFiles
):
    stored = peers.dcmtk("storescu", *modality.options, "localhost", str(node.port), OBJECT)
    assert stored.returncode == 0, stored.stdout
    folder = tmp_path / "got"
    got = node.command(
        "get", f"localhost:{node.port}", "--tls", "-od", folder,
        "-k", f"SOPInstanceUID={uid_of(OBJECT)}",
        "-k", f"StudyInstanceUID={pydicom.dcmread(OBJECT).StudyInstanceUID}",
        "-k", f"SeriesInstanceUID={pydicom.dcmread(OBJECT).SeriesInstanceUID}",
    )  # fmt: skip
    assert got.returncode == 0, got.stdout
    (file,) = folder.iterdir()
    assert pydicom.dcmread(file).PixelData == pydicom.dcmread(OBJECT).PixelData


def test_pynetdicom_calls_over_tls(node: TLSNode, modality: PeerFiles):
    tls = ("--tls", str(modality.certificate), str(modality.key), str(modality.ca))
    pynetdicom = pytest.importorskip("pynetdicom")
    ae = pynetdicom.AE("MODALITY")
    ae.add_requested_context("1.2.840.10008.1.1")
    context = ssl.create_default_context(cafile=tls[3])
    context.load_cert_chain(tls[1], tls[2])
    association = ae.associate("127.0.0.1", node.port, tls_args=(context, "localhost"))
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()


def test_who_shows_no_certificate_or_a_strangers_is_turned_away(
    node: TLSNode, modality: PeerFiles, strangers: Certificates
):
    other = strangers.issue("MODALITY")
    anonymous = ("+tla", "+cf", modality.ca)
    foreign = ("+tls", other.key, other.certificate, "+cf", modality.ca)
    for options in (anonymous, foreign):
        done = peers.dcmtk("echoscu", *options, "localhost", str(node.port))
        assert done.returncode != 0
    eventually(lambda: log_lines(node, "the peer showed no certificate"))
    eventually(lambda: log_lines(node, "the peer's certificate was not accepted"))


def test_a_plain_association_on_the_tls_port_is_named_on_both_sides(node: TLSNode):
    assert peers.dcmtk("echoscu", "localhost", str(node.port)).returncode != 0
    eventually(lambda: log_lines(node, "a plain association request to a TLS port"))
    said = command("echo", node.address)
    assert said.returncode != 0
    assert "TLS" in said.stdout


def test_a_tls_hello_on_the_plain_port_is_named_on_both_sides(start_node, modality: PeerFiles):
    plain: Node = start_node()
    done = peers.dcmtk("echoscu", *modality.options, "localhost", str(plain.port))
    assert done.returncode != 0
    eventually(lambda: log_lines(plain, "TLS ClientHello"))
    said = command("echo", plain.address, *modality.options)
    assert "does not speak TLS on this port" in said.stdout


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_a_client_of_an_old_version_is_named_in_the_log(node: TLSNode, version: str):
    assert s_client(node.port, version, "-cipher", "ALL:@SECLEVEL=0").returncode != 0
    eventually(lambda: log_lines(node, "no TLS later than 1.1"))


def test_a_client_without_a_suite_of_ours_is_named_in_the_log(node: TLSNode):
    bad = ("-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0")
    assert s_client(node.port, "-tls1_2", *bad).returncode != 0
    eventually(lambda: log_lines(node, "a TLS handshake failed", "cipher"))


def test_a_revoked_peer_is_turned_away_at_once_and_the_others_stay(
    node: TLSNode, modality: PeerFiles
):
    lost = node.issue("LOST", "localhost")
    peer = ("localhost", str(node.port))
    assert peers.dcmtk("echoscu", *lost.options, *peer).returncode == 0
    assert node.command("tls", "revoke", "LOST").returncode == 0
    eventually(lambda: peers.dcmtk("echoscu", *lost.options, *peer).returncode != 0)
    eventually(lambda: log_lines(node, "the peer's certificate was revoked"))
    assert peers.dcmtk("echoscu", *modality.options, *peer).returncode == 0


def test_a_renewal_under_load_breaks_no_association(node: TLSNode, modality: PeerFiles):
    done = threading.Event()
    trouble: list[str] = []

    def keep_calling() -> None:
        try:
            while not done.is_set():
                with api.connect(node.address, tls=wish(modality)) as connection:
                    for _ in range(50):
                        assert connection.echo().is_success
        except Exception as error:
            trouble.append(str(error))

    callers = [threading.Thread(target=keep_calling) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(2):
            renewed = node.command("tls", "renew", "--new-key", "--name", f"name{number}.example")
            assert renewed.returncode == 0, renewed.stdout
            newest = renewed.stdout.rpartition("sha256:")[2].strip(" .\n")
            eventually(partial(shows, node, newest))
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert trouble == []


def shows(node: TLSNode, sha256: str) -> bool:
    """Whether the node shows the certificate of this fingerprint."""
    pem = ssl.get_server_certificate(("127.0.0.1", node.port), timeout=20)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == sha256


# The node and its commands call others


def storescp(folder: Path, own: PeerFiles, *options: str | Path, port: int | None = None) -> Server:
    """DCMTK's storage SCP over TLS; it demands a certificate unless told otherwise."""
    tls = [str(word) for word in (*own.options, *options)]
    return peers.dcmtk_storescp(folder, *tls, port=port)


def test_commands_call_dcmtk_over_tls(tmp_path: Path, node: TLSNode, modality: PeerFiles):
    with storescp(tmp_path, modality) as server:
        stored = command("store", f"localhost:{server.port}", *modality.options, OBJECT)
        assert stored.returncode == 0, stored.stdout
        # Without any option the node's own certificate is shown, and its CA trusted.
        echoed = node.command("echo", f"localhost:{server.port}", "--tls", "-v")
        assert echoed.returncode == 0, echoed.stdout
        assert "over TLS" in echoed.stdout
        refused = node.command("echo", f"localhost:{server.port}", "+tla")
        assert refused.returncode == 60
        assert NO_CERTIFICATE in refused.stdout or "refuse our certificate" in refused.stdout
        plain = command("echo", f"localhost:{server.port}")
        assert plain.returncode != 0
        assert "TLS" in plain.stdout
    (file,) = (tmp_path / "received").iterdir()
    assert data_set_of(file) == data_set_of(OBJECT)


@pytest.mark.parametrize("profile", ["+px", "+py", "+pz"])
def test_each_profile_of_dcmtks_servers_is_understood(
    tmp_path: Path, node: TLSNode, modality: PeerFiles, profile: str
):
    with storescp(tmp_path, modality, profile) as server:
        for ours in ("bcp195", "hardened"):
            said = node.command("echo", f"localhost:{server.port}", "--tls", "--tls-profile", ours)
            assert said.returncode == 0, said.stdout


def test_the_wrong_name_and_the_wrong_ca_are_named(
    tmp_path: Path, node: TLSNode, strangers: Certificates
):
    elsewhere = node.issue("ELSEWHERE", "elsewhere.example")
    with storescp(tmp_path, elsewhere) as server:
        address = f"localhost:{server.port}"
        said = node.command("echo", address, "--tls")
        assert "its certificate is for ELSEWHERE, elsewhere.example" in said.stdout
        assert node.command("echo", f"ELSEWHERE@{address}", "--tls").returncode == 0
        other = ("+cf", strangers.ca)
        assert (
            "CA that is not trusted here" in node.command("echo", address, "--tls", *other).stdout
        )
        loud = node.command("echo", address, *other, "-ic", "--tls")
        assert loud.returncode == 0
        assert "WARNING: the peer's certificate is not verified" in loud.stdout


def test_an_encrypted_key_is_opened_with_a_passphrase_from_a_file(
    tmp_path: Path, node: TLSNode, modality: PeerFiles
):
    (tmp_path / "pass").write_text("secret\n")
    locked = tmp_path / "locked.key"
    openssl = require("openssl", "openssl")
    made = peers.run(
        [openssl, "pkey", "-in", modality.key, "-aes256", "-passout",
         f"file:{tmp_path / 'pass'}", "-out", locked]
    )  # fmt: skip
    assert made.returncode == 0, made.stdout
    locked.chmod(0o600)
    tls = ("+tls", locked, modality.certificate, "+cf", modality.ca)
    assert "is encrypted" in command("echo", node.address, *tls).stdout
    said = command("echo", node.address, *tls, "--passphrase-file", tmp_path / "pass")
    assert said.returncode == 0, said.stdout
    assert "could read the passphrase" in command("echo", node.address, *tls, "+pw", "x").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "it needs TLS 1.2 or 1.3"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), "shares no cipher suite"),
        # With no input of its own OpenSSL's server shakes hands, and then closes.
        (("-tls1_2",), "while waiting for the answer to the association request"),
        (("-tls1_3",), "while waiting for the answer to the association request"),
    ],
    ids=["1.1", "suite", "1.2", "1.3"],
)
def test_openssls_server_is_understood(
    tmp_path: Path, node: TLSNode, modality: PeerFiles, options: tuple[str, ...], words: str
):
    port = free_port()
    command = [
        require("openssl", "openssl"), "s_server", "-accept", str(port), "-quiet",
        "-cert", modality.certificate, "-key", modality.key, *options,
    ]  # fmt: skip
    with Server(command, port, tmp_path / "s_server.log"):
        said = node.command("echo", f"localhost:{port}", "--tls")
    assert said.returncode in (60, 70)
    assert words in said.stdout


def test_the_python_api_calls_pynetdicom_over_tls(node: TLSNode, modality: PeerFiles):
    pynetdicom = pytest.importorskip("pynetdicom")
    ae = pynetdicom.AE("MODALITY")
    ae.add_supported_context("1.2.840.10008.1.1")
    for uid in ("1.2.840.10008.5.1.4.1.2.2.1",):
        ae.add_supported_context(uid)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(modality.certificate, modality.key)
    context.load_verify_locations(modality.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    try:
        peer = f"MODALITY@127.0.0.1:{server.socket.getsockname()[1]}"
        with api.connect(peer, tls=True, config=node.config) as connection:
            assert connection.echo().is_success
        with api.connect(peer, tls=wish(modality)) as connection:
            assert connection.echo().is_success
    finally:
        server.shutdown()


def test_objects_are_moved_to_a_peer_over_tls_and_never_to_another_or_in_the_clear(
    tmp_path: Path,
):
    (good, to_good), (pinned, to_pinned), (plain, to_plain) = map(
        port_of, ("GOOD", "PINNED", "PLAIN")
    )
    pinned += f'certificates = ["sha256:{"0" * 64}"]\n'
    once = "[retrieve]\nattempts = 1\nconnect_timeout = 2\n"
    with (
        TLSNode(tmp_path / "node", "\n".join((good, pinned, plain, once))) as node,
        storescp(tmp_path / "good", node.issue("GOOD"), port=to_good),
        storescp(tmp_path / "pinned", node.issue("PINNED", "localhost"), port=to_pinned),
        peers.dcmtk_storescp(tmp_path / "plain", port=to_plain),
    ):
        assert node.command("store", node.address, "--tls", OBJECT).returncode == 0
        moved = move(node, "GOOD")
        assert moved.returncode == 0, moved.stdout
        tried = node.command("peer", "test", "good")
        assert tried.returncode == 0, tried.stdout
        # Not whom the peer's table names:
        assert "not trusted" in move(node, "PINNED").stdout
        assert move(node, "PLAIN").returncode != 0
        eventually(lambda: explained(node, "which is none of sha256:0000"))
        # storescp hangs up, or waits for more of what it takes for a PDU:
        eventually(
            lambda: explained(node, "may be one without TLS") or explained(node, "is one for TLS")
        )
    (file,) = (tmp_path / "good" / "received").iterdir()
    assert data_set_of(file) == data_set_of(OBJECT)
    assert list((tmp_path / "pinned" / "received").iterdir()) == []
    assert list((tmp_path / "plain" / "received").iterdir()) == []


def explained(node: TLSNode, words: str) -> bool:
    """Whether `isocenter explain` tells so."""
    return words in node.command("explain").stdout.replace("\n", " ")


def test_a_node_sends_to_another_over_tls(tmp_path: Path):
    toml, port = port_of("SECOND")
    with TLSNode(tmp_path / "first", toml) as first:
        second_own = first.issue("SECOND", "localhost")
        config = tmp_path / "second"
        named = "\n".join(
            f'{key} = "{path}"'
            for key, path in zip(("certificate", "key", "trusted"), second_own, strict=True)
        )
        with TLSNode(config, f"[tls]\n{named}\n", ae_title="SECOND", port=port) as second:
            assert not second.tls.exists()  # it needs no CA of its own
            assert first.command("store", first.address, "--tls", OBJECT).returncode == 0
            moved = move(first, "SECOND")
            assert moved.returncode == 0, moved.stdout
            found = first.command(
                "find", f"SECOND@localhost:{port}", "--tls", "-k", "StudyInstanceUID="
            )
            assert str(pydicom.dcmread(OBJECT).StudyInstanceUID) in found.stdout


def move(node: TLSNode, destination: str):
    study = str(pydicom.dcmread(OBJECT, stop_before_pixels=True).StudyInstanceUID)
    options = ("-aem", destination, "-k", f"StudyInstanceUID={study}")
    return node.command("move", node.address, "--tls", *options)


def test_a_folder_of_certificates_may_be_trusted(
    tmp_path: Path, node: TLSNode, modality: PeerFiles
):
    folder = tmp_path / "trusted"
    folder.mkdir()
    shutil.copy(modality.ca, folder / "ca.crt")
    (folder / "README").write_text("no certificate")
    own = ("+tls", modality.key, modality.certificate)
    assert command("echo", node.address, *own, "+cd", folder).returncode == 0
