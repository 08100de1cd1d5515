"""One actor of ray in a process of its own, measured as `tradebot bench actors` measures ours: prints one line of JSON.

`python ray_peer.py WHAT COUNT`, in an empty folder with a short path, which ray fills. Times are in nanoseconds.

    ask             100 bytes to the actor, its process id as bytes back, by ray.get; each awaited before the next
    restart         SIGKILL of the actor's process, until another one answers. Asked anew each 10 ms without waiting for what
                    was asked before, for ray keeps a call that met a dead actor for a second or more before it fails or is
                    tried again. 10 ms did best of 1, 10 and 50. The first restart finds a spare process that ray began
                    beforehand; all others begin one
    restart_waited  the same, seen by one call that is made at once and that ray tries again until it is answered
"""
import contextlib, json, os, random, signal, sys, time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray

BODY = b"x" * 100
WARM = 100  # questions before those that count
REST_S = 0.5, 1.5  # before a kill; by chance, for ray tries again at the beat of a second
ASK_AGAIN_S, ANSWER_S = 0.01, 60.0


@ray.remote(max_restarts=-1)
class Actor:
    def __init__(self):
        self.said = str(os.getpid()).encode()

    def answer(self, body):
        return self.said


def ask(actor, count):
    times = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        ray.get(actor.answer.remote(BODY))
        times.append(time.perf_counter_ns() - began_ns)
    return times


def restart(actor, count):
    return kill_all(actor, count, wait_other)


def restart_waited(actor, count):
    return kill_all(actor, count, wait_one)


def kill_all(actor, count, wait):
    chance = random.Random(1)
    times, pid = [], ray.get(actor.answer.remote(BODY))
    for _ in range(count):
        time.sleep(chance.uniform(*REST_S))
        began_ns = time.perf_counter_ns()
        os.kill(int(pid), signal.SIGKILL)
        pid = wait(actor, pid)
        times.append(time.perf_counter_ns() - began_ns)
    return times


def wait_other(actor, pid):
    calls, until = [], time.perf_counter() + ANSWER_S
    while time.perf_counter() < until:
        calls.append(actor.answer.remote(BODY))
        done, calls = ray.wait(calls, num_returns=len(calls), timeout=ASK_AGAIN_S)
        for found in filter(None, map(answer_of, done)):
            if found != pid:
                return found
    raise SystemExit("the actor did not answer again")


def answer_of(call):
    with contextlib.suppress(ray.exceptions.RayError):
        return ray.get(call)


def wait_one(actor, pid):
    while (found := ray.get(actor.answer.remote(BODY), timeout=ANSWER_S)) == pid:
        pass
    return found


MEASURES = {"ask": (ask, 0), "restart": (restart, 0), "restart_waited": (restart_waited, -1)}


def main(what, count):
    measure, retries = MEASURES[what]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=os.getcwd())
    actor = Actor.options(max_task_retries=retries).remote()
    ask(actor, WARM)
    print(json.dumps({"w": what, "times_ns": measure(actor, count)}), flush=True)
    ray.shutdown()


main(sys.argv[1], int(sys.argv[2]))
