"""The detached worker: `python -m jupyter_mlops.jobs.worker ROOT`."""

from __future__ import annotations

import sys

from jupyter_mlops.jobs.worker.worker import main

sys.exit(main())
