"""Files that are something else, too (PS3.10 7.1): what is kept begins with a preamble of ours.

Programs, archives and web pages fit into the 128 bytes before "DICM". Serving files to browsers
is the business of the web services.
"""

import tarfile
from pathlib import Path

import pytest

from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.security.attacks.under_attack import attack
from tests.server.support_instances import CT, instance, packs
from tests.support.node import isocenter_json

pytestmark = attack(22, "preamble polyglots")

POLYGLOTS = {
    "a Windows program": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff",
    "a Linux program": b"\x7fELF\2\1\1\0",
    "a ZIP archive": b"PK\3\4\x14\0\0\0",
    "a web page": b"<html><script>alert(1)</script>",
    "a configuration": b'{"RemoteAccessAllowed": true, "x": "',
    "a shell script": b"#!/bin/sh\ntouch /tmp/evil\nexit\n",
}


@pytest.mark.parametrize("what", POLYGLOTS)
def test_a_preamble_is_not_kept(tmp_path: Path, what: str):
    file = encode_file_meta(FileMeta(CT, "1.2.3.4.1", "1.2.840.10008.1.2.1"))
    file += instance("1.2.3.4.1").data_set
    evil = POLYGLOTS[what]
    (tmp_path / "polyglot.dcm").write_bytes(evil.ljust(128, b" ") + file[128:])
    report = isocenter_json("import", "--data", tmp_path / "data", tmp_path / "polyglot.dcm")
    assert report["stored"] == 1
    (pack,) = packs(tmp_path / "data")
    assert evil not in pack.read_bytes()
    with tarfile.open(pack, "r:") as tar:
        (member,) = tar.getmembers()
        kept = tar.extractfile(member)
        assert kept is not None
        assert kept.read(132) == bytes(128) + b"DICM"
        assert not member.mode & 0o111
