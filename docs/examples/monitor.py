"""A client in plain pyzmq and msgspec, with nothing of tradebot: asks for the status, has trading paused, and shows what happens.

    python monitor.py ADDRESS SERVER_KEY SECRET_KEY_FILE [COUNT]

ADDRESS is node.api.address, SERVER_KEY what `tradebot status` says under api.key; COUNT ends it after so many messages.
"""

import sys
from pathlib import Path

import msgspec
import zmq

VERSION, ASK, CONTROL, ANSWER, PLACES = 1, 1, 2, 10, 23


def connect(context, kind, address, server_key, secret):
    socket = context.socket(kind)
    socket.linger = 0
    socket.ipv6 = "://[" in address  # such as tcp://[::1]:7700
    socket.curve_serverkey = server_key.encode()
    socket.curve_publickey = zmq.curve_public(secret.encode())
    socket.curve_secretkey = secret.encode()
    socket.connect(address)
    return socket


def request(desk, message):
    desk.send(msgspec.msgpack.encode(message))
    if not desk.poll(5_000):
        raise SystemExit("no answer: is the node running, and does it know this key?")
    tag, _, _, *rest = msgspec.msgpack.decode(desk.recv())
    return rest[0] if tag == ANSWER else {"refused": rest[0], "why": rest[1]}


def main(address, server_key, key_file, count="0"):
    secret = Path(key_file).read_text().strip()
    host, _, port = address.rpartition(":")
    context = zmq.Context()
    desk = connect(context, zmq.DEALER, address, server_key, secret)
    status = request(desk, [ASK, VERSION, 1, "status"])
    print("status", status["run_id"], status["trading"], flush=True)
    answer = request(desk, [CONTROL, VERSION, 2, "pause", "lunch"])
    print("pause", answer, flush=True)

    stream = connect(context, zmq.SUB, f"{host}:{int(port) + 1}", server_key, secret)
    for topic in ("state", "facts", "metrics", "topics"):  # the last one says where each topic stands, and comes last
        stream.subscribe(topic)
    last, places, first_start = {}, None, None
    told = 0
    while not told or told != int(count):
        topic, body = stream.recv_multipart()
        tag, _, start, *rest = msgspec.msgpack.decode(body)
        first_start = first_start or start
        if tag == PLACES:
            places = rest[0] if places is None else places  # the first ones hold: what is beyond them was said to this client
            continue
        sequence, _, what = rest[:3]
        before = last.get(topic)
        if before and before[0] == start and sequence <= before[1]:
            continue  # said again for another who came late
        if before and before[0] == start:
            expected = before[1] + 1
        elif start != first_start:
            expected = 0  # the publisher began anew: what was between, nobody knows
        else:
            expected = sequence if places is None else places.get(topic.decode(), 0) + 1
        if sequence > expected:
            print("gap", topic.decode(), flush=True)
        last[topic] = (start, sequence)
        told += 1
        said = [one["text"] for one in what] if isinstance(what, list) else what.get("run_id") or what["facts_per_s"]
        print(topic.decode(), sequence, said, flush=True)
    context.destroy(linger=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
