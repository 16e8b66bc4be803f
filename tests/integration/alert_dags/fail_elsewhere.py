"""A DAG of somebody else, which fails."""

from airflow.sdk import dag, task


@dag(schedule=None, default_args={"owner": "somebody"})
def fail_elsewhere():
    @task
    def fail() -> None:
        raise ValueError("this is no failure of ours")

    fail()


fail_elsewhere()
