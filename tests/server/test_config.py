"""The configuration: defaults, layers, and errors that say what to do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isocenter.server.config import Config, ListenSection, NodeSection
from isocenter.server.config_file import find_config_file, is_configured
from isocenter.server.config_keys import all_keys, find_key, format_size, toml_value
from isocenter.server.config_lines import key_lines
from isocenter.server.config_loading import ConfigError, load_config
from isocenter.server.config_values import is_loopback


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No configuration but the test's own applies."""
    import os

    for name in [name for name in os.environ if name.startswith("ISOCENTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, name: str = "node.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(written(text))
    return [str(problem) for problem in caught.value.problems]


def test_the_built_in_defaults_are_the_documented_first_five_minutes() -> None:
    config = load_config().config
    assert config == Config()
    assert (config.node.ae_title, config.listen.host, config.listen.port) == (
        "ISOCENTER",
        "127.0.0.1",
        11112,
    )
    assert config.node.data_directory == Path("isocenter-data")
    assert config.storage.durability == "group"
    assert config.workers.count == 1


def test_every_key_is_described_and_says_what_it_may_be() -> None:
    keys = list(all_keys())
    assert [key.path for key in keys if not key.description.endswith(".")] == []
    assert [key.path for key in keys if not key.allowed] == []


def test_every_default_lies_in_its_own_range() -> None:
    table: dict[str, dict[str, object]] = {}
    for key in all_keys():
        if not key.section.endswith(".NAME"):
            table.setdefault(key.section, {})[key.name] = key.default
    assert Config.model_validate(table) == Config()


def test_a_file_changes_only_what_it_names() -> None:
    loaded = load_config(written('[listen]\nport = 104\n[storage]\ndurability = "os"\n'))
    assert loaded.config.listen == ListenSection(port=104)
    assert loaded.config.storage.durability == "os"
    assert loaded.config.limits == Config().limits


def test_layers_win_in_order_and_leave_their_origin() -> None:
    path = written("[listen]\nport = 104\nbacklog = 7\n[workers]\ncount = 2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_LISTEN__PORT", "105")
        patch.setenv("ISOCENTER_WORKERS__COUNT", "3")
        overrides = {("workers", "count"): 4, ("node", "ae_title"): None}
        loaded = load_config(path, overrides=overrides)
    assert loaded.config.listen == ListenSection(port=105, backlog=7)
    assert loaded.config.workers.count == 4
    assert loaded.origins[("listen", "backlog")] == "node.toml:3"
    assert loaded.origins[("listen", "port")] == "ISOCENTER_LISTEN__PORT"
    assert loaded.origins[("workers", "count")] == "command line"
    assert ("node", "ae_title") not in loaded.origins


def test_a_list_and_a_peer_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_NODE__ALSO_KNOWN_AS", "PACS, OLD_PACS")
    monkeypatch.setenv("ISOCENTER_PEERS__PACS__HOST", "pacs.example")
    config = load_config().config
    assert config.node.also_known_as == ("PACS", "OLD_PACS")
    assert config.peers["pacs"].host == "pacs.example"
    assert config.peers["pacs"].port == 11112


def test_a_wrong_item_of_a_list_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_NODE__ALSO_KNOWN_AS", "PACS,SEVENTEEN_LETTERS")
    with pytest.raises(ConfigError, match=r"^ISOCENTER_NODE__ALSO_KNOWN_AS: node.also_known_as"):
        load_config()


def test_a_variable_that_should_be_a_table_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTEN", "104")
    with pytest.raises(ConfigError, match=r"listen must be a table"):
        load_config()


def test_a_variable_of_an_unknown_section_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTN__PORT", "1")
    with pytest.raises(ConfigError, match=r"ISOCENTER_LISTN__PORT: .*did you mean listen\?"):
        load_config()


def test_a_variable_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTEN__PORT", "70000")
    with pytest.raises(ConfigError, match=r"^ISOCENTER_LISTEN__PORT: .*'70000'.* 0 to 65535$"):
        load_config()


def test_the_environment_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_LISTEN__PORT", "nonsense")
    path = written("[listen]\nport = 104\n")
    assert load_config(path, environment=False).config.listen.port == 104


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[listen]\nport = 70000\n",
            "node.toml:2: listen.port = 70000 is not allowed; it must be 0 to 65535",
        ),
        ("[listen]\nprot = 1\n", "node.toml:2: unknown key listen.prot; did you mean port?"),
        (
            "\n[listen]\npack_size = 1\n",
            "node.toml:3: unknown key listen.pack_size; it belongs under [storage]",
        ),
        ("[lisen]\nport = 1\n", "node.toml:1: unknown key lisen; did you mean listen?"),
        ("port = 1\n", "node.toml:1: unknown key port; it belongs under [listen]"),
        ("listen = 5\n", "node.toml:1: listen must be a table, written [listen]"),
        (
            '[storage]\ndurability = "disk"\n',
            "node.toml:2: storage.durability = 'disk' is not allowed; it must be group or os",
        ),
        (
            '[limits]\nmaximum_pdu = "3 kib"\n',
            "node.toml:2: limits.maximum_pdu = 3072 is not allowed; it must be 4 KiB to 1 MiB",
        ),
        (
            '[limits]\nmaximum_pdu = "lots"\n',
            "node.toml:2: limits.maximum_pdu = 'lots' is not allowed; it must be 4 KiB to 1 MiB",
        ),
        (
            '[node]\nae_title = "SEVENTEEN_LETTERS"\n',
            "node.toml:2: node.ae_title = 'SEVENTEEN_LETTERS' is not allowed; "
            "it must be 1 to 16 printable ASCII characters, no backslash",
        ),
        (
            "[peers.pacs]\nport = 104\n",
            "node.toml:1: peers.pacs.host is missing; it must be a text that is not empty",
        ),
        (
            '[peers.pacs]\nhost = "h"\naetitle = "X"\n',
            "node.toml:3: unknown key peers.pacs.aetitle; did you mean ae_title?",
        ),
        ("[limits]\nidle_timeout = nan\n", "limits.idle_timeout = nan is not allowed"),
        ('[listen]\nhost = ""\n', "listen.host = '' is not allowed"),
        ('[node]\nalso_known_as = ["A", "\\\\"]\n', "node.toml:2: node.also_known_as = "),
        ("[listen\n", "node.toml: is not valid TOML: "),
        ("[a]\n[a]\n", "node.toml: is not valid TOML: "),
        ("x = " + "[" * 100_000, "node.toml: is not valid TOML: "),
    ],
)
def test_each_mistake_is_one_sentence_with_its_place(text: str, sentence: str) -> None:
    (problem,) = problems_of(text)
    assert sentence in problem
    assert "\n" not in problem
    assert len(problem) < 250


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems_of('[listen]\nport = -1\n[workers]\ncount = 0\n[log]\nlevel = "x"\n')) == 3


def test_a_file_that_is_not_there_or_not_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read .*No such file"):
        load_config("absent.toml")
    with pytest.raises(ConfigError, match=r"cannot be read .*directory"):
        load_config(tmp_path)
    Path("latin.toml").write_bytes(b"# gr\xfc\xdfe\n")
    with pytest.raises(ConfigError, match="not UTF-8 text at byte 4"):
        load_config("latin.toml")
    Path("huge.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigError, match="too large"):
        load_config("huge.toml")


def test_the_file_is_the_given_one_then_the_variable_then_the_working_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_config_file() is None
    assert not is_configured()
    written("", "isocenter.toml")
    assert find_config_file() == Path("isocenter.toml")
    monkeypatch.setenv("ISOCENTER_CONFIG", "other.toml")
    assert find_config_file() == Path("other.toml")
    assert find_config_file("given.toml") == Path("given.toml")
    assert is_configured()


def test_a_relative_data_directory_counts_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    path = written('[node]\ndata_directory = "data"\n', "etc/node.toml")
    assert load_config(path).config.node.data_directory == Path("etc/data")
    path = written('[node]\ndata_directory = "/srv/data"\n', "etc/node.toml")
    assert load_config(path).config.node.data_directory == Path("/srv/data")
    loaded = load_config(path, overrides={("node", "data_directory"): "here"})
    assert loaded.config.node.data_directory == Path("here")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "pacs.example", "2001:db8::1"])
def test_a_plain_listener_beyond_loopback_must_be_called_insecure(host: str) -> None:
    for table in ("listen", "listeners.hospital"):
        (problem,) = problems_of(f'[{table}]\nhost = "{host}"\ntls = "never"\n')
        assert problem.startswith(f"node.toml:2: listening on {host} ")
        assert "insecure = true" in problem
    assert not ListenSection(host=host, insecure=True).uses_tls


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "pacs.example"])
def test_a_listener_beyond_loopback_speaks_tls_and_wants_known_peers(host: str) -> None:
    listener = load_config(written(f'[listeners.ward]\nhost = "{host}"\n')).config.listeners["ward"]
    assert (listener.uses_tls, listener.port) == (True, 2762)
    assert listener.wants_known_ae
    assert listener.client_certificates == "required"
    insecure = ListenSection(host=host, insecure=True)
    assert (insecure.uses_tls, insecure.port) == (False, 11112)
    assert insecure.wants_known_ae  # also without TLS


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"])
def test_a_plain_listener_on_loopback_is_allowed(host: str) -> None:
    assert is_loopback(host)
    assert not ListenSection(host=host).uses_tls
    assert not ListenSection(host=host).wants_known_ae


def test_any_called_ae_title_is_answered_on_loopback_only() -> None:
    assert Config().answers_to("WHATEVER")
    beyond = Config(
        listen=ListenSection(host="0.0.0.0", insecure=True),
        node=NodeSection(also_known_as=("PACS",)),
    )
    assert beyond.answers_to("ISOCENTER ")
    assert beyond.answers_to("PACS")
    assert not beyond.answers_to("WHATEVER")
    never = beyond.model_copy(
        update={"node": NodeSection.model_validate({"check_called_ae": "never"})}
    )
    assert never.answers_to("WHATEVER")


def test_a_configuration_does_not_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().listen.port = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("4KiB", 4096), ("1 MiB", 1 << 20), ("8192 B", 8192)],
)
def test_sizes_are_numbers_or_texts_with_a_unit(text: str, size: int) -> None:
    loaded = load_config(written(f'[limits]\nmaximum_pdu = "{text}"\n'))
    assert loaded.config.limits.maximum_pdu == size


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_shown_size_reads_back_as_the_same_number(size: int) -> None:
    from isocenter.server.config_values import parsed_size

    assert parsed_size(format_size(size)) == size


@given(st.one_of(st.text(), st.booleans(), st.integers(-(2**60), 2**60), st.lists(st.text())))
def test_a_shown_value_is_toml_that_reads_back(value: object) -> None:
    import tomllib

    assert tomllib.loads(f"key = {toml_value(value)}")["key"] == value


@given(st.text())
def test_finding_lines_never_fails(text: str) -> None:
    key_lines(text)


def test_lines_are_found_in_every_way_of_writing_a_key() -> None:
    text = (
        '# x = 1\nlisten.port = 1\n[ "log" ]\nlevel = "a"  # b = 2\n[peers.\'my pacs\']\nhost="h"\n'
    )
    assert key_lines(text) == {
        ("listen", "port"): 2,
        ("log",): 3,
        ("log", "level"): 4,
        ("peers", "my pacs"): 5,
        ("peers", "my pacs", "host"): 6,
    }


def test_a_path_without_a_key_finds_none() -> None:
    assert find_key(("listen",)) is None
    assert find_key(()) is None
    assert find_key(("peers", "x")) is None
    assert find_key(("nowhere", "port")) is None


@given(st.binary(max_size=200))
def test_any_bytes_as_a_file_are_read_or_refused_in_sentences(data: bytes) -> None:
    Path("fuzz.toml").write_bytes(data)
    with contextlib.suppress(ConfigError):
        load_config("fuzz.toml")
