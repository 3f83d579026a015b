"""Files sorted into presentation contexts and associations."""

from pathlib import Path

from isocenter.encoding.files import StorableFile
from isocenter.services.storage_plan import plan_associations


def file(number: int, sop_class: str, syntax: str = "1.2.840.10008.1.2") -> StorableFile:
    return StorableFile(Path(f"{number}.dcm"), sop_class, f"1.2.3.{number}", syntax, 400, 1000)


def test_no_files_need_no_association() -> None:
    assert plan_associations([]) == []


def test_each_pair_of_sop_class_and_transfer_syntax_has_a_context_of_its_own() -> None:
    files = [
        file(1, "1.1", "1.5"),
        file(2, "1.1", "1.6"),
        file(3, "1.2", "1.5"),
        file(4, "1.1", "1.5"),
    ]
    (plan,) = plan_associations(files)
    assert plan.contexts == [("1.1", ("1.5",)), ("1.1", ("1.6",)), ("1.2", ("1.5",))]
    assert plan.files == files


def test_128_contexts_fit_one_association_and_the_129th_opens_another() -> None:
    files = [file(number, f"1.2.{number}") for number in range(128)]
    assert len(plan_associations(files)) == 1
    plans = plan_associations([*files, file(200, "1.3"), file(201, "1.2.5")])
    assert [len(plan.contexts) for plan in plans] == [128, 1]
    assert plans[0].files == [*files, file(201, "1.2.5")]
    assert plans[1].files == [file(200, "1.3")]
