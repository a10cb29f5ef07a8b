"""Prints the offers of GStreamer's webrtcbin as one JSON object, name to text: gstreamer_offers.py whip|whep h264|vp8."""

import json
import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstWebRTC  # noqa: E402

OPUS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
VIDEO = {
    "h264": ("x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=constrained-baseline ! "
             "rtph264pay config-interval=-1 aggregate-mode=zero-latency", "H264"),
    "vp8": ("vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=15-bit", "VP8"),
}


def publisher(codec):
    encoder, name = VIDEO[codec]
    return Gst.parse_launch(
        "webrtcbin name=peer bundle-policy=max-bundle "
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! queue ! "
        f"{encoder} ! application/x-rtp,media=video,encoding-name={name},payload=96,clock-rate=90000 ! peer. "
        f"audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay ! {OPUS} ! peer."
    )


def viewer(codec):
    pipeline = Gst.Pipeline.new()
    peer = Gst.ElementFactory.make("webrtcbin", "peer")
    peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(peer)
    video = f"application/x-rtp,media=video,encoding-name={VIDEO[codec][1]},payload=96,clock-rate=90000"
    if codec == "h264":
        video += ",packetization-mode=(string)1,profile-level-id=(string)42e01f"
    for caps in (OPUS, video):
        caps = Gst.Caps.from_string(caps)
        transceiver = peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)
        transceiver.set_property("do-nack", True)
    return pipeline


def offers(pipeline, publishes):
    """The offer with all candidates, and without."""
    loop, peer, texts = GLib.MainLoop(), pipeline.get_by_name("peer"), []
    if publishes:
        for index in (0, 1):
            transceiver = peer.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)

    def on_gathering(element, _):
        if element.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            texts.append(element.get_property("local-description").sdp.as_text())
            GLib.idle_add(loop.quit)

    def on_offer(promise):
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        peer.emit("set-local-description", offer, Gst.Promise.new())

    def on_needed(element):
        element.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer))

    peer.connect("notify::ice-gathering-state", on_gathering)
    peer.connect("on-negotiation-needed", on_needed)
    pipeline.set_state(Gst.State.PLAYING)
    GLib.timeout_add_seconds(10, loop.quit)
    loop.run()
    lines = texts[0].splitlines(keepends=True)
    return ["".join(line for line in lines if not line.startswith("a=candidate")), texts[0]]


def main():
    Gst.init(None)
    action, codec = sys.argv[1:]
    texts = offers((publisher if action == "whip" else viewer)(codec), action == "whip")
    print(json.dumps({f"{action}-{codec}{suffix}": text for suffix, text in zip(("", "-gathered"), texts)}), flush=True)
    os._exit(0)  # webrtcbin may crash while it is taken down


main()
