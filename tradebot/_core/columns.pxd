"""Columns to records and back; Python callers only, so nothing but the types is shared."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.types cimport RecordC
