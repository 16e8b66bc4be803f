"""Airflow as its users meet it: runs are triggered and followed through its public REST API."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from dev.stack import Stack, StackError

FINISHED = ("success", "failed", "skipped", "upstream_failed", "removed")
POLL_SECONDS = 0.5
AWAITING = "awaiting_input"
SETTLE_SECONDS = 2
RUN_SECONDS = 900

Run = dict[str, Any]


class AirflowApi:
    """The API of a running stack, logged in as its admin. `report` gets a line for each task that finishes."""

    def __init__(self, stack: Stack, report: Callable[[str], None]) -> None:
        address = f"http://127.0.0.1:{stack.ports['airflow']}"
        login = httpx.post(f"{address}/auth/token", json={"username": "admin", "password": stack.credentials.airflow_password}, timeout=60)
        login.raise_for_status()
        self._http = httpx.Client(
            base_url=f"{address}/api/v2", headers={"Authorization": f"Bearer {login.json()['access_token']}"}, timeout=60
        )
        self._report = report
        self._told: set[str] = set()

    def await_dags(self, dag_ids: list[str]) -> None:
        """Return when Airflow has parsed the DAGs and activated their assets, and unpause them.

        Raises StackError with the import errors otherwise.
        """
        deadline = time.monotonic() + 120
        while missing := [dag_id for dag_id in dag_ids if self._http.get(f"/dags/{dag_id}").status_code != 200]:
            if time.monotonic() > deadline:
                errors = [error["stack_trace"] for error in self._get("/importErrors")["import_errors"]]
                raise StackError(f"Airflow does not know {', '.join(missing)} after two minutes. {' '.join(errors)}")
            time.sleep(1)
        while inactive := self._asset_names(only_active=False) - self._asset_names(only_active=True):
            if time.monotonic() > deadline:
                raise StackError(f"Airflow has not activated the assets {', '.join(sorted(inactive))} after two minutes")
            time.sleep(1)
        for dag_id in dag_ids:
            self._http.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run:
        """Trigger a run and follow it to its end. Raises StackError if it fails."""
        return self.follow(dag_id, self.start(dag_id, conf or {}))

    def trigger_and_answer(self, dag_id: str, task_id: str, conf: dict[str, Any], answer: str = "Approve") -> str:
        """Trigger a run, answer what its task asks as a person does in the UI, follow it to its end; what was shown for approval."""
        run_id = self.start(dag_id, conf)
        run, path = f"/dags/{dag_id}/dagRuns/{run_id}", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        deadline = time.monotonic() + RUN_SECONDS
        shown: dict[int, str] = {}
        while self._get(run)["state"] not in ("success", "failed") and time.monotonic() < deadline:
            task = self._get(path)
            # An answer before the scheduler has seen that the task waits fails the try, which then asks again.
            if task["state"] == AWAITING and task["try_number"] not in shown:
                time.sleep(SETTLE_SECONDS)
                shown[task["try_number"]] = str(self._get(f"{path}/-1/hitlDetails")["body"])
                given = {"chosen_options": [answer], "params_input": {}}
                self._http.patch(f"{path}/-1/hitlDetails", json=given).raise_for_status()
            time.sleep(POLL_SECONDS)
        self.follow(dag_id, run_id)
        if not shown:
            raise StackError(f"{dag_id} asked for no approval in {task_id}: see its logs in the Airflow UI")
        return next(iter(shown.values()))

    def start(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Trigger a run; its id. Raises StackError if Airflow refuses it."""
        answer = self._http.post(f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        if answer.status_code >= 400:
            raise StackError(f"Airflow refuses to run {dag_id}: {answer.text}")
        return str(answer.json()["dag_run_id"])

    def give_up(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, as a person does in the UI: what of it runs or waits is ended."""
        self._http.patch(f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"}).raise_for_status()

    def last_run(self, dag_id: str) -> str | None:
        """The id of the DAG's newest run."""
        runs = self._get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=1)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def await_run_after(self, dag_id: str, known: str | None) -> Run:
        """Follow the run that an asset triggers, the first one newer than the `known` one. Raises StackError if none comes."""
        deadline = time.monotonic() + RUN_SECONDS
        while (newest := self.last_run(dag_id)) in (None, known):
            if time.monotonic() > deadline:
                raise StackError(f"no run of {dag_id} came after {RUN_SECONDS} s, though its asset changed")
            time.sleep(POLL_SECONDS)
        return self.follow(dag_id, str(newest))

    def task_states(self, dag_id: str, run_id: str) -> dict[str, set[str]]:
        """The tasks of a run by their state."""
        states: dict[str, set[str]] = {}
        for task in self.task_instances(dag_id, run_id):
            states.setdefault(task["state"], set()).add(task["task_id"])
        return states

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The first hundred task instances of a run, as the API describes them."""
        answer: list[dict[str, Any]] = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
        return answer

    def follow(self, dag_id: str, run_id: str) -> Run:
        """Follow a run to its end. Raises StackError if it fails."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            run = self._get(path)
            self._tell_finished_tasks(dag_id, path, run_id)
            if run["state"] in ("success", "failed"):
                break
            if time.monotonic() > deadline:
                raise StackError(f"{dag_id} still runs after {RUN_SECONDS} s")
            time.sleep(POLL_SECONDS)
        if run["state"] == "failed":
            raise StackError(f"{dag_id} failed in {self._failed_tasks(path)}: see their logs in the Airflow UI")
        return run

    def _tell_finished_tasks(self, dag_id: str, path: str, run_id: str) -> None:
        for task in self._get(f"{path}/taskInstances", limit=100, order_by="end_date")["task_instances"]:
            key = f"{run_id} {task['task_id']} {task['map_index']} {task['try_number']}"
            if task["state"] in FINISHED and key not in self._told:
                self._told.add(key)
                place = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
                if task["state"] != "skipped":
                    self._report(f"  {dag_id:20} {task['task_id']}{place}: {task['state']} in {task['duration'] or 0:.1f} s")

    def _asset_names(self, only_active: bool) -> set[str]:
        return {asset["name"] for asset in self._get("/assets", only_active=only_active, limit=100)["assets"]}

    def _failed_tasks(self, path: str) -> str:
        tasks = self._get(f"{path}/taskInstances", limit=100)["task_instances"]
        return ", ".join(task["task_id"] for task in tasks if task["state"] == "failed")

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()
