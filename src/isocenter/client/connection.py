"""A connection with another DICOM node: what its services look like to a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING

from isocenter.client.errors import RequestFailed
from isocenter.client.pool import QUERY, AssociationPool, receiving_kind
from isocenter.client.requests import Level, Model, asked, base_of, keys_of, model_for
from isocenter.services.information_models import STUDY_ROOT, WORKLIST, InformationModel
from isocenter.services.query_identifier import query_identifier
from isocenter.services.query_options import QueryOptions, agreed_options
from isocenter.services.retrieve_identifier import retrieve_identifiers
from isocenter.services.retrieve_outcome import RetrieveOutcome

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

    from isocenter.client.arriving import DatasetReceiver
    from isocenter.dimse.status import Status
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import Destination
    from isocenter.services.received_files import FileReceiver
    from isocenter.services.retrieve_scu import RetrieveProgress
    from isocenter.services.storage_report import FileResult, SendReport

OnProgress = Callable[["RetrieveProgress"], object]


class Connection:
    """A DICOM node and our associations with it; made by `isocenter.connect`.

    Associations are opened as requests need them and kept for later ones, so requests may be
    nested: a `get` inside of the loop over a `find` gets an association of its own.

    What takes long is a generator: nothing is sent before the first result is asked for, and
    leaving the loop early sends C-CANCEL.

    Every method raises the errors of establishing an association (`isocenter.connect` lists
    them), UpperLayerError where one breaks off, NoPresentationContext where the peer does not
    support the service, and RequestFailed where it answers with a failure.
    """

    def __init__(self, destination: Destination, options: QueryOptions | None = None) -> None:
        """Connect to nothing yet; a test may give whatever can `connect` as a Destination does."""
        self.destination = destination
        self._pool = AssociationPool(destination, options or QueryOptions())
        self.agreed = QueryOptions()

    def open(self) -> None:
        """Establish the first association, so that a peer that is not there shows at once."""
        association = self._pool.open(QUERY)
        self.agreed = agreed_options(STUDY_ROOT.find, association.extended_negotiations)

    def close(self) -> None:
        """Release every association (PS3.8 7.2)."""
        self._pool.release()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self._pool.release()
        else:
            self._pool.abort()

    def __str__(self) -> str:
        return str(self.destination)

    def echo(self) -> Status:
        """C-ECHO (PS3.4 Annex A): the peer's status, SUCCESS from every peer that works."""
        with self._pool.lend(QUERY) as association:
            return association.echo()

    def find(
        self,
        identifier: Dataset | None = None,
        *,
        level: Level | None = None,
        model: Model | None = None,
        returning: Iterable[str] | None = None,
        limit: int | None = None,
        keys: Mapping[str, object] | None = None,
        **attributes: object,
    ) -> Iterator[Dataset]:
        """C-FIND (PS3.4 C.4.1): the matches as they come.

        Args:
            identifier: keys to begin with; those given beside it take precedence.
            level: what a match is (default: the identifier's, else STUDY).
            model: the information model (default: the Patient Root for patients, else the Study
                Root).
            returning: attributes to return beside those that are matched; without any, the usual
                ones of the level.
            limit: cancel after that many matches.
            keys: more attributes to match, by tag or path: {"0010,0020": "4711"}.
            attributes: attributes to match, by keyword: PatientName="DOE*",
                StudyDate="20240101-", StudyInstanceUID=[uid, uid], StudyDescription=None to ask.

        Yields:
            Matches, their text in UTF-8.

        Raises:
            QueryKeyError, DictionaryError, InputError: the keys make no identifier.
            RequestFailed: the query failed; matches may have come before.
        """
        base = base_of(identifier)
        chosen = model_for(model, level, base)
        request = query_identifier(
            chosen, [*keys_of(attributes | dict(keys or {})), *asked(returning)], base, level
        )
        return self._find(chosen, request, limit)

    def find_worklist(
        self,
        identifier: Dataset | None = None,
        *,
        returning: Iterable[str] | None = None,
        limit: int | None = None,
        keys: Mapping[str, object] | None = None,
        **attributes: object,
    ) -> Iterator[Dataset]:
        """C-FIND in the Modality Worklist model (PS3.4 Annex K); otherwise like `find`.

        What is scheduled lies within a sequence:
        `find_worklist(ScheduledProcedureStepSequence={"Modality": "CT"})`, or with a path:
        `keys={"ScheduledProcedureStepSequence.Modality": "CT"}`.
        """
        given = [*keys_of(attributes | dict(keys or {})), *asked(returning)]
        request = query_identifier(WORKLIST, given, base_of(identifier))
        return self._find(WORKLIST, request, limit)

    def get(
        self,
        identifier: Dataset | None = None,
        *,
        level: Level | None = None,
        model: Model | None = None,
        sop_classes: Sequence[str] = (),
        limit: int | None = None,
        on_progress: OnProgress | None = None,
        keys: Mapping[str, object] | None = None,
        **attributes: object,
    ) -> Iterator[FileDataset]:
        """C-GET (PS3.4 C.4.3): the objects as they come, each in memory as a pydicom data set.

        The peer waits while the loop's body runs; for large or many objects `get_files` is
        better. A list of UIDs may be of any length: `StudyInstanceUID=[...]`.

        Args:
            level: what is retrieved (default: the level of the lowest UID that is given).
            sop_classes: UIDs of the storage classes to expect; without any, the usual ones (an
                association has room for 128 contexts).
            limit: cancel after that many objects.
            on_progress: hears of each response, with the counts of sub-operations.
            identifier, model, keys, attributes: as in `find`.

        Raises:
            RequestFailed: the request failed, or objects did; those that came have been yielded.
        """
        chosen, requests = self._retrieval(identifier, level, model, keys, attributes)
        return self._get(chosen, requests, sop_classes, limit, on_progress)

    def get_files(
        self,
        folder: str | PathLike[str],
        identifier: Dataset | None = None,
        *,
        by_study: bool = False,
        level: Level | None = None,
        model: Model | None = None,
        sop_classes: Sequence[str] = (),
        limit: int | None = None,
        on_progress: OnProgress | None = None,
        keys: Mapping[str, object] | None = None,
        **attributes: object,
    ) -> FileReceiver:
        """C-GET into a folder, which is made if it is not there: one Part 10 file per object.

        Unlike `get` this runs to its end. Files are named by SOP Instance UID; with `by_study`
        they go into folders by study and series. The paths are in the result's `written`. A file
        that is there already is never replaced by other content (`beside`).

        Raises OSError for a folder that cannot be made, and what `get` raises.
        """
        from isocenter.services.received_files import FileReceiver

        chosen, requests = self._retrieval(identifier, level, model, keys, attributes)
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        receiver = FileReceiver(
            target,
            by_study=by_study,
            source_ae=self.destination.called_ae,
            receiving_ae=self.destination.calling_ae,
        )
        outcome = RetrieveOutcome()
        with self._pool.lend(receiving_kind(chosen.get, sop_classes)) as association:
            for request, left in _each(requests, limit, outcome):
                for response in association.get(chosen.get, request, receiver, cancel_after=left):
                    _note(response, outcome, on_progress)
        self._judge("C-GET", outcome, receiver.trouble)
        return receiver

    def move(
        self,
        destination: str,
        identifier: Dataset | None = None,
        *,
        level: Level | None = None,
        model: Model | None = None,
        limit: int | None = None,
        on_progress: OnProgress | None = None,
        keys: Mapping[str, object] | None = None,
        **attributes: object,
    ) -> RetrieveOutcome:
        """C-MOVE (PS3.4 C.4.2): have the peer send objects to the AE title `destination`.

        This runs to its end; `limit` cancels after that many objects. The other arguments are
        those of `get`.

        Raises:
            RequestFailed: the request failed, or objects did; `outcome.failed_uids` names them.
        """
        chosen, requests = self._retrieval(identifier, level, model, keys, attributes)
        outcome = RetrieveOutcome()
        with self._pool.lend(QUERY) as association:
            for request, left in _each(requests, limit, outcome):
                for response in association.move(
                    chosen.move, request, destination, cancel_after=left
                ):
                    _note(response, outcome, on_progress)
        self._judge("C-MOVE", outcome)
        return outcome

    def store(
        self,
        *items: str | PathLike[str] | Dataset,
        associations: int = 1,
        on_result: Callable[[FileResult], None] | None = None,
    ) -> SendReport:
        """C-STORE (PS3.4 Annex B): send files, folders and pydicom data sets.

        Files are sent as they are stored, data sets in the transfer syntax of their `file_meta`
        (without one, explicit VR little endian). What is no DICOM object is passed over in
        folders. Lost associations and A7xx answers are retried.

        Args:
            associations: how many to send over at the same time.
            on_result: hears of each object's result as it comes, never of two at once.

        Returns:
            What became of each object; look at `complete`: a refused object raises nothing.

        Raises:
            InputError: something named cannot be sent; nothing has been then.
        """
        from isocenter.client.storing import storable_files
        from isocenter.services.storage_scu import send_files

        with TemporaryDirectory(prefix="isocenter-") as folder:
            files = list(storable_files(items, Path(folder)))
            return send_files(
                files,
                self.destination,
                associations=associations,
                preflight=False,
                on_result=on_result,
            )

    def _find(
        self, model: InformationModel, request: Elements, limit: int | None
    ) -> Iterator[Dataset]:
        from isocenter.services.data_sets import to_dataset

        with self._pool.lend(QUERY) as association:
            responses = association.find(model.find, request, cancel_after=limit)
            with closing(responses):
                for response in responses:
                    if response.status.is_pending:
                        yield to_dataset(response.identifier)
                    elif response.status.is_failure:
                        raise RequestFailed(f"C-FIND at {self}", response.status, response.comment)

    def _get(
        self,
        model: InformationModel,
        requests: Sequence[Elements],
        sop_classes: Sequence[str],
        limit: int | None,
        on_progress: OnProgress | None,
    ) -> Iterator[FileDataset]:
        from isocenter.client.arriving import DatasetReceiver
        from isocenter.services.retrieve_scu import get_each

        receiver: DatasetReceiver = DatasetReceiver()
        outcome = RetrieveOutcome()
        with self._pool.lend(receiving_kind(model.get, sop_classes)) as association:
            for request, left in _each(requests, limit, outcome):
                steps = get_each(association, model.get, request, receiver, cancel_after=left)
                with closing(steps):
                    for step in steps:
                        while receiver.arrived:
                            yield receiver.arrived.popleft()
                        if step is not None:
                            _note(step, outcome, on_progress)
        self._judge("C-GET", outcome, receiver.trouble)

    def _retrieval(
        self,
        identifier: Dataset | None,
        level: Level | None,
        model: Model | None,
        keys: Mapping[str, object] | None,
        attributes: Mapping[str, object],
    ) -> tuple[InformationModel, list[Elements]]:
        base = base_of(identifier)
        chosen = model_for(model, level, base)
        given = list(keys_of(dict(attributes) | dict(keys or {})))
        return chosen, retrieve_identifiers(chosen, given, base, level)

    def _judge(self, command: str, outcome: RetrieveOutcome, trouble: str = "") -> None:
        """Raise RequestFailed where not everything came."""
        if outcome.status is not None and (outcome.status.is_failure or outcome.failed):
            comment = outcome.comment or trouble
            raise RequestFailed(f"{command} at {self}", outcome.status, comment, outcome)


def _each(
    requests: Sequence[Elements], limit: int | None, outcome: RetrieveOutcome
) -> Iterator[tuple[Elements, int | None]]:
    """The requests, each with the number of objects that are left for it; until none are."""
    for request in requests:
        left = None if limit is None else limit - outcome.done
        if left is not None and left <= 0:
            return
        yield request, left


def _note(
    response: RetrieveProgress, outcome: RetrieveOutcome, on_progress: OnProgress | None
) -> None:
    if not response.status.is_pending:
        outcome.add(response)
    if on_progress is not None:
        on_progress(response)
