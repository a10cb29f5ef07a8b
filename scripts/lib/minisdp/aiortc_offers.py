"""Prints the offers that aiortc makes as one JSON object, name to text."""

import asyncio
import json

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack


async def offer(send, codec=None):
    peer = RTCPeerConnection()
    for kind, track in (("video", VideoStreamTrack), ("audio", AudioStreamTrack)):
        if send:
            transceiver = peer.addTransceiver(track(), direction="sendonly")
        else:
            transceiver = peer.addTransceiver(kind, direction="recvonly")
        if kind == "video" and codec:
            capabilities = (RTCRtpSender if send else RTCRtpReceiver).getCapabilities("video").codecs
            wanted = [c for c in capabilities if c.mimeType.lower() in (f"video/{codec}", "video/rtx")]
            transceiver.setCodecPreferences(wanted)
    await peer.setLocalDescription(await peer.createOffer())
    text = peer.localDescription.sdp
    await peer.close()
    return text


async def main():
    offers = {
        "whip": await offer(True),
        "whip-h264": await offer(True, "h264"),
        "whep": await offer(False),
        "whep-h264": await offer(False, "h264"),
    }
    print(json.dumps(offers))


asyncio.run(main())
