"""The composition root: settings in, a running worker out.

The one rule: everything is built here and handed down; below this file nothing reads settings or makes its own engine.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import OperationalError
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import Interceptor, Worker

from activities.appeals import AppealActivities
from activities.authorities import AuthorityActivities
from activities.campaign import CampaignActivities
from activities.closing import ClosingActivities
from activities.deciding import DecidingActivities
from activities.deferring import DeferringActivities
from activities.following import FollowingActivities
from activities.fulfil import FulfilActivities
from activities.hooking import HookActivities
from activities.identity import IdentityActivities
from activities.incidents import IncidentActivities
from activities.jws import load_signing_key
from activities.mailing import MailActivities
from activities.mapcheck import MapCheckActivities
from activities.opening import OpeningActivities
from activities.planning import PlanningActivities
from activities.relooking import RelookActivities
from activities.replaying import ReplayActivities
from activities.resting import RestingActivities
from activities.restricting import RestrictingActivities
from activities.stopping import StoppingActivities
from activities.store import FileStore
from activities.sweep import SweepActivities
from activities.telling import TellingActivities
from activities.tools import Terms, Tools, Transfers
from activities.transmission import TransmissionActivities
from activities.upkeep import UpkeepActivities
from activities.using import UsingActivities
from connectors.registry import SetupError, build, build_all, resolve
from ledger.ledger import Ledger
from rights.transfer import read_receivers
from rights.yamlfile import FileErrors
from settings import Settings
from starter.desk import check_schema as check_schema
from starter.desk import load_law, load_map, load_register
from starter.desk import open_ledger as open_ledger
from starter.desk import rules as rules
from starter.dispatch import Dispatcher
from starter.evidence import open_authority
from starter.health import Health
from starter.holdplaces import places_lost
from starter.mailserver import build_mail
from starter.namespace import missing_attributes
from starter.schedule import MapCheckSchedule
from starter.temporal import tls_of
from starter.versions import serves, versioned
from starter.webhooks import build_hooks
from workflows.appeal import AppealRun
from workflows.authority import AuthorityRequest
from workflows.campaign import CampaignRun
from workflows.deferred import DeferredRun
from workflows.following import FollowUp
from workflows.incident import IncidentRun
from workflows.letters import Letters
from workflows.lifting import RestrictionLifting
from workflows.mapcheck import MapCheck
from workflows.relook import RelookRun
from workflows.replay import ReplayRun
from workflows.request import REQUESTS
from workflows.sweep import Sweep
from workflows.upkeep import Upkeep
from workflows.webhook import WebhookRun
from workflows.wire import HistoryKeys, plugin

HEARTBEAT_THROTTLE: Final = timedelta(seconds=3)
"""The longest the SDK holds heartbeats back; a cancelled or dead step is noticed within the heartbeat timeout."""
WORKFLOW_TASKS: Final = 8
"""Workflow tasks at once. More on a small machine trips the SDK's two-second deadlock detector after a restart, when
every cached run is replayed at the same time."""

MakeTools = Callable[[Settings, Ledger], Tools]
"""How the activities' tools are composed; tests put things that break around them."""

log = structlog.get_logger()


def build_tools(settings: Settings, ledger: Ledger) -> Tools:
    """Everything the activities of one worker share.

    Raises:
        MapErrors: the data map cannot stand.
        SetupError: a system cannot be set up.
    """
    data_map = load_map(settings)
    return Tools(
        ledger=ledger,
        connectors=build_all(data_map),
        data_map=data_map,
        store=FileStore(settings.parcels),
        environment=settings.environment,
        register=load_register(settings, data_map),
        sms=settings.sms_gateway or "",
        terms=Terms(
            working=timedelta(days=settings.working_days),
            file=timedelta(days=settings.file_days),
            parcel=timedelta(days=settings.parcel_days),
            disputed=timedelta(days=settings.disputed_days),
            relook=timedelta(days=settings.relook_days),
            review=timedelta(days=settings.restriction_review_days),
            rest_review=timedelta(days=settings.rest_review_days),
            notice=timedelta(days=settings.restriction_notice_days),
            look=settings.restriction_look_every,
            lasting=settings.rectification_look_after,
        ),
        mail=build_mail(settings.mail) if settings.mail else None,
        cooling_hours=settings.cooling_off_hours,
        build=build,
        transfers=open_transfers(settings),
        office=settings.office,
        authority=open_authority(settings),
        hooks=build_hooks(settings.webhooks),
    )


def open_transfers(settings: Settings) -> Transfers | None:
    """Whom data may be sent to; None where there is no receivers file.

    Raises:
        FileErrors: the file cannot stand.
        SetupError: it, or the key that it names, cannot be read.
    """
    if settings.receivers is None:
        return None
    try:
        receivers = read_receivers(str(settings.receivers), settings.receivers.read_text())
        return Transfers(receivers, load_signing_key(resolve(receivers.signing_key)))
    except (OSError, UnicodeDecodeError):
        raise SetupError("receivers: the file cannot be read: name one in UTF-8") from None
    except FileErrors:
        raise
    except ValueError as error:
        raise SetupError(f"receivers: signing_key: {error}") from None


async def connect(
    settings: Settings, ledger: Ledger, *, runtime: Runtime | None = None, keys: HistoryKeys | None = None
) -> Client:
    """A Temporal client that seals what it sends; the worker and the doors use the same. In `runtime` the SDK counts.

    Raises:
        RuntimeError: Temporal does not answer.
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=tls_of(settings),
        api_key=resolve(settings.temporal_api_key) if settings.temporal_api_key else None,
        plugins=[plugin(keys or HistoryKeys(ledger.history_key))],
        runtime=runtime,
        identity=f"habeas-{os.getpid()}",
    )


def telling(port: int) -> Runtime:
    """What has the SDK tell its metrics on a port of this machine. The port is taken at once and is not given back, so
    there is one of these in a process.

    Raises:
        SetupError: the port cannot be had.
    """
    metrics = PrometheusConfig(
        bind_address=f"127.0.0.1:{port}", counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except ValueError:
        raise SetupError(f"health_port: the port after it, {port}, cannot be had: name another health_port") from None


def build_worker(
    settings: Settings, client: Client, tools: Tools, *, interceptors: Sequence[Interceptor] = ()
) -> Worker:
    """The Temporal worker of this process; tests add interceptors that break things."""
    appeals, telling = AppealActivities(tools), TellingActivities(tools)
    opening, planning = OpeningActivities(tools), PlanningActivities(tools)
    fulfil, closing, upkeep = FulfilActivities(tools), ClosingActivities(tools), UpkeepActivities(tools)
    deciding = DecidingActivities(tools)
    restricting, resting = RestrictingActivities(tools), RestingActivities(tools)
    stopping = StoppingActivities(tools)
    sweep, map_check = SweepActivities(tools), MapCheckActivities(tools)
    mailing, campaign = MailActivities(tools), CampaignActivities(tools)
    transmission = TransmissionActivities(tools)
    identity = IdentityActivities(tools)
    relooking, replaying = RelookActivities(tools), ReplayActivities(tools)
    authority = AuthorityActivities(tools)
    following, deferring = FollowingActivities(tools), DeferringActivities(tools)
    using = UsingActivities(tools)
    incident = IncidentActivities(tools)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[
            *REQUESTS,
            AppealRun,
            RestrictionLifting,
            FollowUp,
            Sweep,
            Upkeep,
            MapCheck,
            Letters,
            CampaignRun,
            RelookRun,
            ReplayRun,
            AuthorityRequest,
            IncidentRun,
            DeferredRun,
            WebhookRun,
        ],
        activities=[
            opening.open,
            opening.deadline,
            opening.interim,
            deciding.wait_for_decision,
            deciding.follow,
            deciding.cool,
            opening.acknowledge,
            appeals.read,
            telling.tell,
            telling.tell_of_lifting,
            appeals.deadline,
            planning.plan,
            planning.rule,
            planning.stuck,
            fulfil.locate,
            fulfil.export,
            fulfil.suppress,
            fulfil.erase,
            fulfil.restrict,
            resting.see_to,
            fulfil.lift,
            fulfil.rectify,
            fulfil.verify,
            restricting.asked,
            restricting.weigh,
            restricting.end_restriction,
            restricting.lifting,
            restricting.lifted,
            stopping.remember,
            stopping.put_on_desk,
            stopping.late_on_desk,
            sweep.sweep,
            closing.package,
            closing.unaccounted,
            closing.close,
            transmission.destination,
            transmission.transmit,
            deferring.review,
            following.due,
            using.seal,
            following.look,
            following.looked,
            upkeep.reconcile,
            upkeep.destroy,
            upkeep.sign,
            map_check.check,
            HookActivities(tools).tell,
            mailing.send,
            mailing.look_after,
            campaign.carry_on,
            relooking.due,
            relooking.settle,
            replaying.advance,
            authority.carry_on,
            incident.follow,
            identity.channels,
            identity.codes,
            identity.remind,
            identity.lapse,
            identity.ask_again,
            identity.tell_categories,
        ],
        activity_executor=ThreadPoolExecutor(settings.slots, thread_name_prefix="activity"),
        max_concurrent_activities=settings.slots,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        max_concurrent_workflow_task_polls=2,
        max_concurrent_activity_task_polls=2,
        graceful_shutdown_timeout=timedelta(seconds=settings.drain_seconds),
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        interceptors=interceptors,
        deployment_config=versioned(settings),
    )


async def run(
    settings: Settings, *, make_tools: MakeTools | None = None, interceptors: Sequence[Interceptor] = ()
) -> None:
    """Run until SIGTERM or SIGINT, then drain.

    Raises:
        SetupError: something is missing; nothing was started.
        RuntimeError: Temporal lacks search attributes, or the ledger's schema is not this version's.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    load_law(settings)
    ledger = open_ledger(settings, pool=settings.slots)
    tools = (make_tools or build_tools)(settings, ledger)
    metrics_port = settings.health_port + 1 if settings.health_port else None
    keys = HistoryKeys(ledger.history_key)
    runtime = telling(metrics_port) if metrics_port else None
    client = await _connected(settings, ledger, stop, runtime, keys)
    if client is None:
        return
    if slipping := await asyncio.to_thread(places_lost, ledger, tools.data_map):
        raise SetupError(slipping)
    if missing := await missing_attributes(client):
        raise RuntimeError(
            f"Temporal does not know the search attributes {', '.join(missing)}: run habeas temporal setup"
        )
    worker = build_worker(settings, client, tools, interceptors=interceptors)
    dispatcher = Dispatcher(tools, client, settings.task_queue, keys)
    schedule = MapCheckSchedule(client, settings.tenant, settings.task_queue, settings.map_check_every)
    health = Health(settings.health_host, settings.health_port, client, ledger, metrics_port)
    # What is here now stays until the end, and to look through it for garbage takes a tenth of a second each time.
    gc.freeze()
    async with health, worker:
        log.info(
            "worker_ready",
            tenant=settings.tenant,
            environment=settings.environment,
            queue=settings.task_queue,
            systems=len(tools.connectors),
            digest=tools.data_map.digest[:12],
        )
        beside = [asyncio.create_task(dispatcher.run(stop)), asyncio.create_task(schedule.run(stop))]
        if settings.worker_version:
            beside.append(asyncio.create_task(serves(client, settings.worker_version, stop)))
        await stop.wait()
        log.info("worker_drains", seconds=settings.drain_seconds)
        await asyncio.gather(*beside)
    ledger.close_connections()
    log.info("worker_stopped")


async def _connected(
    settings: Settings, ledger: Ledger, stop: asyncio.Event, runtime: Runtime | None, keys: HistoryKeys
) -> Client | None:
    """Wait for the ledger and for Temporal as long as it takes; None when told to stop meanwhile."""
    while not stop.is_set():
        try:
            await asyncio.to_thread(check_schema, settings)
            return await connect(settings, ledger, runtime=runtime, keys=keys)
        except (OperationalError, RuntimeError) as error:
            log.warning("waits_for", kind="ledger" if isinstance(error, OperationalError) else "temporal")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 2)
    return None


def main(settings: Settings, *, make_tools: MakeTools | None = None, interceptors: Sequence[Interceptor] = ()) -> None:
    """Run a worker and end the process.

    The exit is hard: the SDK's threads can abort the interpreter while it finalises (seen on Python 3.11).
    """
    asyncio.run(run(settings, make_tools=make_tools, interceptors=interceptors))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
