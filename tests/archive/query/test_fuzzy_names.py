"""Person names that are alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.query.fuzzy_names import resembles, sound, words


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Smith^John", "JOHN^SMITH"),
        ("john smith", "Smith^John^Q"),
        ("Smyth", "SMITH^JOHN"),
        ("Schmidt^Karl", "Schmitt^Carl"),
        ("Meyer", "Maier^Anna"),
        ("Mueller", "Müller^Eva"),
        ("Emile", "Émile^Zola"),
        ("Goldsmith", "Müller-Goldsmith^Anna"),
        ("Gold*", "Müller-Goldsmith^Anna"),
        ("花子", "Yamada^Hanako=山田^花子=やまだ^はなこ"),
        ("Gilles, Saint", "Saint-Gilles^A"),
    ],
)
def test_names_that_are_alike(key: str, name: str):
    assert resembles(key, name)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Smith^John", "Smith^Mary"),
        ("Smith Smith", "Smith^John"),
        ("Hopper", "Doe^Jane"),
        ("*smith", "Smithson^Jane"),
        ("田中", "Yamada^Hanako=山田^花子"),
        ("^", "Doe^Jane"),
    ],
)
def test_names_that_are_not_alike(key: str, name: str):
    assert not resembles(key, name)


@pytest.mark.parametrize(
    ("first", "second"), [("tchaikowski", "tschaikowsky"), ("philipp", "filip"), ("carl", "karl")]
)
def test_words_that_sound_the_same(first: str, second: str):
    assert sound(first) == sound(second) != ""


names = st.text("Aaéz ^=-*?山'", max_size=20)


@given(names)
def test_every_name_with_words_is_like_itself(name: str):
    plain = name.translate({ord("*"): None, ord("?"): None})
    assert resembles(plain, plain) is any(map(words, plain.split("=", 2)))


@given(names, names)
def test_nothing_is_too_strange_to_compare(key: str, name: str):
    resembles(key, name)
