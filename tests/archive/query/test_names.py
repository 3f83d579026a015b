import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isocenter.archive.names import person_name_keys, search_text


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("Doe^John", ["doe^john"]),
        ("DOE^JOHN^^^", ["doe^john"]),
        (" Doe  van ^ John ", ["doe van^john"]),
        ("Müller^Jürgen", ["muller^jurgen"]),
        ("GROẞ^Łukasz", ["gross^lukasz"]),
        ("Ångström^Øyvind", ["angstrom^oyvind"]),
        ("Люкceмбypг", ["люкceмбypг"]),
        ("Διονυσιος^Άννα", ["διονυσιοσ^αννα"]),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["yamada^tarou", "山田^太郎", "やまだ^たろう"]),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", ["ヤマダ^タロウ"]),
        ("Hong^Gildong=洪^吉洞=홍^길동", ["hong^gildong", "洪^吉洞", "홍^길동"]),
        ("Wang^XiaoDong==", ["wang^xiaodong"]),
        ("=山田", ["", "山田"]),
        ("a=b=c=d", ["a", "b", "c=d"]),
        ("", [""]),
        ("SM?TH*", ["sm?th*"]),
    ],
)
def test_a_name_becomes_comparable_group_by_group(name: str, keys: list[str]) -> None:
    assert person_name_keys(name) == keys


def test_voiced_and_unvoiced_kana_stay_different() -> None:
    assert person_name_keys("か") != person_name_keys("が")


@given(st.text(max_size=40))
@example("İ")
@example("ǅ")
@example("ß̈")
def test_a_comparable_name_is_its_own_key(name: str) -> None:
    keys = person_name_keys(name)
    assert person_name_keys("=".join(keys)) == keys


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_case_makes_no_difference(name: str) -> None:
    assert person_name_keys(name) == person_name_keys(name.upper().lower())


def test_the_search_text_holds_every_group_of_every_value() -> None:
    assert search_text("Doe^John\\Roe^Jane=羅") == "\\doe^john\\roe^jane\\羅\\"
    assert search_text("") == "\\\\"
