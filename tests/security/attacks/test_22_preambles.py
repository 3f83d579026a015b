"""Files that are something else, too (PS3.10 7.1): what is kept begins with a preamble of ours.

Programs, archives and web pages fit into the 128 bytes before "DICM". Serving files to browsers
is the business of the web services.
"""

import tarfile
from pathlib import Path

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


def test_no_preamble_is_kept(tmp_path: Path):
    media = tmp_path / "media"
    media.mkdir()
    for number, evil in enumerate(POLYGLOTS.values()):
        uid = f"1.2.3.4.{number}"
        file = encode_file_meta(FileMeta(CT, uid, "1.2.840.10008.1.2.1")) + instance(uid).data_set
        (media / f"{number}.dcm").write_bytes(evil.ljust(128, b" ") + file[128:])
    report = isocenter_json("import", "--data", tmp_path / "data", media)
    assert report["stored"] == len(POLYGLOTS)
    for pack in packs(tmp_path / "data"):
        assert not [what for what, evil in POLYGLOTS.items() if evil in pack.read_bytes()]
        with tarfile.open(pack, "r:") as tar:
            for member in tar.getmembers():
                kept = tar.extractfile(member)
                assert kept is not None
                assert kept.read(132) == bytes(128) + b"DICM"
                assert not member.mode & 0o111
