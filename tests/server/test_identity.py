"""The identity desk as a configuration makes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from isocenter.security.access import ALL_STUDIES
from isocenter.security.database import AccessDatabase
from isocenter.security.identity_outcome import Refused, Verified, Why
from isocenter.security.tokens import UnusableTokenKey
from isocenter.security.users import Users
from isocenter.server.config import Config
from isocenter.server.identity import identity_desk, open_access
from isocenter.upperlayer.user_information import UserIdentity
from tests.security.identity.hashing import cheaply
from tests.security.identity.tokens import EC_KEY, ISSUER, public_pem, token

HOST = "10.0.0.1"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AccessDatabase]:
    with open_access(config(tmp_path), required=False) as opened:
        yield opened


def config(folder: Path, **identity: object) -> Config:
    return Config.model_validate({"node": {"data_directory": folder}, "identity": identity})


def test_users_and_tokens_are_verified_as_configured(
    tmp_path: Path, database: AccessDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheaply(monkeypatch)
    Users(database).add("al", b"correct horse", ALL_STUDIES)
    (tmp_path / "issuer.pem").write_bytes(public_pem(EC_KEY))
    settings = config(
        tmp_path,
        jwt_key=tmp_path / "issuer.pem",
        jwt_algorithm="ES256",
        jwt_issuer=ISSUER,
        failures=1,
    )
    desk = identity_desk(settings, database)
    verified = [UserIdentity(5, token()), UserIdentity(2, b"al", b"correct horse")]
    assert [desk.verify(one, HOST) for one in verified] == [
        Verified("jo", ALL_STUDIES),
        Verified("al", ALL_STUDIES),
    ]
    other = token(aud="OTHER")  # the audience is the AE title unless it is given
    assert isinstance(desk.verify(UserIdentity(5, other), HOST), Refused)
    assert desk.verify(UserIdentity(5, token()), HOST) == Refused(Why.LOCKED_OUT)


def test_without_a_key_there_are_no_tokens(tmp_path: Path, database: AccessDatabase) -> None:
    desk = identity_desk(config(tmp_path), database)
    assert desk.verify(UserIdentity(5, token()), HOST) == Refused(Why.NO_TOKENS)
    assert not (tmp_path / "access.sqlite").exists()


def test_a_key_needs_its_issuer_and_has_to_be_one(tmp_path: Path, database: AccessDatabase) -> None:
    with pytest.raises(ValidationError, match="jwt_key needs jwt_issuer"):
        config(tmp_path, jwt_key=tmp_path / "issuer.pem")
    settings = config(tmp_path, jwt_key=tmp_path / "absent.pem", jwt_issuer=ISSUER)
    with pytest.raises(UnusableTokenKey):
        identity_desk(settings, database)


def test_a_file_that_is_no_database_lets_nobody_in(
    tmp_path: Path, database: AccessDatabase
) -> None:
    (tmp_path / "access.sqlite").write_text("no database " * 1000)
    desk = identity_desk(config(tmp_path), database)
    assert desk.verify(UserIdentity(2, b"jo", b"secret"), HOST) == Refused(Why.UNAVAILABLE, "jo")
