"""What an account's balance backs: the margin of its contracts, held, asked for and left."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from tradebot._core.context cimport ContextC
from tradebot._core.ledger cimport PositionC
from tradebot._core.risk cimport IntentC
from tradebot._core.types cimport ExtraC, RecordC


cdef int collateral_hold(ContextC* context, uint16_t strategy, uint32_t index, int64_t lock_fee) noexcept nogil
cdef int64_t collateral_needed(const ContextC* context, const IntentC* intent, uint64_t id, uint16_t strategy, uint32_t index, int64_t lock_fee) noexcept nogil
cdef int64_t collateral_free(const ContextC* context, uint32_t index) noexcept nogil
cdef int collateral_post(ContextC* context, const RecordC* record, const ExtraC* extra, uint32_t index, int64_t lock_fee) except -1
cdef double collateral_wallet(const ContextC* context, const PositionC* position) noexcept nogil
cdef int collateral_validate(const ContextC* context) except -1
