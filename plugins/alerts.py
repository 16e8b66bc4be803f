"""Registers the listener that turns failures of our DAGs into alerts."""

from airflow.plugins_manager import AirflowPlugin

from embedding_lakehouse.alert_listener import AlertListener


class AlertsPlugin(AirflowPlugin):
    """Alerts through Airflow's notifiers: see docs/alerts.md."""

    name = "embedding_lakehouse_alerts"
    listeners = (AlertListener(),)
