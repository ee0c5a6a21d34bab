"""What must not be seen of a run: for its runner, which masks the log, and for what it reports itself."""

from uuid import UUID

from homeport.auth import secrets
from homeport.auth.beacon_tokens import BeaconTokens
from homeport.errors import NotFound
from homeport.execution import configurations, secret_values
from homeport.execution.maskings import Masking
from homeport.operations import variables
from homeport.operations.platform import Platform
from homeport.operations.variables import VariablesOfRun
from homeport.store import packages, runs


def beacon_tokens(platform: Platform) -> BeaconTokens:
    return BeaconTokens(secrets.derive(platform.vault.master_key, "beacon tokens"))


def of_run(
    platform: Platform, run_id: UUID, archive: bytes, given: VariablesOfRun, token: str | None = None
) -> list[str]:
    """The values that are secret, as the run is given them; remembered for its reports.

    `token` is what the run asks the platform with: only its claim knows it, for nothing but its hash is kept.
    """
    secret = [given.values[name] for name in given.secret]
    plain = [value for name, value in given.values.items() if name not in given.secret]
    found = [
        beacon_tokens(platform).of_run(run_id),
        *([] if token is None else [token]),
        *secret_values.of_variables(secret, plain),
        *secret_values.of_archive(archive),
    ]
    platform.maskings.remember(run_id, Masking(found))
    return found


def masking_of(platform: Platform, run_id: UUID) -> Masking:
    """As of its start, or, when that is long ago, of its configuration and of the variables of today."""
    return platform.maskings.of(run_id, lambda: _worked_out(platform, run_id))


def _worked_out(platform: Platform, run_id: UUID) -> Masking:
    with platform.database.read() as tx:
        run = runs.get(tx, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        found = packages.get(tx, run.workspace_id, "configurations", run.configuration_id)
        given = variables.of_run(tx, platform, run.workspace_id, run.profile)
    assert found is not None
    stored = platform.blobs.get(found.workspace_id, found.kind, found.archive_sha256)
    return Masking(of_run(platform, run_id, configurations.for_runs(stored), given))
