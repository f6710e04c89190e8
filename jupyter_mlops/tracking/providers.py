"""MLflow plugins for a kernel: the tags of runs that a step's code makes, and the experiment they go to."""

from __future__ import annotations

import mlflow
from mlflow.tracking.context.abstract_context import RunContextProvider
from mlflow.tracking.default_experiment.abstract_context import DefaultExperimentProvider

from jupyter_mlops.tracking import tags, uri
from jupyter_mlops.tracking.attachment import Attachment, current_address


class StepContext(RunContextProvider):
    """A run made while a step runs belongs to it, in whatever thread, and comes from the notebook."""

    def in_context(self) -> bool:
        """Whether a step runs."""
        return Attachment.current is not None

    def tags(self) -> dict[str, str]:
        """Tags for a new run; a parent that MLflow or the caller names goes before ours."""
        attachment = Attachment.current
        if attachment is None:
            return {}
        found = {"mlops.step": attachment.step_run.step, **tags.source_tags(attachment.runs.run())}
        parent = attachment.parent_id()
        return {**found, "mlflow.parentRunId": parent} if parent else found


class DefaultExperiment(DefaultExperimentProvider):
    """Where nothing else is chosen, the project's experiment, also in cells between the steps."""

    def in_context(self) -> bool:
        """Whether a step runs, or MLflow is pointed at the project's store."""
        runs = Attachment.runs_of_last
        if runs is None:
            return False
        return Attachment.current is not None or mlflow.get_tracking_uri() == uri.own_uri(runs.root)

    def get_experiment_id(self) -> str | None:
        """The experiment of the step that runs, or ran last."""
        runs = Attachment.runs_of_last
        return None if runs is None else runs.experiment(current_address())
