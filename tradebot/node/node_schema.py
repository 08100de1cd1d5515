"""What a configuration may say of a node: how `tradebot run` runs, who may speak to it, and the actors of the user's own."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tradebot.domain.units import NS_PER_SECOND
from tradebot.domain.wire import Role
from tradebot.node.values import (
    Endpoint,
    Parameter,
    Target,
    parse_endpoint,
    parse_interval,
    parse_keep,
    parse_lease,
    parse_use,
    parse_wait,
)


class ApiClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may speak to the node over tcp."""

    name: Annotated[str, Meta(description="Its name: what it orders stands under it in the journal.", examples=["desk-1"])]
    key: Annotated[
        str,
        Meta(
            description="Its public key, in Z85, which `python -m tradebot.client.keys FILE` prints.",
            examples=["PUBLIC-KEY-OF-DESK-1"],
        ),
    ]
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        Meta(description="viewer: subscribe and ask; operator: also pause, resume, cancel-all; admin: also flatten and kill."),
    ] = "viewer"


class Api(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where clients reach the node over tcp, always behind CURVE; absent: nowhere."""

    address: Annotated[
        str,
        Meta(
            description="Where requests are taken; the streams are at the next port. The node's own key is in the home's keys/.",
            examples=["tcp://127.0.0.1:7700"],
        ),
    ]
    client: Annotated[
        list[ApiClient], Meta(description="Whom it lets in, each a [[node.api.client]] table.", min_length=1)
    ]

    @property
    def endpoint(self) -> Endpoint:
        return parse_endpoint(self.address)

    @property
    def roles(self) -> dict[str, Role]:
        """By name."""
        return {one.name: Role(one.role) for one in self.client}

    @property
    def names(self) -> dict[str, str]:
        """By public key."""
        return {one.key: one.name for one in self.client}


class Supervisor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long what ends is started again, in the words of OTP's supervisors."""

    intensity: Annotated[
        int, Meta(description="More restarts than these within the period, and the supervisor gives up and ends.", ge=0)
    ] = 20
    period: Annotated[str, Meta(description="The time in which restarts are counted.", examples=["10s"])] = "10s"
    backoff: Annotated[
        str,
        Meta(
            description="The wait before the second restart in a row, doubled with each one more; the first is always at once. "
            "0s: none ever waits.",
            examples=["100ms"],
        ),
    ] = "100ms"
    backoff_max: Annotated[str, Meta(description="The longest wait before a restart.", examples=["5s"])] = "5s"

    @property
    def period_s(self) -> float:
        """Seconds."""
        return parse_interval(self.period) / NS_PER_SECOND

    @property
    def backoff_s(self) -> float:
        """Seconds."""
        return parse_wait(self.backoff) / NS_PER_SECOND

    @property
    def backoff_max_s(self) -> float:
        """Seconds."""
        return parse_interval(self.backoff_max) / NS_PER_SECOND


class ActorUse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One actor of the user's own (docs/actors.md)."""

    name: Annotated[
        str,
        Meta(description="Its name, by which others tell, ask and watch it: up to 16 of a-z, 0-9, _ and -.", examples=["alerts"]),
    ]
    use: Annotated[
        str,
        Meta(
            description="module:Class, or path/file.py:Class with the path relative to this file's folder.",
            examples=["actors/alerts.py:Alerts"],
        ),
    ]
    params: Annotated[dict[str, Parameter], Meta(description="Values for the actor's Params.", examples=[{"limit": 12}])] = {}
    place: Annotated[
        Literal["loop", "process"],
        Meta(description="Where it lives: in the loop that such actors share, or in a process of its own."),
    ] = "loop"
    restart: Annotated[
        Literal["permanent", "transient", "temporary"],
        Meta(description="Whether it is started again when it ended: always, where it failed, never."),
    ] = "permanent"
    shutdown: Annotated[str, Meta(description="How long it may take to end before it is killed.", examples=["5s"])] = "5s"
    patience: Annotated[
        str, Meta(description="How long it may be at one message; one that takes longer has failed.", examples=["30s"])
    ] = "30s"
    supervisor: Annotated[
        str, Meta(description="The [[node.actors.supervisor]] that keeps it; empty: that of all actors.", examples=["alerts"])
    ] = ""

    @property
    def target(self) -> Target:
        return parse_use(self.use)

    @property
    def shutdown_s(self) -> float:
        """Seconds."""
        return parse_wait(self.shutdown) / NS_PER_SECOND

    @property
    def patience_s(self) -> float:
        """Seconds."""
        return parse_interval(self.patience) / NS_PER_SECOND


class ActorRules(Supervisor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a supervisor of actors goes by."""

    strategy: Annotated[
        Literal["one_for_one", "one_for_all", "rest_for_one"],
        Meta(description="Who is started again with one that ended: nobody else, all, or those that come after it here."),
    ] = "one_for_one"
    backoff_max: Annotated[str, Meta(description="The longest wait before a restart.", examples=["30s"])] = "30s"


class ActorSupervisor(ActorRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A supervisor below that of all actors. It stands in their order where the first of its own does."""

    name: Annotated[
        str, Meta(description="By which actors name it as theirs: up to 16 of a-z, 0-9, _ and -.", examples=["alerts"])
    ]
    restart: Annotated[
        Literal["permanent", "transient", "temporary"],
        Meta(description="Whether it is started again, with all of its own, when it gave up or they ended."),
    ] = "permanent"


class Actors(ActorRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Actors of the user's own, below a supervisor of their own: whatever becomes of them, trading goes on."""

    supervisor: Annotated[
        list[ActorSupervisor], Meta(description="Each a [[node.actors.supervisor]] table: those below the first.")
    ] = []
    actor: Annotated[
        list[ActorUse], Meta(description="Each a [[node.actors.actor]] table, in the order of their start.", min_length=1)
    ]


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `tradebot run` runs: its feed, its journals, its end. No backtest depends on it."""

    speed: Annotated[
        float, Meta(description="How many times faster than they were recorded the stored facts are told.", ge=0.01, le=100_000)
    ] = 1.0
    rounds: Annotated[int, Meta(description="How often the selection is told; 0: for ever.", ge=0)] = 0
    sync: Annotated[
        Literal["none", "place", "each"],
        Meta(
            description="When journals are flushed to the disk: never (a killed process loses nothing, a power cut may), "
            "before anything of an order is told, or at each batch."
        ),
    ] = "place"
    write: Annotated[
        Literal["mmap", "write"], Meta(description="How the journal is written; write() for disks that cannot reserve space.")
    ] = "mmap"
    segment_mb: Annotated[int, Meta(description="Megabytes of a segment of the journal.", ge=1, le=4096)] = 64
    compress: Annotated[
        bool,
        Meta(
            description="Compress segments of the journals that are full. Every frame is looked at then: one that is damaged is "
            "told by `tradebot status`."
        ),
    ] = True
    keep: Annotated[
        str,
        Meta(
            description='How long full segments of the journals are kept: "all", so that the run can be replayed from its first '
            'fact, also by a later version; or an age of at least "1h". What a start or the store still needs stays, however '
            "old.",
            examples=["all", "30d"],
        ),
    ] = "all"
    snapshot_facts: Annotated[
        int, Meta(description="Facts between two snapshots of the engine: a start reads no further back.", ge=1_000)
    ] = 200_000
    on_stop: Annotated[
        Literal["cancel", "keep", "flatten"],
        Meta(
            description="What a stop does to open orders: cancel those that do not guard a position, keep all, or cancel all "
            "and close the positions."
        ),
    ] = "cancel"
    record: Annotated[
        bool,
        Meta(
            description="Keep the market facts that the node heard in the store's ticks. Those of a feed that tells stored ticks "
            "again are kept under their venue with -again behind it, never among what was recorded of the market."
        ),
    ] = False
    order_age: Annotated[str, Meta(description="Age at which an order that could not be sent is given up.", examples=["5s"])] = (
        "5s"
    )

    lease: Annotated[
        str,
        Meta(
            description="Silence after which a process of the node is taken for dead: it is killed and started again, so that "
            "one that stood still cannot act on what was true then. From 1s.",
            examples=["15s"],
        ),
    ] = "15s"
    reconcile: Annotated[
        str,
        Meta(
            description="How often the books of engine, gateway and venue are compared; the first time before trading opens.",
            examples=["30s"],
        ),
    ] = "30s"

    place: Annotated[
        Literal["apart", "together"],
        Meta(
            description="Where the parts that trade live: apart, each in a process of its own, or together in one, where they "
            "reach each other faster, and what crashes or hangs takes all of them with it."
        ),
    ] = "apart"
    alone: Annotated[
        list[Literal["venue", "gateway", "engine", "feed"]],
        Meta(description='Parts that have a process of their own although place = "together".', examples=[["feed"]]),
    ] = []
    bus: Annotated[
        str,
        Meta(
            description='How the parts of a node reach each other: "ipc", by files that only the user may enter; or '
            "tcp://HOST:PORT, by that port and the seven behind it, behind CURVE with a key of the node's own.",
            examples=["tcp://127.0.0.1:7710"],
        ),
    ] = "ipc"
    memory_mb: Annotated[
        int,
        Meta(
            description="Megabytes of memory beyond which a process of the node ends as at a stop and starts again; 0: never.",
            ge=0,
        ),
    ] = 0

    api: Annotated[
        Api | None, Meta(description="Where clients reach the node over tcp, always behind CURVE; absent: nowhere.")
    ] = None
    supervisor: Annotated[
        Supervisor, Meta(description="How long parts of the node that end are started again, before the node ends.")
    ] = Supervisor()
    actors: Annotated[Actors | None, Meta(description="Actors of the user's own; absent: none.")] = None

    @property
    def lease_s(self) -> float:
        """Seconds."""
        return parse_lease(self.lease) / NS_PER_SECOND

    @property
    def keep_ns(self) -> int | None:
        """Nanoseconds; None where all is kept."""
        return parse_keep(self.keep)

    @property
    def reconcile_ns(self) -> int:
        """Nanoseconds."""
        return parse_interval(self.reconcile)

    @property
    def order_age_ns(self) -> int:
        """Nanoseconds."""
        return parse_interval(self.order_age)
