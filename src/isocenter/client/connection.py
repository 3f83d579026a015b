"""A connection with another DICOM node: what its services look like to a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING

from isocenter.client.pool import QUERY, AssociationPool, receiving_kind
from isocenter.client.requests import Level, Model, base_of, given_keys, model_for
from isocenter.client.running import OnProgress, Requests, find_matches, get_datasets
from isocenter.services.information_models import STUDY_ROOT, WORKLIST, InformationModel
from isocenter.services.query_identifier import query_identifier
from isocenter.services.query_options import QueryOptions, agreed_options
from isocenter.services.retrieve_identifier import retrieve_identifiers
from isocenter.services.retrieve_outcome import RetrieveOutcome

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

    from isocenter.dimse.status import Status
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import Destination
    from isocenter.services.received_files import FileReceiver
    from isocenter.services.storage_commitment_scu import CommitmentOutcome, Listener
    from isocenter.services.storage_report import FileResult, SendReport


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
        given = given_keys(attributes, keys, returning)
        request = query_identifier(chosen, given, base, level)
        return find_matches(self._pool, chosen.find, request, limit)

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
        given = given_keys(attributes, keys, returning)
        request = query_identifier(WORKLIST, given, base_of(identifier))
        return find_matches(self._pool, WORKLIST.find, request, limit)

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
            on_progress: hears of each response, with the counts of sub-operations; if it raises,
                C-CANCEL is sent.
            identifier, model, keys, attributes: as in `find`.

        Raises:
            RequestFailed: the request failed, or objects did; those that came have been yielded.
        """
        chosen, requests = self._retrieval(identifier, level, model, attributes, keys)
        return get_datasets(
            self._pool, chosen.get, sop_classes, Requests(requests, limit, on_progress)
        )

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

        chosen, requests = self._retrieval(identifier, level, model, attributes, keys)
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        receiver = FileReceiver(
            target,
            by_study=by_study,
            source_ae=self.destination.called_ae,
            receiving_ae=self.destination.calling_ae,
        )
        running = Requests(requests, limit, on_progress)
        with self._pool.lend(receiving_kind(chosen.get, sop_classes)) as association:
            for request, left in running:
                running.follow(association.get(chosen.get, request, receiver, cancel_after=left))
        running.judge(f"C-GET at {self}", receiver.trouble)
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
        chosen, requests = self._retrieval(identifier, level, model, attributes, keys)
        running = Requests(requests, limit, on_progress)
        with self._pool.lend(QUERY) as association:
            for request, left in running:
                running.follow(
                    association.move(chosen.move, request, destination, cancel_after=left)
                )
        return running.judge(f"C-MOVE at {self}")

    def commit(
        self,
        instances: Iterable[Dataset | tuple[str, str]],
        *,
        wait: float = 60.0,
        listener: Listener | None = None,
    ) -> CommitmentOutcome:
        """Storage Commitment (PS3.4 Annex J): ask whether the peer vouches for instances.

        The request goes out on an association of its own, and the report is awaited there.

        Args:
            instances: data sets with SOPClassUID and SOPInstanceUID, or pairs of these two UIDs.
            wait: how many seconds to wait for the report.
            listener: a `services.storage_commitment_listener.ReportListener`, for peers that
                report on associations of their own.

        Returns:
            A verdict for each instance; look at `complete` before anything is deleted.

        Raises:
            CommitmentRefused: the peer did not take the request.
        """
        from isocenter.services.storage_commitment import Reference
        from isocenter.services.storage_commitment_scu import commit_instances

        references = [
            Reference(*one)
            if isinstance(one, tuple)
            else Reference(str(one.SOPClassUID), str(one.SOPInstanceUID))
            for one in instances
        ]
        return commit_instances(self.destination, references, wait=wait, listener=listener)

    def create_step(self, attributes: Dataset, sop_instance_uid: str | None = None) -> str:
        """N-CREATE (PS3.4 F.7.2.1): a procedure step has begun; returns its SOP Instance UID.

        Without `sop_instance_uid` the peer chooses one. Raises RequestFailed, InputError.
        """
        from isocenter.client import steps

        return steps.begin(self._pool, attributes, sop_instance_uid)

    def set_step(self, sop_instance_uid: str, modifications: Dataset) -> None:
        """N-SET (PS3.4 F.7.2.2): the step goes on, or has ended; raises as `create_step` does."""
        from isocenter.client import steps

        steps.change(self._pool, sop_instance_uid, modifications)

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

    def _retrieval(
        self,
        identifier: Dataset | None,
        level: Level | None,
        model: Model | None,
        attributes: Mapping[str, object],
        keys: Mapping[str, object] | None,
    ) -> tuple[InformationModel, list[Elements]]:
        base = base_of(identifier)
        chosen = model_for(model, level, base)
        return chosen, retrieve_identifiers(chosen, given_keys(attributes, keys), base, level)
