"""Addresses of the page and of Airflow, wherever both are mounted."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses for one reader who looks at one profile; `base` is where the page is mounted, `airflow` where Airflow is."""

    base: str
    airflow: str
    profile: str

    @classmethod
    def of(cls, request: Request, profile: str) -> "Links":
        """The addresses as this request came in."""
        return cls(request.state.base, request.scope.get("app_root_path", ""), profile)

    def page(self, path: str = "", **values: str | int | None) -> str:
        """A page under the same profile, or under another that `profile` names."""
        given = {"profile": self.profile} | values
        return f"{self.base}/{quote(path, safe='/%')}?{urlencode({key: value for key, value in given.items() if value is not None})}"

    def static(self, path: str) -> str:
        """A file of the page."""
        return f"{self.base}/static/{path}"

    def document(self, doc_id: str, **values: str | int | None) -> str:
        """The history of a document."""
        return self.page("document", doc_id=doc_id, **values)

    def batch(self, batch_id: str) -> str:
        """A batch with its checks."""
        return self.page(f"batches/{quote(batch_id, safe='')}")

    def form(self, dag_id: str, **values: str | int | None) -> str:
        """The form that triggers a DAG, filled in."""
        return self.page(f"trigger/{dag_id}", **values)

    def approval(self, dag_id: str, run_id: str) -> str:
        """Where Airflow asks for the approval of a batch's plan."""
        return f"{self.run(dag_id, run_id)}/tasks/approve_plan/required_actions"

    def run(self, dag_id: str, run_id: str | None = None) -> str:
        """A DAG in Airflow's own pages, or one of its runs."""
        address = f"{self.airflow}/dags/{quote(dag_id, safe='')}"
        return f"{address}/runs/{quote(run_id, safe='')}" if run_id else address
