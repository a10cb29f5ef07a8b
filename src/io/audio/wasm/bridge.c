// AAC to Opus or Opus to AAC: libavcodec and libopus behind a few functions for the loader, ../wasm-codec.ts.
//
// One instance of this module is one transcoder, so its state is static: closing it means to drop the instance. The
// caller writes a packet to bridge_input(), pushes it, then takes coded frames until there are none. Sound is counted
// in samples at 48 kHz. Failures are negative numbers: those of libopus (-1 to -7), of libavcodec, or our own below.

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <opus.h>
#include <string.h>

#include <emscripten.h>

#define EXPORT EMSCRIPTEN_KEEPALIVE

enum { FAILED_STATE = -1000, FAILED_ARGUMENT = -1001, FAILED_FORMAT = -1002, FAILED_OVERFLOW = -1003 };

enum {
  RATE = 48000,
  RATE_MIN = 7350, // the lowest of ISO/IEC 14496-3 table 1.18; a frame of a lower one would not fit the fifo
  RATE_MAX = 192000,
  OPUS_FRAME = 960, // 20 ms
  AAC_FRAME = 1024,
  OPUS_MAX = 5760, // 120 ms, the longest Opus packet and the longest concealment
  OPUS_STEP = 120, // libopus conceals in steps of 2.5 ms
  OPUS_COMPLEXITY = 5,
  INPUT_BYTES = 64 * 1024,
  OUTPUT_BYTES = 8 * 1024,
  FIFO_SAMPLES = RATE,
  STRETCH_MAX = 64,
};

static uint8_t input[INPUT_BYTES + AV_INPUT_BUFFER_PADDING_SIZE];
static uint8_t output[OUTPUT_BYTES];

static AVCodecContext *aac_decoder, *aac_encoder;
static OpusDecoder *opus_decoder;
static OpusEncoder *opus_encoder;
static AVPacket *packet;
static AVFrame *frame;
static uint8_t audio_specific_config[256];
static int config_length;

// The resampler and what it was made for: rate and channels of AAC can change from one frame to the next.
static SwrContext *resampler;
static int resampler_rate, resampler_format, resampler_channels;
static AVChannelLayout resampler_layout;

// Decoded sound that waits for a whole frame, interleaved. Mono AAC is doubled, so Opus always has two channels here.
static float fifo[2 * FIFO_SAMPLES];
static float decoded[2 * FIFO_SAMPLES];
static int channels, waiting;
static int64_t produced, encoded;

static int open_aac_decoder(void) {
  avcodec_free_context(&aac_decoder);
  const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_AAC);
  if (!(aac_decoder = avcodec_alloc_context3(codec))) return AVERROR(ENOMEM);
  aac_decoder->extradata = av_mallocz(config_length + AV_INPUT_BUFFER_PADDING_SIZE);
  if (!aac_decoder->extradata) return AVERROR(ENOMEM);
  memcpy(aac_decoder->extradata, audio_specific_config, config_length);
  aac_decoder->extradata_size = config_length;
  return avcodec_open2(aac_decoder, codec, NULL);
}

static int open_aac_encoder(int bitrate) {
  const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (!(aac_encoder = avcodec_alloc_context3(codec))) return AVERROR(ENOMEM);
  aac_encoder->sample_rate = RATE;
  aac_encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
  aac_encoder->bit_rate = bitrate;
  aac_encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av_channel_layout_default(&aac_encoder->ch_layout, channels);
  // The default, "twoloop", takes twice the time for a difference that 128 kbit/s does not show.
  int result = av_opt_set(aac_encoder, "aac_coder", "fast", AV_OPT_SEARCH_CHILDREN);
  return result < 0 ? result : avcodec_open2(aac_encoder, codec, NULL);
}

static int open_opus_encoder(int bitrate) {
  int result;
  opus_encoder = opus_encoder_create(RATE, channels, OPUS_APPLICATION_AUDIO, &result);
  if (!opus_encoder) return result;
  if ((result = opus_encoder_ctl(opus_encoder, OPUS_SET_BITRATE(bitrate))) < 0) return result;
  if ((result = opus_encoder_ctl(opus_encoder, OPUS_SET_VBR(1))) < 0) return result;
  if ((result = opus_encoder_ctl(opus_encoder, OPUS_SET_VBR_CONSTRAINT(1))) < 0) return result;
  return opus_encoder_ctl(opus_encoder, OPUS_SET_COMPLEXITY(OPUS_COMPLEXITY));
}

static int begin(int channel_count) {
  if (packet || channel_count < 1 || channel_count > 2) return FAILED_ARGUMENT;
  av_log_set_level(AV_LOG_QUIET);
  channels = channel_count;
  packet = av_packet_alloc();
  frame = av_frame_alloc();
  return packet && frame ? 0 : AVERROR(ENOMEM);
}

/** Where to write a packet (or the AudioSpecificConfig before opening); it may have up to bridge_input_size() bytes. */
EXPORT uint8_t *bridge_input(void) { return input; }

EXPORT int bridge_input_size(void) { return INPUT_BYTES; }

/** Where the frame lies that bridge_take() returned. */
EXPORT uint8_t *bridge_output(void) { return output; }

/** Once in the life of an instance: the input holds the AudioSpecificConfig. */
EXPORT int bridge_open_aac_to_opus(int length, int bitrate) {
  if (length < 2 || length > (int)sizeof audio_specific_config) return FAILED_ARGUMENT;
  int result = begin(2);
  if (result < 0) return result;
  memcpy(audio_specific_config, input, length);
  config_length = length;
  return (result = open_aac_decoder()) < 0 ? result : open_opus_encoder(bitrate);
}

/** Once in the life of an instance. */
EXPORT int bridge_open_opus_to_aac(int channel_count, int bitrate) {
  int result = begin(channel_count);
  if (result < 0) return result;
  opus_decoder = opus_decoder_create(RATE, channels, &result);
  return opus_decoder ? open_aac_encoder(bitrate) : result;
}

/** Samples of one coded frame. */
EXPORT int bridge_frame_samples(void) { return opus_encoder ? OPUS_FRAME : AAC_FRAME; }

/** By how many samples the sound of a coded frame lies before the samples it was made from. */
EXPORT int bridge_delay_samples(void) {
  if (aac_encoder) return aac_encoder->initial_padding;
  opus_int32 delay = 0;
  if (opus_encoder) opus_encoder_ctl(opus_encoder, OPUS_GET_LOOKAHEAD(&delay));
  return delay;
}

/** Where on the output's timeline the sound pushed so far ends. */
EXPORT double bridge_position(void) {
  return (double)(produced + (resampler ? swr_get_delay(resampler, RATE) : 0));
}

/** Catmull-Rom between b and c; the first and last samples of a block repeat outwards. */
static float between(float a, float b, float c, float d, float t) {
  return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/** Appends `decoded` to the fifo, made longer or shorter by `stretch` samples over its whole length. */
static int append(int samples, int stretch) {
  if (samples <= 0) return 0;
  int length = samples > STRETCH_MAX ? samples + stretch : samples;
  if (waiting + length > FIFO_SAMPLES) return FAILED_OVERFLOW;
  float *to = fifo + channels * waiting;
  if (length == samples) {
    memcpy(to, decoded, sizeof(float) * channels * samples);
  } else {
    double step = (double)(samples - 1) / (length - 1);
    int last = samples - 1;
    for (int i = 0; i < length; i++) {
      double at = i * step;
      int k = (int)at < last ? (int)at : last;
      int before = k > 0 ? k - 1 : 0, after = k < last ? k + 1 : last, beyond = k + 1 < last ? k + 2 : last;
      for (int c = 0; c < channels; c++) {
        const float *from = decoded + c;
        to[channels * i + c] = between(from[channels * before], from[channels * k], from[channels * after],
                                       from[channels * beyond], (float)(at - k));
      }
    }
  }
  waiting += length;
  produced += length;
  return samples;
}

/** Appends what the resampler still holds, so that a change of format in mid-stream loses nothing. */
static int close_resampler(void) {
  if (!resampler) return 0;
  uint8_t *to = (uint8_t *)decoded;
  int mono = resampler_channels == 1;
  int samples = swr_convert(resampler, &to, FIFO_SAMPLES, NULL, 0);
  if (mono)
    for (int i = samples - 1; i >= 0; i--) decoded[2 * i] = decoded[2 * i + 1] = decoded[i];
  swr_free(&resampler);
  return append(samples, 0);
}

static int open_resampler(void) {
  if (resampler && resampler_rate == frame->sample_rate && resampler_format == frame->format &&
      !av_channel_layout_compare(&resampler_layout, &frame->ch_layout))
    return 0;
  int result = close_resampler();
  if (result < 0) return result;
  if (frame->sample_rate < RATE_MIN || frame->sample_rate > RATE_MAX) return FAILED_FORMAT;
  if (frame->ch_layout.nb_channels < 1) return FAILED_FORMAT;
  resampler_channels = frame->ch_layout.nb_channels;
  resampler_rate = frame->sample_rate;
  resampler_format = frame->format;
  if ((result = av_channel_layout_copy(&resampler_layout, &frame->ch_layout)) < 0) return result;

  // One channel stays one and is doubled here: libswresample would take 3 dB off it. libopus hears of it too, and
  // does not spend bits on a second channel.
  AVChannelLayout target = {0};
  av_channel_layout_default(&target, resampler_channels == 1 ? 1 : 2);
  result = swr_alloc_set_opts2(&resampler, &target, AV_SAMPLE_FMT_FLT, RATE, &frame->ch_layout, frame->format,
                               frame->sample_rate, 0, NULL);
  if (result >= 0) result = swr_init(resampler);
  if (result >= 0) {
    result = opus_encoder_ctl(opus_encoder, OPUS_SET_FORCE_CHANNELS(resampler_channels == 1 ? 1 : OPUS_AUTO));
  }
  if (result < 0) swr_free(&resampler);
  return result;
}

static int resample(int stretch) {
  int result = open_resampler();
  if (result < 0) return result;
  uint8_t *to = (uint8_t *)decoded;
  int samples =
      swr_convert(resampler, &to, FIFO_SAMPLES, (const uint8_t **)frame->extended_data, frame->nb_samples);
  if (samples < 0) return samples;
  if (resampler_channels == 1)
    for (int i = samples - 1; i >= 0; i--) decoded[2 * i] = decoded[2 * i + 1] = decoded[i];
  return append(samples, stretch);
}

static int push_aac(int length, int stretch) {
  memset(input + length, 0, AV_INPUT_BUFFER_PADDING_SIZE);
  packet->data = input;
  packet->size = length;
  int result = avcodec_send_packet(aac_decoder, packet);
  packet->data = NULL;
  packet->size = 0;
  int samples = 0;
  while (result >= 0) {
    result = avcodec_receive_frame(aac_decoder, frame);
    if (result == AVERROR(EAGAIN)) return samples;
    if (result < 0) break;
    result = resample(samples ? 0 : stretch);
    av_frame_unref(frame);
    if (result > 0) samples += result;
  }
  // A damaged frame can leave the decoder with channels that the stream does not have; a new one has no memory.
  int reopened = open_aac_decoder();
  return reopened < 0 ? reopened : result;
}

/**
 * Decodes the packet of `length` bytes that lies in the input, and makes its sound longer by `stretch` samples (shorter
 * if negative). Returns the number of samples decoded, 0 while the decoder waits for more.
 */
EXPORT int bridge_push(int length, int stretch) {
  // libavcodec takes an empty packet for the end of the stream, and libopus takes it for a lost one.
  if (length < 1 || length > INPUT_BYTES) return FAILED_ARGUMENT;
  if (stretch < -STRETCH_MAX || stretch > STRETCH_MAX) return FAILED_ARGUMENT;
  if (opus_encoder && aac_decoder) return push_aac(length, stretch);
  if (!opus_decoder || !aac_encoder) return FAILED_STATE;
  int samples = opus_decode_float(opus_decoder, input, length, decoded, OPUS_MAX, 0);
  return samples < 0 ? samples : append(samples, stretch);
}

/**
 * Stands in for `samples` of lost sound: Opus conceals, with the help of the packet that follows if there is one of
 * `next_length` bytes in the input; AAC gets silence.
 */
EXPORT int bridge_conceal(int samples, int next_length) {
  if (samples < 1 || samples > OPUS_MAX || next_length < 0 || next_length > INPUT_BYTES) return FAILED_ARGUMENT;
  if (!opus_decoder) {
    memset(decoded, 0, sizeof(float) * channels * samples);
    return append(samples, 0);
  }
  int steps = samples < OPUS_STEP ? OPUS_STEP : samples - samples % OPUS_STEP;
  int result = OPUS_INVALID_PACKET;
  if (next_length) result = opus_decode_float(opus_decoder, input, next_length, decoded, steps, 1);
  if (result < 0) result = opus_decode_float(opus_decoder, NULL, 0, decoded, steps, 0);
  return result < 0 ? result : append(result, 0);
}

static int encode_aac(void) {
  frame->nb_samples = AAC_FRAME;
  frame->format = AV_SAMPLE_FMT_FLTP;
  frame->sample_rate = RATE;
  frame->pts = encoded;
  av_channel_layout_default(&frame->ch_layout, channels);
  int result = av_frame_get_buffer(frame, 0);
  if (result >= 0) {
    for (int c = 0; c < channels; c++) {
      float *plane = (float *)frame->extended_data[c];
      for (int i = 0; i < AAC_FRAME; i++) plane[i] = fifo[channels * i + c];
    }
    result = avcodec_send_frame(aac_encoder, frame);
  }
  av_frame_unref(frame);
  if (result < 0) return result;
  result = avcodec_receive_packet(aac_encoder, packet);
  if (result == AVERROR(EAGAIN)) return 0; // the first one is held back: the encoder looks one frame ahead
  if (result < 0) return result;
  int length = packet->size;
  if (length <= OUTPUT_BYTES) memcpy(output, packet->data, length);
  av_packet_unref(packet);
  return length <= OUTPUT_BYTES ? length : FAILED_OVERFLOW;
}

/** Codes the next frame into the output. Returns its length, or 0 if there is not enough sound for one. */
EXPORT int bridge_take(void) {
  int length = 0;
  int frame_samples = bridge_frame_samples();
  while (length == 0 && waiting >= frame_samples) {
    if (opus_encoder) length = opus_encode_float(opus_encoder, fifo, frame_samples, output, OUTPUT_BYTES);
    else if (aac_encoder) length = encode_aac();
    else return FAILED_STATE;
    encoded += frame_samples;
    waiting -= frame_samples;
    memmove(fifo, fifo + channels * frame_samples, sizeof(float) * channels * waiting);
  }
  return length;
}
