"""What a result depends on besides its key, as it is now: files, folders, and secrets that were asked for."""

from __future__ import annotations

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.secrets.known import CONDITION
from jupyter_mlops.store.files.digests import EXISTS, file_digest


def depended_on(path: str) -> str:
    """The digest of a file or folder; for a secret's name behind `CONDITION`, one made with the user's key."""
    if path.startswith(CONDITION):
        from jupyter_mlops.secrets.lookup import digest_now

        return digest_now(path[len(CONDITION) :])
    return file_digest(path)


def changed(path: str) -> Reason:
    """That a condition of a result, as `Conditions.files` names it, holds no longer."""
    if path.startswith(CONDITION):
        return Reason(ReasonCode.SECRET_CHANGED, path[len(CONDITION) :])
    if path.startswith(EXISTS):
        return Reason(ReasonCode.FILE_CAME_OR_WENT, path[len(EXISTS) :])
    return Reason(ReasonCode.FILE_CHANGED, path)
