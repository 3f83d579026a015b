"""Adding peers to a configuration file and taking them out, with nothing else changed."""

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.server.config_editing import (
    CannotEdit,
    NoSuchPeer,
    PeerExists,
    add_peer,
    remove_peer,
)
from isocenter.server.config_loading import ConfigError, load_config

PACS = {"ae_title": "PACS", "host": "pacs.example", "port": 104}

WRITTEN_BY_HAND = """\
# Ward 3's node. Ask Jo before changing it.
[listen]
port = 4242        # the old archive's port

[peers.ct]  # in the basement
ae_title = 'CT1'
host = "192.0.2.7"

[log]
level = "warning"
"""


def said(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def test_a_peer_is_added_and_every_other_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(WRITTEN_BY_HAND)
    add_peer(path, "pacs", PACS)
    assert said(path)["peers"]["pacs"] == PACS
    lines = path.read_text().splitlines()
    assert [line for line in WRITTEN_BY_HAND.splitlines() if line not in lines] == []


def test_what_was_added_and_removed_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(WRITTEN_BY_HAND)
    add_peer(path, "pacs", PACS)
    remove_peer(path, "pacs")
    kept = [line for line in path.read_text().splitlines() if line]
    assert kept == [line for line in WRITTEN_BY_HAND.splitlines() if line]


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    add_peer(tmp_path / "new.toml", "pacs", PACS)
    assert load_config(tmp_path / "new.toml").config.peers["pacs"].host == "pacs.example"


@pytest.mark.parametrize(
    ("name", "title", "names"),
    [("ct", "PACS", "'ct' already"), ("other", "CT1", "'ct'.*CT1 already")],
)
def test_a_second_peer_of_one_name_or_title_is_refused(
    tmp_path: Path, name: str, title: str, names: str
) -> None:
    path = tmp_path / "node.toml"
    path.write_text(WRITTEN_BY_HAND)
    with pytest.raises(PeerExists, match=names):
        add_peer(path, name, PACS | {"ae_title": title})
    assert path.read_text() == WRITTEN_BY_HAND


@pytest.mark.parametrize(
    ("before", "values"),
    [
        ("[listen]\nprot = 1\n", PACS),
        ("[listen\n", PACS),
        ("", PACS | {"port": 0}),
        ("", PACS | {"ae_title": "SEVENTEEN LETTERS"}),
        ("", PACS | {"services": ["print"]}),
        ("", PACS | {"transfer_syntaxes": ["jpeg"]}),
    ],
)
def test_what_a_start_would_not_take_is_not_written(
    tmp_path: Path, before: str, values: dict[str, Any]
) -> None:
    path = tmp_path / "node.toml"
    path.write_text(before)
    with pytest.raises(ConfigError):
        add_peer(path, "pacs", values)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "before",
    [
        'peers = {ct = {host = "h"}}\n',
        'peers.ct.host = "h"\n[log]\nlevel = "info"\n',
        '[peers.ct]\nhost = "h"\n[log]\n[peers.mr]\nhost = "h"\n',
        '[peers]\n[peers.ct]\nhost = "h"\n',
        '[peers]\nct.host = "h"\n',
        '[peers."a b"]\r\nhost = "h"\r\n[log]\r\n',
    ],
)
def test_however_peers_are_written_the_file_says_what_it_should_or_is_left_alone(
    tmp_path: Path, before: str
) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(before.encode())
    expected = tomllib.loads(before)
    try:
        add_peer(path, "pacs", PACS)
        expected["peers"]["pacs"] = PACS
    except CannotEdit:
        assert path.read_bytes() == before.encode()
    assert said(path) == expected


def test_removing_what_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(WRITTEN_BY_HAND)
    with pytest.raises(NoSuchPeer, match="no peer 'pacs'"):
        remove_peer(path, "pacs")


def test_mode_and_link_of_the_file_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "real.toml", tmp_path / "isocenter.toml"
    path.write_text(WRITTEN_BY_HAND)
    path.chmod(0o600)
    link.symlink_to(path)
    add_peer(link, "pacs", PACS)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "pacs" in said(path)["peers"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_file_stays_its_owners_when_root_edits_it(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(WRITTEN_BY_HAND)
    os.chown(path, 4711, 4712)
    add_peer(path, "pacs", PACS)
    assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    add_peer(tmp_path / "node.toml", "pacs", PACS)
    assert [path.name for path in tmp_path.iterdir()] == ["node.toml"]


def test_of_many_that_add_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"

    def add(number: int) -> None:
        add_peer(path, f"peer{number}", PACS | {"ae_title": f"PEER{number}"})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(16)))
    assert len(said(path)["peers"]) == 16


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
titles = st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20})", fullmatch=True)
peers = st.dictionaries(
    names,
    st.fixed_dictionaries(
        {"ae_title": titles, "host": hosts, "port": st.integers(1, 65535)},
        optional={
            "tls": st.booleans(),
            "services": st.lists(st.sampled_from(["echo", "store", "mpps"]), max_size=3),
            "transfer_syntaxes": st.lists(
                st.sampled_from(["JPEGLSLossless", "1.2.840.10008.1.2"]), max_size=2
            ),
        },
    ),
    max_size=5,
).filter(lambda them: len({peer["ae_title"] for peer in them.values()}) == len(them))


@given(peers, st.data())
def test_any_peers_can_be_added_and_removed_in_any_order(
    them: dict[str, Any], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "node.toml"
        path.write_text("# first\n[node]\nae_title = 'HERE' # ours\n")
        for name, values in them.items():
            add_peer(path, name, values)
        assert said(path).get("peers", {}) == them
        for name in data.draw(st.permutations(list(them))):
            remove_peer(path, name)
        assert not said(path).get("peers")
        assert path.read_text().startswith("# first\n[node]\nae_title = 'HERE' # ours\n")
