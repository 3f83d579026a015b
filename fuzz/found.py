"""What fuzzing has found so far, for `docs/fuzzing.md`: target, what happened, the test of it."""

FOUND: tuple[tuple[str, str, str], ...] = (
    (
        "recoding",
        "A stored header with other bytes in place of a sequence made C-FIND answers in implicit "
        "VR that no peer could read; such values are left empty there.",
        "tests/encoding/test_recoding.py"
        "::test_junk_in_place_of_a_sequence_does_not_spoil_an_answer_in_implicit_vr",
    ),
    (
        "packs",
        "An empty record at the end of a page of a damaged pack raised ValueError, which would "
        "have ended a recovery.",
        "tests/archive/test_records.py::test_an_empty_record_at_the_end_of_a_page_is_no_dicom_file",
    ),
    (
        "user",
        "An Error Comment kept its control characters, on the way to logs and terminals.",
        "tests/dimse/test_messages.py::test_an_error_comment_says_nothing_to_a_terminal_or_a_log",
    ),
    (
        "user",
        "An instance with an endless SOP Class UID ended a C-GET with an error that was not "
        "documented; it is refused (0117).",
        "tests/services/scu/test_received_files.py::test_uids_that_no_file_can_have_are_refused",
    ),
    (
        "query",
        "SQLAlchemy remembered hundreds of statements with all the values in them: three megabytes "
        "for a list of a hundred names, of which a peer could make any number.",
        "tests/archive/query/test_remembered_statements.py"
        "::test_long_lists_are_forgotten_when_they_are_answered",
    ),
)
