"""Measure the index: size, ingest, look-up and queries.

    python bench/index.py                     # a million studies, a few minutes
    python bench/index.py --studies 50000     # a quick look

Everything goes through the real writer, as headers; nothing is loaded by a side door. Figures are
CPU time where they say CPU, else wall-clock; a machine that is doing other work makes the latter
larger.
"""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

from isocenter.archive.index import Index, IndexEntry
from isocenter.archive.index.connection import connect_writer
from isocenter.archive.index.transaction import Transactions
from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.query import Rules, find
from isocenter.archive.study_labels import StudyLabels
from isocenter.dictionary.elements import implicit_vr
from isocenter.encoding.elements import RawElement
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
INSTANCES_PER_PACK = 2000
STUDIES_PER_PATIENT = 2.5
BACKLOG = 20_000

# Shares of the most frequent surnames of the United States' census of 2010, per 100,000 people.
COMMON_SURNAMES = {
    "SMITH": 828, "JOHNSON": 655, "WILLIAMS": 551, "BROWN": 487, "JONES": 483, "GARCIA": 395,
    "MILLER": 393, "DAVIS": 378, "RODRIGUEZ": 371, "MARTINEZ": 359, "HERNANDEZ": 354,
    "LOPEZ": 296, "GONZALEZ": 285, "WILSON": 271, "ANDERSON": 265, "THOMAS": 256, "TAYLOR": 254,
    "MOORE": 245, "JACKSON": 239, "MARTIN": 238, "LEE": 235, "PEREZ": 231, "THOMPSON": 226,
    "SMITHSON": 2, "GOLDSMITH": 6, "HAMMERSMITH": 1, "SMITHERS": 5,
}  # fmt: skip
SYLLABLES = """
BA BER CAR DEN DO EL FER GAN GRO HAL HEN IS JEN KA KLEIN LAN LO MAR MEN NOR OR PET QUIN RA RO
SAN SEN STEIN TAN TER VAL VER WAL WER ZIM
"""
FORENAMES = """
MARY JAMES PATRICIA JOHN JENNIFER ROBERT LINDA MICHAEL ELIZABETH WILLIAM BARBARA DAVID SUSAN
RICHARD JESSICA JOSEPH SARAH THOMAS KAREN CHARLES NANCY DANIEL LISA MATTHEW MARGARET ANTHONY
BETTY MARK SANDRA DONALD ASHLEY STEVEN DOROTHY PAUL KIMBERLY ANDREW EMILY JOSHUA DONNA KENNETH
"""
MODALITIES = [("CT", 30), ("MR", 20), ("CR", 25), ("US", 15), ("MG", 5), ("PT", 3), ("NM", 2)]
DESCRIPTIONS = ["CT CHEST W CONTRAST", "MRI BRAIN W/O", "XR CHEST PA AND LATERAL", "US ABDOMEN"]

PATIENT_ID, PATIENT_NAME = 0x00100020, 0x00100010
STUDY_UID, STUDY_DATE, ACCESSION, IN_STUDY = 0x0020000D, 0x00080020, 0x00080050, 0x00080061


class Population:
    """Makes plausible headers, the same ones for the same seed."""

    def __init__(self, studies: int) -> None:
        self._random = random.Random(20240131)
        self._syllables = SYLLABLES.split()
        tail = list(dict.fromkeys(self._surname() for _ in range(40_000)))
        names = [*COMMON_SURNAMES, *tail]
        rest = 100_000 - sum(COMMON_SURNAMES.values())
        # Zipf's law with an offset, so that the tail begins below the last common name.
        ranks = [1 / (rank + 60) for rank in range(len(tail))]
        scale = rest / sum(ranks)
        weights = list(accumulate([*COMMON_SURNAMES.values(), *(scale * rank for rank in ranks)]))
        forenames = FORENAMES.split()
        count = max(1, int(studies / STUDIES_PER_PATIENT))
        surnames = self._random.choices(names, cum_weights=weights, k=count)
        self._names = [f"{name}^{self._random.choice(forenames)}" for name in surnames]
        self._modalities = [name for name, share in MODALITIES for _ in range(share)]

    def _surname(self) -> str:
        return "".join(self._random.choices(self._syllables, k=self._random.choice((2, 2, 3))))

    def patient(self) -> int:
        """Return the number of somebody."""
        return self._random.randrange(len(self._names))

    def name(self, patient: int) -> str:
        return self._names[patient]

    def uid(self) -> str:
        """Return a UID as long as they are: 50 to 60 characters."""
        chance = self._random
        return (
            f"1.2.840.113619.2.55.3.{chance.randrange(10**9, 10**10)}"
            f".{chance.randrange(10**3)}.{chance.randrange(10**9, 10**10)}.{chance.randrange(999)}"
        )

    def study(self, number: int, series_count: int) -> "Study":
        patient, chance = self.patient(), self._random
        date = 20150101 + 10000 * chance.randrange(10) + 100 * chance.randrange(12)
        date += chance.randrange(28)
        text = {
            PATIENT_ID: f"{patient:08d}",
            0x00100021: "HOSPITAL",
            PATIENT_NAME: self.name(patient),
            0x00100030: f"19{patient % 100:02d}0{patient % 9 + 1}1{patient % 10}",
            0x00100040: "MF"[patient % 2],
            STUDY_UID: self.uid(),
            STUDY_DATE: str(date),
            0x00080030: f"{chance.randrange(24):02d}{chance.randrange(60):02d}15.120000",
            ACCESSION: f"A{number:09d}",
            0x00200010: str(number % 100000),
            0x00081030: chance.choice(DESCRIPTIONS),
            0x00080090: f"DOCTOR{chance.randrange(500)}^REFERRING",
            0x00101010: "051Y",
        }
        modality = chance.choice(self._modalities)
        series = [self._series(index, modality, date) for index in range(series_count)]
        return Study(patient, {tag: value.encode() for tag, value in text.items()}, series)

    def _series(self, index: int, modality: str, date: int) -> dict[int, bytes]:
        text = {
            0x0020000E: self.uid(),
            0x00080060: modality,
            0x00200011: str(index + 1),
            0x0008103E: "AXIAL 3.0 B30f",
            0x00080021: str(date),
            0x00080031: "101512",
            0x00180015: "CHEST",
            0x00181030: "01_THORAX_ROUTINE",
            0x00081010: f"{modality}0{self._random.randrange(9)}",
            0x00080070: "GE MEDICAL SYSTEMS",
            0x00081090: "LightSpeed VCT",
            0x00080080: "GENERAL HOSPITAL",
            0x00081040: "RADIOLOGY",
            0x00081070: f"OPERATOR{self._random.randrange(50)}",
        }
        return {tag: value.encode() for tag, value in text.items()}


class Study(NamedTuple):
    patient: int
    header: dict[int, bytes]
    series: list[dict[int, bytes]]


def entry(number: int, series_header: dict[int, bytes], index: int) -> IndexEntry:
    """Return instance `number` of the archive, `index` of its series."""
    series_uid = series_header[0x0020000E].decode()
    header = {
        **series_header,
        0x00200013: str(index + 1).encode(),
        0x00280010: b"\0\2",
        0x00280011: b"\0\2",
    }
    pack, position = divmod(number, INSTANCES_PER_PACK)
    return IndexEntry(
        f"{series_uid}.{index + 1}", CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN,
        f"2024/01/31/{pack:032x}/0001.tar", position * 527_000, 526_400, 1024,
        hash((series_uid, index)) & (2**64 - 1), 1_706_700_000 + number // 10, "CT_SCANNER",
        header,
    )  # fmt: skip


def entries(
    population: Population, studies: int, instances: int, series: int, sample: list[Study]
) -> Iterator[IndexEntry]:
    """Yield the instances of `studies` studies; some of the studies are kept in `sample`."""
    number = 0
    for count in range(studies):
        study = population.study(count, series)
        if count % max(1, studies // 2000) == 0:
            sample.append(study)
        headers = [{**study.header, **each} for each in study.series]
        for index in range(instances):
            yield entry(number, headers[index % series], index // series)
            number += 1


def fill(index: Index, stream: Iterator[IndexEntry]) -> tuple[int, float, float]:
    """Submit everything; return rows, seconds and CPU seconds, both without making the headers."""
    rows, seconds, cpu = 0, 0.0, 0.0
    while chunk := list(islice(stream, BACKLOG)):
        started, started_cpu = time.perf_counter(), time.process_time()
        for each in chunk:
            index.submit(each)
        index.flush()
        seconds += time.perf_counter() - started
        cpu += time.process_time() - started_cpu
        rows += len(chunk)
    return rows, seconds, cpu


def file_bytes(path: Path) -> int:
    """Return the size of the database with an empty log."""
    connection = connect_writer(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def print_sizes(path: Path, rows: int) -> None:
    """Say what each table and index takes."""
    connection = connect_writer(path)
    sizes = connection.execute(
        "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
    ).fetchall()
    connection.close()
    for name, size in sizes:
        if size >= rows:
            print(f"    {name:32} {size / rows:7.1f} bytes/instance")


def percentile(samples: list[float], share: float) -> float:
    """Return a percentile of seconds, in milliseconds."""
    return sorted(samples)[min(len(samples) - 1, int(share * len(samples)))] * 1000


def timed(repeat: int, action: Callable[[int], int]) -> tuple[list[float], list[float], int]:
    """Run `action` often; return its times, its CPU times, and the matches of the last run."""
    times, cpu_times, matches = [], [], 0
    for turn in range(repeat):
        started, started_cpu = time.perf_counter(), time.process_time()
        matches = action(turn)
        times.append(time.perf_counter() - started)
        cpu_times.append(time.process_time() - started_cpu)
    return times, cpu_times, matches


def measure_size(folder: Path, studies: int, instances: int, series: int) -> None:
    """A database of whole studies: bytes per instance."""
    path = folder / "size.db"
    with Index.open(path) as index:
        stream = entries(Population(studies), studies, instances, series, [])
        rows, seconds, cpu = fill(index, stream)
    total = file_bytes(path)
    print(
        f"{studies} studies x {instances} instances in {series} series: "
        f"{total / rows:.0f} bytes per instance, {total / studies:.0f} per study in all; "
        f"{rows / seconds:.0f} rows/s, {cpu / rows * 1e6:.1f} us CPU a row"
    )
    print_sizes(path, rows)


def measure_known_series(folder: Path) -> None:
    """The usual case of ingest: batches of 50 instances of a series that is known."""
    path = folder / "known.db"
    Index.open(path).close()
    study = Population(1).study(0, 1)
    header = {**study.header, **study.series[0]}
    batches = [[entry(b * 50 + i, header, b * 50 + i) for i in range(50)] for b in range(400)]
    transactions = Transactions(connect_writer(path))
    gc.collect()
    started = time.process_time()
    for batch in batches:
        transactions.commit(batch)
    cpu = time.process_time() - started
    print(f"known series, transactions of 50: {cpu / 20_000 * 1e6:.1f} us CPU a row")


def measure_locate(index: Index, uids: list[str]) -> None:
    """Look-ups, as one per received instance."""
    for known, names in (("known", uids), ("unknown", [uid + ".0" for uid in uids])):
        for uid in names:
            index.locate(uid)
        started = time.process_time()
        for uid in names:
            index.locate(uid)
        print(f"locate, {known}: {(time.process_time() - started) / len(names) * 1e6:.1f} us CPU")


def label_sample(folder: Path, sample: list[Study]) -> Scope:
    """Give the studies of the sample a label; return the scope of somebody who may see them."""
    with AccessDatabase(folder / ACCESS_FILE) as database:
        StudyLabels(database).add("seen", [study.header[STUDY_UID].decode() for study in sample])
    return Scope(frozenset({"seen"}))


def measure_finds(index: Index, sample: list[Study], some: Scope) -> None:
    """Study-level queries with the usual return keys; `some` is a scope of the sample alone."""
    returned = dict.fromkeys(
        (PATIENT_ID, PATIENT_NAME, STUDY_UID, STUDY_DATE, ACCESSION, 0x00080030, 0x00081030), ""
    )

    def query(fuzzy: bool = False, scope: Scope = ALL_STUDIES, **changed: str) -> int:
        tags = {"pid": PATIENT_ID, "name": PATIENT_NAME, "uid": STUDY_UID, "date": STUDY_DATE,
                "acc": ACCESSION, "mod": IN_STUDY}  # fmt: skip
        keys = {**returned, **{tags[key]: value for key, value in changed.items()}}
        asked = {tag: RawElement(implicit_vr(tag), text.encode()) for tag, text in keys.items()}
        rules = Rules(fuzzy_names=fuzzy)
        return sum(1 for _ in find(index, "STUDY", "STUDY", asked, scope=scope, rules=rules))

    def of(turn: int, tag: int) -> str:
        return sample[turn % len(sample)].header[tag].decode()

    cases: list[tuple[str, int, Callable[[int], int]]] = [
        ("PatientID", 2000, lambda turn: query(pid=of(turn, PATIENT_ID))),
        ("PatientID, by label", 2000, lambda turn: query(scope=some, pid=of(turn, PATIENT_ID))),
        ("AccessionNumber", 2000, lambda turn: query(acc=of(turn, ACCESSION))),
        ("StudyInstanceUID", 2000, lambda turn: query(uid=of(turn, STUDY_UID))),
        ("StudyInstanceUID, by label", 2000,
         lambda turn: query(scope=some, uid=of(turn, STUDY_UID))),
        ("10,000 StudyInstanceUIDs", 3,
         lambda _: query(uid="\\".join(f"1.2.3.{n}" for n in range(10_000)))),
        ("name *SMITH*", 20, lambda _: query(name="*SMITH*")),
        ("name *hammersm*", 50, lambda _: query(name="*hammersm*")),
        ("name *IT*, a scan", 3, lambda _: query(name="*IT*")),
        ("name SMITHSON*", 50, lambda _: query(name="SMITHSON*")),
        ("name exact", 500, lambda turn: query(name=of(turn, PATIENT_NAME))),
        ("name fuzzy, all compared", 3, lambda _: query(name="Jon Smyth", fuzzy=True)),
        ("day and modality", 200, lambda turn: query(date=of(turn, STUDY_DATE), mod="CT")),
        ("day and *AN*", 20, lambda turn: query(date=of(turn, STUDY_DATE), name="*AN*")),
    ]  # fmt: skip
    for name, repeat, action in cases:
        times, cpu_times, matches = timed(repeat, action)
        print(
            f"find {name:26} p50 {percentile(times, 0.5):7.2f} ms  "
            f"p99 {percentile(times, 0.99):7.2f} ms  "
            f"CPU p50 {percentile(cpu_times, 0.5):7.2f} ms  {matches} matches in the last"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--instances", type=int, default=1, help="per study, for the queries")
    parser.add_argument("--size-studies", type=int, default=30_000)
    parser.add_argument("--size-instances", type=int, default=10)
    parser.add_argument("--size-series", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        measure_known_series(folder)
        measure_size(folder, given.size_studies, given.size_instances, given.size_series)
        sample: list[Study] = []
        path = folder / "queries.db"
        with Index.open(path) as index:
            stream = entries(Population(given.studies), given.studies, given.instances, 1, sample)
            rows, seconds, cpu = fill(index, stream)
            print(
                f"{given.studies} studies x {given.instances}: {rows / seconds:.0f} rows/s, "
                f"{cpu / rows * 1e6:.1f} us CPU a row, {file_bytes(path) / rows:.0f} bytes a row"
            )
            uids = [study.series[0][0x0020000E].decode() + ".1" for study in sample]
            measure_locate(index, uids)
            measure_finds(index, sample, label_sample(folder, sample))


if __name__ == "__main__":
    main()
