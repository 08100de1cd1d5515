"""What goes into an import and what comes out: its source, what was found on the way, the report.

An import is named by its content. The same instrument, format, importer version and bytes give the same id on
every machine, however the files were packed, so importing a thing twice is seen before a row is written.
"""

import hashlib
from typing import Final

from msgspec import Struct, field

from tradebot.domain.errors import BadContainer

LATE_ROWS_MAX: Final = 100  # that are put in their place whatever their share; beyond it
LATE_PART: Final = 100  # one row in so many may run back
REJECTS_MAX: Final = 1000  # listed in a report; the count goes on


class Rejected(Struct, frozen=True):
    """A row that was not imported: the file as the archive names it, its line (the header is 1), and the
    reason.
    """

    file: str
    line: int
    why: str


class Findings(Struct):
    """What an importer met, counted in rows; complete once its batches are read to the end.

    `repaired` rows are in the store with the VOID flag; `repairs` splits their number by reason. `late`
    counts the rows that were received before the row in front of them. `rejects` lists the first
    `REJECTS_MAX` of `rejected`.
    """

    gaps: int = 0
    duplicates: int = 0
    repaired: int = 0
    rejected: int = 0
    late: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    rejects: list[Rejected] = field(default_factory=list)

    def reject(self, file: str, line: int, why: str) -> None:
        """Count one row that cannot be imported and list it while there is room."""
        self.rejected += 1
        if len(self.rejects) < REJECTS_MAX:
            self.rejects.append(Rejected(file, line, why))

    def repair(self, reason: str, rows: int) -> None:
        """Count rows that are kept, but applied to nothing."""
        self.repaired += rows
        self.repairs[reason] = self.repairs.get(reason, 0) + rows


def check_findings(findings: Findings, rows: int, path: str) -> None:
    """Refuse an import of which little fits or much is out of order: it is not what it was taken for.

    Raises BadContainer, which names the first rejected row.
    """
    if findings.rejected > rows:
        first = findings.rejects[0]
        raise BadContainer(
            f"expected rows that fit, found {findings.rejected} rejected of {findings.rejected + rows} in {path}, the first "
            f"{first.file}:{first.line}: {first.why}; check --format, --instrument, --tick and --lot"
        )
    if findings.late > LATE_ROWS_MAX and findings.late * LATE_PART > rows:
        raise BadContainer(
            f"expected rows in order of receipt, found {findings.late} of {rows} in {path} that run back in time; sort the "
            "file by its time of receipt"
        )


class ImportSource(Struct):
    """Where rows come from. `content_sha256` is over the unpacked bytes; `path` is for people and names
    nothing. `place` says how the content stands to what was recorded before it, where its rows depend on that (`sequel`
    has the words); `follows` is the import that it goes on from, in hex.
    """

    format: str
    version: int
    content_sha256: str
    path: str
    findings: Findings = field(default_factory=Findings)
    place: str = ""
    follows: str = ""

    def import_id(self, instrument_id: int) -> int:
        """The u64 that its rows carry: a function of instrument, format, importer version, content and place; never
        0.
        """
        return self._id(instrument_id, self.place)

    def content_id(self, instrument_id: int) -> int:
        """The same for the content wherever it stands: a content is in the store once."""
        return self._id(instrument_id, "")

    def _id(self, instrument_id: int, place: str) -> int:
        text = f"{instrument_id}\n{self.format}\n{self.version}\n{self.content_sha256}" + (f"\n{place}" if place else "")
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") or 1


class ImportReport(Struct, frozen=True, kw_only=True):
    """What an import did. `first_ns` and `last_ns` are 0 where it has no rows; `repeated`: it was there
    before. `content_id` names its content in hex, in whatever place (empty in reports of older versions, whose import id
    is that); `follows` is the import whose book it goes on with, in hex.
    """

    instrument: str
    import_id: str
    format: str
    rows: int
    first_ns: int
    last_ns: int
    gaps: int
    duplicates: int
    repaired: int
    rejected: int
    late: int
    repairs: dict[str, int]
    notes: dict[str, int]
    rejects: list[Rejected]
    repeated: bool = False
    content_id: str = ""
    follows: str = ""
