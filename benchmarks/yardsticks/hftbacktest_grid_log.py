"""python hftbacktest_grid_log.py data.npz grid_log.npz [roi|hash] [interval_ms]

The grid of hftbacktest_peer.py, decision for decision, with everything it did written down: one row per submit, cancel
request, fill and refused post-only order. It exists to compare another simulator's orders with hftbacktest's, row by row;
it measures no time. Rows are sorted by (time, kind, side, price), because hftbacktest walks its orders in a random order.

 kind      0 submit, 1 cancel request, 2 fill, 3 expired (post-only order that would have crossed)
 time_ns   submit and cancel: when the strategy asked (receive-time axis); fill and expired: when the exchange did it
 seen_ns   the step at which the strategy could first see it (submit and cancel: the same as time_ns)
 side      1 buy, -1 sell; price in ticks of 0.1; quantity in lots of 0.001
"""
import json
import sys

import numpy as np
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from numba import njit, uint64

SUBMIT, CANCEL, FILL, EXPIRED = 0, 1, 2, 3
STATUS_EXPIRED, STATUS_FILLED = 2, 3
ROW = np.dtype([("time_ns", "i8"), ("seen_ns", "i8"), ("kind", "i8"), ("side", "i8"), ("price_ticks", "i8"), ("quantity_lots", "i8")])
ROWS_MAX = 12_000_000


@njit
def note(rows, count, time_ns, seen_ns, kind, side, price_ticks, quantity_lots):
    assert count[0] < len(rows)  # numba checks no bounds of its own
    row = rows[count[0]]
    row[0] = time_ns
    row[1] = seen_ns
    row[2] = kind
    row[3] = side
    row[4] = price_ticks
    row[5] = quantity_lots
    count[0] += 1


@njit
def note_answers(h, rows, count):
    """Write the fills and refusals that the local side has seen and not yet cleared away."""
    seen_ns = h.current_timestamp
    values = h.orders(0).values()
    while values.has_next():
        order = values.get()
        side = 1 if order.side == BUY else -1
        if order.status == STATUS_FILLED:
            note(rows, count, order.exch_timestamp, seen_ns, FILL, side, order.exec_price_tick, round(order.exec_qty / 0.001))
        elif order.status == STATUS_EXPIRED:
            note(rows, count, order.exch_timestamp, seen_ns, EXPIRED, side, order.price_tick, round(order.qty / 0.001))


@njit
def grid(h, interval_ns, rows, count):
    """hftbacktest_peer.grid with notes; every float expression is kept as it stands there."""
    tick = h.depth(0).tick_size
    levels = 5
    step = tick * 2
    steps = 0
    position_max = 0.0
    want_bid = np.zeros(levels, np.uint64)
    want_ask = np.zeros(levels, np.uint64)
    while h.elapse(interval_ns) == 0:
        now = h.current_timestamp
        note_answers(h, rows, count)
        h.clear_inactive_orders(0)
        depth = h.depth(0)
        mid = (depth.best_bid + depth.best_ask) / 2.0
        steps += 1
        position = h.position(0)
        position_max = max(position_max, abs(position))
        bid = np.floor(min(mid - tick, depth.best_bid) / step) * step
        ask = np.ceil(max(mid + tick, depth.best_ask) / step) * step
        for i in range(levels):
            want_bid[i] = uint64(round((bid - i * step) / tick))
            want_ask[i] = uint64(round((ask + i * step) / tick))
        orders = h.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            if order.cancellable:
                wanted = False
                for i in range(levels):
                    if order.side == BUY and want_bid[i] == order.order_id or order.side != BUY and want_ask[i] == order.order_id:
                        wanted = True
                if not wanted:
                    note(rows, count, now, now, CANCEL, 1 if order.side == BUY else -1, order.price_tick, round(order.leaves_qty / 0.001))
                    h.cancel(0, order.order_id, False)
        for i in range(levels):
            if position < 100 and want_bid[i] not in orders:
                h.submit_buy_order(0, want_bid[i], want_bid[i] * tick, 0.01, GTX, LIMIT, False)
                note(rows, count, now, now, SUBMIT, 1, want_bid[i], 10)
            if position > -100 and want_ask[i] not in orders:
                h.submit_sell_order(0, want_ask[i], want_ask[i] * tick, 0.01, GTX, LIMIT, False)
                note(rows, count, now, now, SUBMIT, -1, want_ask[i], 10)
    note_answers(h, rows, count)  # what the last, unfinished step brought
    return steps, position_max


def make_bot(data, depth, queue="risk_adverse_queue_model", *queue_arguments):
    asset = BacktestAsset().data([data]).linear_asset(1.0).constant_order_latency(1_000_000, 1_000_000)
    asset = (getattr(asset, queue)(*queue_arguments).no_partial_fill_exchange().trading_value_fee_model(0.0002, 0.0005)
             .tick_size(0.1).lot_size(0.001).last_trades_capacity(0))
    if depth == "hash":
        return HashMapMarketDepthBacktest([asset])
    return ROIVectorMarketDepthBacktest([asset.roi_lb(59000.0).roi_ub(61000.0)])


def run_grid(h, interval_ns):
    rows = np.zeros((ROWS_MAX, 6), np.int64)
    count = np.zeros(1, np.int64)
    steps, position_max = grid(h, interval_ns, rows, count)
    log = rows[: count[0]].view(ROW).reshape(-1)
    return np.sort(log, order=["time_ns", "kind", "side", "price_ticks"]), steps, position_max


def main():
    depth = sys.argv[3] if len(sys.argv) > 3 else "roi"
    interval_ns = int(sys.argv[4] if len(sys.argv) > 4 else 100) * 1_000_000
    data = np.load(sys.argv[1])["data"]
    h = make_bot(data, depth)
    log, steps, position_max = run_grid(h, interval_ns)
    values = h.state_values(0)
    counts = {name: int((log["kind"] == kind).sum()) for name, kind in (("submits", SUBMIT), ("cancels", CANCEL), ("fills", FILL), ("expired", EXPIRED))}
    summary = dict(depth=depth, interval_ms=interval_ns // 1_000_000, events=len(data), steps=int(steps), **counts, num_trades=int(values.num_trades),
                   position=float(values.position), position_max=float(position_max), balance=float(values.balance), fee=float(values.fee))
    h.close()
    np.savez(sys.argv[2], log=log, summary=json.dumps(summary))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
