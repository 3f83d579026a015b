"""Palettes and lookup tables that lie (PS3.3 C.7.6.3.1.5): nothing here looks a colour up.

They are kept and passed on byte for byte; drawing them is the business of what renders images.
"""

from struct import pack

from tests.encoding.images import JPEG_LS, Image, jpeg_ls, noise
from tests.encoding.synthetic import element
from tests.security.attacks.images import stored_and_asked_for
from tests.security.attacks.under_attack import attack
from tests.support.node import Node

pytestmark = attack(19, "LUT/palette")

RED, RED_DATA = 0x00281101, 0x00281201
DESCRIPTORS = {
    "a table of no entries that has some": pack("<3H", 0, 0, 16),
    "more entries than there are": pack("<3H", 65535, 0, 16),
    "entries of no bits": pack("<3H", 4, 0, 0),
    "a first value beyond the pixels": pack("<3H", 4, 65535, 8),
    "half a descriptor": pack("<H", 4),
}


def test_a_palette_that_lies_is_passed_on_as_it_came(start_node):
    node: Node = start_node()
    image = Image(9, 7, photometric="PALETTE COLOR", allocated=8, stored=8)
    frame = jpeg_ls(noise(9, 7, high=256, dtype="u1"))
    images = {}
    for number, descriptor in enumerate(DESCRIPTORS.values()):
        lies = element(RED, "US", descriptor) + element(RED_DATA, "OW", b"\xff" * 8)
        images[f"1.2.3.4.{number}"] = (JPEG_LS, image.compressed(frame, before=lies))
    sent, failed = stored_and_asked_for(node, images)
    assert (sent, failed) == (set(images), set())
