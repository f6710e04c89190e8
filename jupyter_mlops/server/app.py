"""The server extension: its routes, its event, and what ends with the server."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp

from jupyter_mlops.server import runs, schedules, steps
from jupyter_mlops.server.framework.base import NAME, Routes
from jupyter_mlops.server.framework.events import CHANGED, SCHEMA, ProjectsWatch
from jupyter_mlops.server.framework.projects import Projects
from jupyter_mlops.server.framework.turns import Turns

ROUTES: Routes = (*steps.ROUTES, *runs.ROUTES, *schedules.ROUTES)


class MLOpsApp(ExtensionApp):
    """Everything is opened on first request: starting Jupyter costs nothing more than importing this."""

    name = NAME

    projects: Projects
    watch: ProjectsWatch
    turns: Turns

    def initialize_settings(self) -> None:
        """Make what the handlers find in the settings, and register the event."""
        server: Any = self.serverapp
        self.projects = Projects(server.contents_manager)
        self.turns = Turns()
        self.watch = ProjectsWatch(self.projects, lambda data: server.event_logger.emit(schema_id=CHANGED, data=data))
        server.event_logger.register_event_schema(SCHEMA)

    def initialize_handlers(self) -> None:
        """Add the routes; Jupyter puts its base url in front."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """End the watch, close the stores."""
        await self.watch.stop()
        self.projects.shut_down()
