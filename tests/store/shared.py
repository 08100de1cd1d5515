"""Recordings as a reader of the store sees them: imported by format, streamed back."""

from pathlib import Path

from tests.store.support import Records, joined
from tradebot.domain.instrument import Instrument
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.imports import ImportReport


def stored(store: Store, path: Path, format_name: str, instrument: str | None = None) -> tuple[Instrument, ImportReport, Records]:
    opened = open_import(path, format_name, instrument, known=store.instruments())
    report = store.import_records(opened.instrument, opened.source, opened.batches)
    return opened.instrument, report, joined(store.stream([opened.instrument.id]))
