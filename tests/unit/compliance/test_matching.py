from datetime import date

import pytest

from engine.compliance.lists.listed import Listed, Name, Source, Subject, born_in
from engine.compliance.matching import BirthSays, NameIndex, is_same_name
from engine.compliance.policy import read_policy
from tests.unit.compliance.lists_of_nobody import found, index

SCORING = read_policy().screening
HOLD = SCORING.hold_min


@pytest.fixture(scope="module")
def listed() -> NameIndex:
    return index()


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Muhammad Qasim Invented Zubaydi", "90001"),
        ("mohammed qassim invented-zubaydi", "90001"),
        ("Zubaydi, Qasim Muhammad Invented", "90001"),
        ("Muhamad Kasim al Zubaidi", "90001"),
        ("محمد قاسم الزبيدي", "90001"),
        ("ANA FICTICIA GARCIA MORALES", "90002"),
        ("Nowhere Trading Co., Ltd", "90003"),
        ("Abdurrahman Faraz Imaginary", "90005"),
        ("عبد الرحمن فراز إيماجيناري", None),  # an invented word has no Arabic spelling
        ("Вымышлен Несуществуев", "80001"),
        ("Osama Khayal", "80002"),
        ("أسامة بن خيال", "80002"),
        ("Imaginary Relief Society", "80003"),
    ],
)
def test_a_listed_name_is_found_in_any_spelling(
    listed: NameIndex, name: str, entry: str | None
) -> None:
    held = [who for who, score in found(listed, name).items() if score >= HOLD]
    assert held == ([entry] if entry else [])


@pytest.mark.parametrize(
    "name",
    [
        "John Kamau Mwangi", "Grace Achieng Otieno", "Mohammed Ali", "Muhammad Qasim", "Ana García",
        "Mohammed", "Peter Imaginary", "Marisola Otieno", "X", "", "Relief Wanjiku",
    ],
)  # fmt: skip
def test_a_person_who_shares_a_word_or_two_is_not_held(listed: NameIndex, name: str) -> None:
    assert all(score < HOLD for score in found(listed, name).values())


def test_a_single_listed_word_matches_only_a_single_word(listed: NameIndex) -> None:
    assert found(listed, "Marisola") == {"90006": SCORING.without_birth_max}
    assert found(listed, "Marisola Marisola Otieno") == {}


@pytest.mark.parametrize(
    ("born", "says", "score"),
    [
        (None, BirthSays.NOTHING, 95),
        (date(1954, 10, 7), BirthSays.AGREES, 100),
        (date(1958, 3, 1), BirthSays.AGREES, 100),  # circa 1957
        (date(1953, 10, 7), BirthSays.NOTHING, 95),  # a year beside: a slip, no proof
        (date(1990, 1, 1), BirthSays.DIFFERS, 85),
    ],
)
def test_the_date_of_birth_breaks_the_tie(
    listed: NameIndex, born: date | None, says: BirthSays, score: int
) -> None:
    (match,) = listed.matches("Muhammad Qasim Invented-Zubaydi", born)
    assert (match.birth, match.score) == (says, score)


def test_a_name_alone_never_reaches_a_refusal(listed: NameIndex) -> None:
    (match,) = listed.matches("Muhammad Qasim Invented-Zubaydi")
    assert HOLD <= match.score < SCORING.refuse_min


def test_the_match_names_the_entry_and_which_of_its_names(listed: NameIndex) -> None:
    (match,) = listed.matches("Mohamed Kasem Al-Zubaidi")
    assert (match.source, match.entry_id, match.name_number) == (Source.OFAC_SDN, "90001", 1)
    entry = listed.listed(match.source, match.entry_id)
    assert entry is not None
    assert entry.names[1].text == "Mohammed Kassem AL-ZUBAIDI"
    assert listed.listed(Source.UN, "90001") is None


def test_a_weak_alias_counts_less() -> None:
    def score(*, weak: bool) -> int:
        entry = Listed(
            "1", Subject.INDIVIDUAL, (Name("Nemo Nullus Outis", weak),), (born_in(1950),)
        )
        (match,) = NameIndex([(Source.UN, entry)], SCORING).matches(
            "Nemo Nulus Outis Nihil", date(1950, 5, 5)
        )
        return match.score

    assert score(weak=False) - score(weak=True) == SCORING.weak_alias


def test_a_very_long_name_costs_no_more_than_its_first_words(listed: NameIndex) -> None:
    assert listed.matches(" ".join(["Mohammed"] * 2000)) == ()


def test_an_empty_index_resembles_nobody() -> None:
    assert NameIndex((), SCORING).matches("Anybody At All") == ()


def score_of(on_list: str, asked: str) -> int:
    """How much an asked name resembles the only one on a list; 0 when nobody is named."""
    index = NameIndex([(Source.UN, Listed("1", Subject.INDIVIDUAL, (Name(on_list),)))], SCORING)
    return next((match.score for match in index.matches(asked)), 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bashar al-Assad", "Bashar Alassad"), ("Ayman al-Zawahiri", "Ayman Alzawahiri"),
        ("Omar al-Bashir", "Omar Elbashir"), ("Usama bin Ladin", "Usama Binladin"),
        ("Usama bin Ladin", "Osama Binladen"), ("Umar bin Hafiz", "Umar Binhafiz"),
        ("Hassan Ould Bashir", "Hassan Ouldbashir"), ("Mohamed al-Sharif", "Mohamed Alsharif"),
        ("Jan van Dijk", "Jan Vandijk"), ("Ida van der Berg", "Ida Vanderberg"),
        ("Umar bin al-Hafiz", "Umar bin Alhafiz"), ("Ali al-Nur", "Ali Alnur"),
        ("Usama bin Muhammad bin Awad bin Ladin", "Usama Muhammad Awad Binladin"),
        ("Abu Bakr al-Baghdadi", "Abubakr Albaghdadi"),
        ("Abd al-Rahman al-Zubaidi", "Abdurrahman Alzubaidi"),
    ],
)  # fmt: skip
def test_an_article_or_a_patronymic_that_is_joined_to_its_word_hides_nobody(
    one: str, other: str
) -> None:
    assert score_of(one, other) >= HOLD
    assert score_of(other, one) >= HOLD


@pytest.mark.parametrize(
    ("on_list", "asked"),
    [
        ("Yusuf al-Masri", "Yusuf al-Nasri"),  # what was not joined is not compared joined
        ("Yusuf ben Ali", "Yusuf Benjamin"),
        ("Yusuf al-Assad", "Yusuf Alassane"),
        ("Musa bin Ladin", "Musa B"),
        ("Sheikh Ali Nur", "Sheikhali Nur Hassan"),
    ],
)
def test_joined_words_bring_nobody_nearer_whose_words_are_others(on_list: str, asked: str) -> None:
    assert score_of(on_list, asked) < HOLD


@pytest.mark.parametrize(
    ("on_list", "asked"),
    [
        ("Hassan Hassan", "Hassan Hassan"), ("Mohammed Mohammed", "Mohammed Mohammed"),
        ("Mohammed Mohammed", "Mohamed Mohamed"), ("Muhammad Mohammed", "Mohamed Mohamed"),
        ("Ibrahim al-Ibrahim", "Ibrahim Ibrahim"),
    ],
)  # fmt: skip
def test_a_name_that_says_one_word_twice_is_found(on_list: str, asked: str) -> None:
    assert score_of(on_list, asked) >= HOLD


@pytest.mark.parametrize(
    ("on_list", "asked"),
    [
        ("Hassan Hassan", "Hassan"), ("Hassan", "Hassan Hassan"), ("Hassan Ali", "Hassan Hassan"),
        ("Hassan Hassan", "Hassan Ali"),
    ],
)  # fmt: skip
def test_a_word_twice_is_not_the_word_once(on_list: str, asked: str) -> None:
    assert score_of(on_list, asked) < HOLD


@pytest.mark.parametrize("written", ["Mohammed Muhammad", "Muhammad Mohammed"])
def test_kindred_words_are_paired_for_the_best_of_the_whole(written: str) -> None:
    # Taking the best pair first would leave the other two words without a counterpart.
    entry = Listed("1", Subject.INDIVIDUAL, (Name("Mohamad Mahmud"),))
    (match,) = NameIndex([(Source.UN, entry)], SCORING).matches(written)
    assert match.score == 91


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Mohamed Kasem", "KASSEM Mohammed", True),
        ("Amina Wanjiru", "Amina  WANJIRU", True),
        ("Владимир Петров", "Vladimir Petrov", True),
        ("Abu Bakr Salim", "Abubakr Salim", True),
        ("Amina Wanjiru", "Amina Otieno", False),
        ("Amina Wanjiru", "A. Wanjiru", False),
        ("Amina Wanjiru", "", False),
        ("", "", False),
    ],
)
def test_two_names_may_be_one_persons_by_the_measure_that_holds(
    one: str, other: str, same: bool
) -> None:
    assert is_same_name(one, other, SCORING) is same
    assert is_same_name(other, one, SCORING) is same
