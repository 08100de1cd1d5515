// A client in Node.js: asks for the status, has trading paused, and shows what happens.
//
//   npm ci && node monitor.mjs ADDRESS SERVER_KEY SECRET_KEY_FILE PUBLIC_KEY [COUNT]
//
// ADDRESS is node.api.address, SERVER_KEY what `tradebot status` says under api.key; COUNT ends it after so many messages.
import { readFileSync } from "node:fs";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";

const VERSION = 1, ASK = 1, CONTROL = 2, ANSWER = 10, PLACES = 23;
const [address, curveServerKey, keyFile, curvePublicKey, count = "0"] = process.argv.slice(2);
const curveSecretKey = readFileSync(keyFile, "utf8").trim();
const ipv6 = address.includes("://["); // such as tcp://[::1]:7700
const keys = { curveServerKey, curvePublicKey, curveSecretKey, ipv6, linger: 0 };

const read = (body) => decode(body, { useBigInt64: true }); // ids and times have 64 bits

async function request(desk, message) {
  await desk.send(encode(message));
  const [body] = await desk.receive();
  const [tag, , , ...rest] = read(body);
  return tag === ANSWER ? rest[0] : { refused: rest[0], why: rest[1] };
}

const desk = new Dealer({ ...keys, receiveTimeout: 5000 });
desk.connect(address);
const status = await request(desk, [ASK, VERSION, 1, "status"]);
console.log("status", status.run_id, status.trading);
console.log("pause", await request(desk, [CONTROL, VERSION, 2, "pause", "lunch"]));
desk.close();

const stream = new Subscriber(keys);
const at = address.lastIndexOf(":");
stream.connect(`${address.slice(0, at)}:${Number(address.slice(at + 1)) + 1}`);
stream.subscribe("state", "facts", "metrics", "topics"); // the last one says where each topic stands, and comes last
const last = new Map();
let told = 0, places, firstStart;
for await (const [name, body] of stream) {
  const topic = name.toString();
  const [tag, , start, ...rest] = read(body);
  firstStart ??= start;
  if (tag === PLACES) {
    places ??= rest[0]; // the first ones hold: what is beyond them was said to this client
    continue;
  }
  const [sequence, , what] = [Number(rest[0]), rest[1], rest[2]];
  const before = last.get(topic);
  const isKnown = before?.start === start;
  if (isKnown && sequence <= before.sequence) continue; // said again for another who came late
  let expected = places ? Number(places[topic] ?? 0) + 1 : sequence;
  if (start !== firstStart) expected = 0; // the publisher began anew: what was between, nobody knows
  if (isKnown) expected = before.sequence + 1;
  if (sequence > expected) console.log("gap", topic);
  last.set(topic, { start, sequence });
  const said = Array.isArray(what) ? what.map((one) => one.text).join("; ") : what.run_id ?? what.facts_per_s;
  console.log(topic, sequence, said);
  if (++told === Number(count)) break;
}
stream.close();
