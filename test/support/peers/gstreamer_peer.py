"""A WHIP publisher and WHEP viewer made with GStreamer's webrtcbin: gstreamer_peer.py publish|play URL [--codec NAME] [--token T]

Prints one JSON object a second: buffers of picture and sound so far, and the size of the last picture. Ends on SIGTERM.
"""

import argparse
import json
import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402
from whip_http import Session  # noqa: E402

ENCODERS = {
    "h264": ("x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=constrained-baseline ! "
             "rtph264pay config-interval=-1 aggregate-mode=zero-latency", "H264"),
    "h265": ("x265enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! rtph265pay config-interval=-1", "H265"),
    "vp8": ("vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=15-bit", "VP8"),
    "vp9": ("vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! rtpvp9pay picture-id-mode=15-bit", "VP9"),
}
state = {"video": 0, "audio": 0, "widthPx": 0, "heightPx": 0, "connection": "new"}


def publisher(codec):
    encoder, name = ENCODERS[codec]
    return Gst.parse_launch(
        "webrtcbin name=peer bundle-policy=max-bundle "
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! queue ! "
        f"{encoder} ! application/x-rtp,media=video,encoding-name={name},payload=96,clock-rate=90000 ! identity name=video-out ! peer. "
        "audiotestsrc is-live=true freq=440 ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay ! "
        "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2 ! "
        "identity name=audio-out ! peer."
    )


def viewer(codec):
    pipeline = Gst.Pipeline.new()
    peer = Gst.ElementFactory.make("webrtcbin", "peer")
    peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(peer)
    for caps in (
        "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
        f"application/x-rtp,media=video,encoding-name={ENCODERS[codec][1]},payload=96,clock-rate=90000"
        + (",packetization-mode=(string)1,profile-level-id=(string)42e01f" if codec == "h264" else ""),
    ):
        transceiver = peer.emit(
            "add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps)
        )
        transceiver.set_property("do-nack", True)

    def on_pad(_, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", on_decoded)
        pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_decoded(_, pad):
        kind = "video" if pad.get_current_caps().to_string().startswith("video") else "audio"
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.add_probe(Gst.PadProbeType.BUFFER, lambda p, _: count(kind, p))
        pad.link(sink.get_static_pad("sink"))

    peer.connect("pad-added", on_pad)
    return pipeline


def count(kind, pad):
    state[kind] += 1
    if kind == "video":
        size = pad.get_current_caps().get_structure(0)
        if size.has_field("width"):
            state.update(widthPx=size.get_value("width"), heightPx=size.get_value("height"))
    return Gst.PadProbeReturn.OK


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["publish", "play"])
    parser.add_argument("url")
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--token")
    arguments = parser.parse_args()
    Gst.init(None)
    loop = GLib.MainLoop()
    pipeline = (publisher if arguments.action == "publish" else viewer)(arguments.codec)
    peer = pipeline.get_by_name("peer")
    opened = {}

    if arguments.action == "publish":
        for kind in ("video", "audio"):
            pad = pipeline.get_by_name(f"{kind}-out").get_static_pad("src")
            pad.add_probe(Gst.PadProbeType.BUFFER, lambda p, _, kind=kind: count(kind, p))
        for transceiver in (peer.emit("get-transceiver", 0), peer.emit("get-transceiver", 1)):
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)

    def post(offer):
        try:
            opened["session"] = Session(arguments.url, offer, arguments.token)
        except Exception as error:  # the reason belongs into the test's output
            print(json.dumps({"error": str(error)}), flush=True)
            loop.quit()
            return
        _, message = GstSdp.SDPMessage.new_from_text(opened["session"].answer)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        peer.emit("set-remote-description", answer, None)

    # webrtcbin adds candidates to the description while it gathers; the POST waits for all of them.
    def on_gathering(element, _):
        if element.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE and "asked" not in opened:
            opened["asked"] = True
            offer = element.get_property("local-description").sdp.as_text()
            threading.Thread(target=post, args=(offer,), daemon=True).start()

    def on_offer(promise):
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        peer.emit("set-local-description", offer, Gst.Promise.new())

    def negotiate(element):
        if "offered" in opened:
            return
        opened["offered"] = True
        element.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer))

    peer.connect("notify::ice-gathering-state", on_gathering)
    peer.connect("on-negotiation-needed", negotiate)

    def report():
        state["connection"] = peer.get_property("connection-state").value_nick
        print(json.dumps(state), flush=True)
        return True

    GLib.timeout_add_seconds(1, report)
    for name in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, name, loop.quit)
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    report()
    if "session" in opened:
        print(json.dumps({**state, "deleted": opened["session"].end()}), flush=True)
    pipeline.set_state(Gst.State.NULL)
    sys.exit(0 if "session" in opened else 1)


main()
