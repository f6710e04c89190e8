"""The server extension: its routes, its event, and what ends with the server."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp

from jupyter_mlops.server.framework.base import NAME, MLOpsHandler
from jupyter_mlops.server.framework.events import CHANGED, SCHEMA, Watch
from jupyter_mlops.server.framework.projects import Projects
from jupyter_mlops.server.runs import CancelHandler, OpenHandler, ResumeHandler, RunHandler, RunsHandler
from jupyter_mlops.server.schedules import SchedulesHandler
from jupyter_mlops.server.steps import StatusHandler
from jupyter_mlops.server.turns import Turns

ROUTES: tuple[tuple[str, type[MLOpsHandler]], ...] = (
    (r"/jupyter-mlops/status", StatusHandler),
    (r"/jupyter-mlops/runs", RunsHandler),
    (r"/jupyter-mlops/runs/([^/]+)", RunHandler),
    (r"/jupyter-mlops/runs/([^/]+)/cancel", CancelHandler),
    (r"/jupyter-mlops/runs/([^/]+)/resume", ResumeHandler),
    (r"/jupyter-mlops/runs/([^/]+)/open", OpenHandler),
    (r"/jupyter-mlops/schedules", SchedulesHandler),
)


class MLOpsApp(ExtensionApp):
    """Everything is opened on first request: starting Jupyter costs nothing more than importing this."""

    name = NAME

    projects: Projects
    watch: Watch
    turns: Turns

    def initialize_settings(self) -> None:
        """Make what the handlers find in the settings, and register the event."""
        server: Any = self.serverapp
        self.projects = Projects(server.contents_manager)
        self.turns = Turns()
        self.watch = Watch(self.projects, lambda data: server.event_logger.emit(schema_id=CHANGED, data=data))
        server.event_logger.register_event_schema(SCHEMA)

    def initialize_handlers(self) -> None:
        """Add the routes; Jupyter puts its base url in front."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """End the watch, close the stores."""
        await self.watch.stop()
        self.projects.shut_down()
