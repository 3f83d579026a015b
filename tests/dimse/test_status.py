"""Status codes against pynetdicom's tables, and the rules behind unknown codes."""

import pytest
from pynetdicom import status as peer_tables

from isocenter.dimse.status import Category, Service, describe, is_out_of_resources

PEER_TABLES = {
    Service.VERIFICATION: peer_tables.VERIFICATION_SERVICE_CLASS_STATUS,
    Service.STORAGE: peer_tables.STORAGE_SERVICE_CLASS_STATUS,
    Service.QUERY: peer_tables.QR_FIND_SERVICE_CLASS_STATUS,
    Service.MOVE: peer_tables.QR_MOVE_SERVICE_CLASS_STATUS,
    Service.GET: peer_tables.QR_GET_SERVICE_CLASS_STATUS,
    Service.WORKLIST: peer_tables.MODALITY_WORKLIST_SERVICE_CLASS_STATUS,
    Service.RELEVANT_PATIENT_QUERY: peer_tables.RELEVANT_PATIENT_SERVICE_CLASS_STATUS,
    Service.STORAGE_COMMITMENT: peer_tables.STORAGE_COMMITMENT_SERVICE_CLASS_STATUS,
    Service.PROCEDURE_STEP: peer_tables.PROCEDURE_STEP_STATUS,
    Service.UNIFIED_PROCEDURE_STEP: peer_tables.UNIFIED_PROCEDURE_STEP_SERVICE_CLASS_STATUS,
    Service.PRINT: peer_tables.PRINT_JOB_MANAGEMENT_SERVICE_CLASS_STATUS,
}


@pytest.mark.parametrize("service", PEER_TABLES)
def test_every_code_pynetdicom_names_has_the_same_category_and_a_name_here(
    service: Service,
) -> None:
    for code, (category, _) in PEER_TABLES[service].items():
        status = describe(code, service)
        assert status.category.value == category.lower(), f"{code:04X}"
        assert "not named" not in status.name, f"{code:04X}"


@pytest.mark.parametrize(
    ("code", "category"),
    [
        (0xFF00, Category.PENDING),
        (0xB123, Category.WARNING),
        (0xA123, Category.FAILURE),
        (0x0999, Category.FAILURE),
        (0xFE00, Category.CANCEL),
    ],
)
def test_a_code_that_nobody_named_is_judged_by_its_value(code: int, category: Category) -> None:
    assert describe(code).category is category


def test_a_status_reads_as_code_and_name() -> None:
    assert str(describe(0xA702, Service.STORAGE)) == "A702H Refused: out of resources"


def test_the_same_code_means_different_things_to_different_services() -> None:
    assert describe(0xA900, Service.QUERY).name != describe(0xA900, Service.STORAGE).name


def test_a_number_that_is_no_status_code_is_refused() -> None:
    with pytest.raises(ValueError):
        describe(0x10000)


def test_only_a7xx_asks_to_try_again() -> None:
    assert is_out_of_resources(0xA700)
    assert is_out_of_resources(0xA7FF)
    assert not is_out_of_resources(0xA900)
