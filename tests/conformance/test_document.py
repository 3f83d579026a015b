"""The statement as a document: PS3.2 Annex N's chapters, in files that need nothing else."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.html import to_html
from isocenter.conformance.document.markdown import to_markdown
from isocenter.conformance.document.parts import (
    Document,
    Items,
    Paragraph,
    Section,
    Table,
    numbered,
)
from isocenter.conformance.document.statement import statement_document
from isocenter.conformance.document.wording import NO_PROOF
from isocenter.conformance.facts import Proof
from isocenter.conformance.statement.build import statement_of
from isocenter.server.config import Config

CHAPTERS = (
    "Overview",
    "Table of Contents",
    "Introduction",
    "Implementation Model",
    "Service and Interoperability Description",
    "Configuration",
    "Network and Media Communication Details",
    "Security",
)
ANNEXES = (
    "Information Object Definitions",
    "Structured Report Content Encoding",
    "Security Details",
    "Mapping of Attributes",
    "Code Sets",
)


@pytest.fixture(scope="module")
def statement() -> Capabilities:
    """The statement of a node with TLS."""
    config = Config.model_validate({"listen": {"tls": "always"}})
    return statement_of(config, datetime(2026, 11, 27, tzinfo=UTC))


def with_proofs(statement: Capabilities, *proofs: Proof) -> Capabilities:
    """The statement with another record of tests."""
    behaviour = statement.behaviour.model_copy(update={"proofs": proofs})
    return statement.model_copy(update={"behaviour": behaviour})


def parsed(html: str) -> ElementTree.Element:
    """HTML that is XML as well."""
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def test_chapters_and_annexes_stand_in_the_order_of_annex_n(statement: Capabilities):
    top = [
        (number, section.title.removesuffix(" - N/A"))
        for number, depth, section in numbered(statement_document(statement))
        if depth == 1
    ]
    assert top == [
        *((str(at), title) for at, title in enumerate(CHAPTERS, 1)),
        *zip("ABCDE", ANNEXES, strict=True),
    ]


def test_sections_of_the_template_have_its_numbers(statement: Capabilities):
    titles = {
        number: section.title for number, _, section in numbered(statement_document(statement))
    }
    for number, title in (
        ("1.1", "Content and Transfer"),
        ("1.2", "DIMSE Services"),
        ("1.7", "Specific Character Sets"),
        ("3.1", "Revision History"),
        ("4.1", "Application Entities and Data Flow"),
        ("5.1", "Mapping of Services to Application Entities"),
        ("5.2.5", "Storage Service"),
        ("5.2.5.1", "SCU of the Storage SOP Classes"),
        ("5.2.5.1.1", "Transcoding of Transfer Syntaxes"),
        ("5.2.5.2", "SCP of the Storage SOP Classes"),
        ("5.2.7", "Query/Retrieve Service Class"),
        ("5.3", "DICOM Web Services - N/A"),
        ("6.6", "Configuration of Audit Trail - Syslog"),
        ("7.1.1", "General Association Parameters"),
        ("7.2", "Specifications"),
        ("7.2.1.1", "Sequencing of Real-World Activities"),
        ("7.2.1.4", "Association Acceptance"),
        ("7.3", "Status Codes"),
        ("8.3", "TCP Port Configuration"),
        ("8.4.2", "Secure Transport Connection"),
        ("8.5.2", "Association Acceptance"),
    ):
        assert titles[number] == title


def test_the_html_is_well_formed_and_its_links_lead_somewhere(statement: Capabilities):
    root = parsed(to_html(statement_document(statement)))
    targets = {element.get("id") for element in root.iter() if element.get("id")}
    links = [element.get("href", "") for element in root.iter("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= targets
    assert root.find("./head/title") is not None


def test_the_html_loads_nothing_from_elsewhere(statement: Capabilities):
    html = to_html(statement_document(statement))
    root = parsed(html)
    assert not {element.tag for element in root.iter()} & {"script", "img", "link", "iframe"}
    assert not [element for element in root.iter() if element.get("src")]
    assert not re.search(r"url\(|@import", html)


def test_rows_have_as_many_cells_as_their_table_has_headings(statement: Capabilities):
    for table in parsed(to_html(statement_document(statement))).iter("table"):
        headings = len(table.findall("./thead/tr/th"))
        for row in table.findall("./tbody/tr") if headings else ():
            assert len(row) == headings


def test_markdown_and_html_have_the_same_tables(statement: Capabilities):
    document = statement_document(statement)
    captions = re.findall(r"^\*\*(Table \d+\. .*)\*\*$", to_markdown(document), re.MULTILINE)
    titles = [element.text for element in parsed(to_html(document)).iter("caption")]
    assert [caption.replace("\\", "") for caption in captions] == titles


def test_suites_statuses_keys_and_settings_are_in_the_text(statement: Capabilities):
    text = to_markdown(statement_document(statement))
    for word in (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "A801",
        "PatientName",
        "storage.durability",
        "B.12 BCP 195 RFC 8996, 9325",
        "110112",
        "CT Image Storage",
    ):
        assert word in text


def test_a_service_names_the_test_that_proves_it_or_says_that_there_is_none(
    statement: Capabilities,
):
    assert NO_PROOF in to_markdown(statement_document(with_proofs(statement)))
    proofs = [
        Proof(
            service=name,
            role=role,
            peer="DCMTK",
            peer_version="3.6.7",
            program="echoscu",
            tests=("tests/interop/test_verification.py::test_dcmtk",),
            passed_on="2026-11-20",
        )
        for name in ("echo", "store", "find", "move", "get", "commitment", "worklist", "mpps")
        for role in ("SCU", "SCP")
    ]
    text = to_markdown(statement_document(with_proofs(statement, *proofs)))
    assert "DCMTK 3.6.7 (echoscu): passed 2026-11-20" in text
    assert NO_PROOF not in text
    assert "test\\_verification.py::test\\_dcmtk" in text


_words = st.text(max_size=30)
_blocks = (
    st.builds(Paragraph, _words)
    | st.builds(Items, st.lists(_words, max_size=3))
    | st.builds(Table, _words, st.just(("a", "b")), st.lists(st.tuples(_words, _words)))
)


@given(_words, st.lists(_blocks, max_size=4))
def test_text_of_any_kind_stays_text(title: str, blocks: list[object]):
    document = Document(title, title, ((title, title),), (Section(title, blocks),))  # type: ignore[arg-type]
    tags: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.add(tag)

    Reader().feed(to_html(document))
    assert tags <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "h1", "h2", "span"),
        *("p", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "br"),
    }
    to_markdown(document)
