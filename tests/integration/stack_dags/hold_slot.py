"""Holds a worker and ignores TERM, as the worst of tasks does."""

from airflow.sdk import dag, task


@dag(schedule=None, is_paused_upon_creation=False)
def hold_slot():
    @task
    def hold():
        import signal
        import time

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)

    hold()


hold_slot()
