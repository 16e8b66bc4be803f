"""An OpenTelemetry collector: takes what Airflow exports over HTTP, and keeps the newest value of each gauge."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

# (name, profile or none)
Gauges = dict[tuple[str, str], float]


class Collector:
    """`gauges` are the newest values by their names and profiles; `settings` lead an Airflow here."""

    def __init__(self, port: int) -> None:
        self.gauges: Gauges = {}
        self.settings = {
            "AIRFLOW__METRICS__OTEL_ON": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }

    def take(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        metrics = (metric for part in request.resource_metrics for scope in part.scope_metrics for metric in scope.metrics)
        for metric in metrics:
            for point in metric.gauge.data_points:
                profile = next((tag.value.string_value for tag in point.attributes if tag.key == "profile"), "")
                self.gauges[metric.name, profile] = point.as_double or float(point.as_int)


@contextmanager
def collector() -> Iterator[Collector]:
    """Run a collector on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.collector = Collector(server.server_port)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.collector
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/metrics":
            self.server.collector.take(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request a second would fill the output of a test."""
