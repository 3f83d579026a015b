"""The names of what extended negotiation grants, as documents tell them."""

from __future__ import annotations

from isocenter.dictionary.sop_classes import MODALITY_WORKLIST_FIND
from isocenter.services.query_options import QueryOptions


def option_names(sop_class: str, options: QueryOptions) -> tuple[str, ...]:
    """The names of the options that are granted to a SOP class.

    For worklists only the third byte has a meaning (PS3.4 K.5.1.1).
    """
    if sop_class == MODALITY_WORKLIST_FIND:
        options = QueryOptions(fuzzy=options.fuzzy)
    named = str(options)
    return tuple(named.split(", ")) if named else ()
