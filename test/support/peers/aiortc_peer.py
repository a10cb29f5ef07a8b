"""A WHIP publisher and WHEP viewer made with aiortc: aiortc_peer.py publish|play URL [--codec NAME] [--file F] [--token T]

Prints one JSON object a second: pictures and sound frames so far, and the size of the last picture. Ends on SIGTERM.
"""

import argparse
import asyncio
import json
import signal

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError
from whip_http import Session


class Counter:
    def __init__(self):
        self.state = {"video": 0, "audio": 0, "widthPx": 0, "heightPx": 0, "connection": "new"}

    async def consume(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.state[track.kind] += 1
            if track.kind == "video":
                self.state.update(widthPx=frame.width, heightPx=frame.height)


def prefer(transceiver, codec):
    capabilities = (RTCRtpSender if transceiver.sender.track else RTCRtpReceiver).getCapabilities("video").codecs
    wanted = [c for c in capabilities if c.mimeType.lower() in (f"video/{codec}", "video/rtx")]
    transceiver.setCodecPreferences(wanted)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["publish", "play"])
    parser.add_argument("url")
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--file")
    parser.add_argument("--token")
    arguments = parser.parse_args()

    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    connection, counter = RTCPeerConnection(), Counter()

    @connection.on("connectionstatechange")
    def on_state():
        counter.state["connection"] = connection.connectionState
        if connection.connectionState in ("failed", "closed"):
            stop.set()

    @connection.on("track")
    def on_track(track):
        asyncio.ensure_future(counter.consume(track))

    if arguments.action == "publish":
        player = MediaPlayer(arguments.file, loop=True)
        video = connection.addTransceiver(player.video, direction="sendonly")
        connection.addTransceiver(player.audio, direction="sendonly")
    else:
        connection.addTransceiver("audio", direction="recvonly")
        video = connection.addTransceiver("video", direction="recvonly")
    prefer(video, arguments.codec)

    await connection.setLocalDescription(await connection.createOffer())
    session = await asyncio.to_thread(Session, arguments.url, connection.localDescription.sdp, arguments.token)
    await connection.setRemoteDescription(RTCSessionDescription(session.answer, "answer"))
    while not stop.is_set():
        if arguments.action == "publish":
            for report in (await connection.getStats()).values():
                if report.type == "outbound-rtp":
                    counter.state[report.kind] = report.packetsSent
        print(json.dumps(counter.state), flush=True)
        try:
            await asyncio.wait_for(stop.wait(), 1)
        except asyncio.TimeoutError:
            pass
    print(json.dumps({**counter.state, "deleted": await asyncio.to_thread(session.end)}), flush=True)
    await connection.close()


asyncio.run(main())
