"""Person names made comparable: without case, accents and meaningless delimiters.

PS3.4 C.2.2.2.1 leaves it to the archive whether PN matching minds case and accents. Nobody at a
workstation wants it to. The order of components stays as it is.
"""

import unicodedata

MAX_NAME_CHARACTERS = 256

# Letters that Unicode does not decompose but that people type without their stroke.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
# Latin, Greek and Cyrillic accents only: the voicing marks of kana are other combining marks.
_ACCENTS = dict.fromkeys(range(0x0300, 0x0370))


def person_name_keys(name: str) -> list[str]:
    """The component groups of one PN value, alphabetic first, each in its comparable form.

    A pattern may be given as well: `*` and `?` stay where they are. PS3.5 6.2.1.1: groups are
    separated by "=", components by "^"; trailing delimiters mean nothing.
    """
    groups = [_group_key(group) for group in name[:MAX_NAME_CHARACTERS].split("=", 2)]
    while len(groups) > 1 and not groups[-1]:
        groups.pop()
    return groups


def search_text(names: str) -> str:
    """All component groups of a possibly multi-valued PN, each between two backslashes."""
    groups = [
        key
        for name in names[:MAX_NAME_CHARACTERS].split("\\")
        for key in person_name_keys(name)
        if key
    ]
    return "\\" + "\\".join(groups) + "\\"


def _group_key(group: str) -> str:
    folded = group.lower() if group.isascii() else _fold(group)
    components = [" ".join(component.split()) for component in folded.split("^")]
    return "^".join(components).rstrip("^")


def _fold(text: str) -> str:
    """Fold case, width and accents; folding what is folded changes nothing."""
    while True:
        decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
        folded = unicodedata.normalize("NFKC", decomposed.translate(_ACCENTS))
        if folded == text:
            return folded
        text = folded
