"""An S3 server over real HTTP for the tests, which can be told to fail."""

import threading
import urllib.request
from collections.abc import Callable, Iterable

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

BODY = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>as the test wants it</Message></Error>"
CODES = {500: b"InternalError", 503: b"SlowDown", 403: b"AccessDenied"}


class _Silent(MotoRequestHandler):
    def log(self, *_arguments) -> None:
        pass


class S3Server:
    """Where the server listens (`endpoint`), what finds it there (`environment`), and the requests that shall fail."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._answer = DomainDispatcherApplication(create_backend_app)
        self._refuse: Callable[[str, str], int | None] = lambda method, path: None
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True, request_handler=_Silent)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def url_for(self, bucket: str, prefix: str = "") -> str:
        """Make the bucket where it is not there yet and return the URL of the prefix in it."""
        request = urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        return f"s3://{bucket}/{prefix}".rstrip("/")

    def refuse(self, decide: Callable[[str, str], int | None]) -> None:
        """Ask decide(method, path) before each request; a status (500, 503, 403) is answered in place of the truth."""
        self._refuse = decide

    def serve(self) -> None:
        """Answer every request again, and forget those seen."""
        self._refuse = lambda method, path: None
        self.requests.clear()

    def _respond(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(f"{method} {path}")
        status = self._refuse(method, path)
        if status is None:
            return self._answer(environ, start_response)
        # The body must be taken, or the client sees a broken pipe in place of the answer.
        size = environ.get("CONTENT_LENGTH")
        environ["wsgi.input"].read(*([int(size)] if size else [] if "HTTP_TRANSFER_ENCODING" in environ else [0]))
        start_response(f"{status} As The Test Wants It", [("Content-Type", "application/xml")])
        return [b"" if method == "HEAD" else BODY % CODES[status]]
