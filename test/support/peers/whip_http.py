"""The HTTP half of WHIP and WHEP for the test peers: one POST, one DELETE."""

import urllib.request
from urllib.parse import urljoin


class Session:
    """A session that was opened with an offer; `answer` is the SDP that came back."""

    def __init__(self, url: str, offer: str, token: str | None):
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(
            url, offer.encode(), {**self._headers, "Content-Type": "application/sdp"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            if response.status != 201:
                raise RuntimeError(f"the answer to the POST has status {response.status}")
            self._location = urljoin(url, response.headers["Location"])
            self.answer = response.read().decode()

    def end(self) -> int:
        """Deletes the session and returns the status."""
        request = urllib.request.Request(self._location, headers=self._headers, method="DELETE")
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
