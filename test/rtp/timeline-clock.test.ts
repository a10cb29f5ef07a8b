import { describe, expect, test } from "vitest"
import { unixUsToNtp } from "../../src/rtp/ntp.ts"
import { PublisherClock, TimelineClock } from "../../src/rtp/timeline-clock.ts"
import { seededRandom } from "./h264-stream.ts"

const AUDIO = { kind: "audio", clockRateHz: 48_000 } as const
const VIDEO = { kind: "video", clockRateHz: 90_000 } as const

interface TrackModel {
  readonly frameUs: number
  /** RTP clock against true time. */
  readonly driftPpm: number
  /** From capture to arrival, at least. */
  readonly delayUs: number
  readonly jitterUs: number
  /** Nothing gets through before. */
  readonly connectedUs?: number
  /** True time of the first sender report, and how often they come; undefined for none. */
  readonly reports?: { readonly firstUs: number; readonly intervalUs: number; readonly wallDriftPpm?: number }
}

interface Sample {
  readonly captureUs: number
  readonly timeUs: number
}

/** Publishes both tracks through a jittery network and returns what time each frame got on the timeline. */
function simulate(models: { audio: TrackModel; video: TrackModel }, durationUs: number, seed: number) {
  const random = seededRandom(seed)
  const publisher = new PublisherClock(0)
  const build = (kind: "audio" | "video", model: TrackModel) => {
    const options = kind === "audio" ? AUDIO : VIDEO
    const base = Math.floor(random() * 2 ** 32)
    const rtpAt = (trueUs: number) =>
      (base + Math.round((trueUs * (1 + model.driftPpm / 1e6) * options.clockRateHz) / 1e6)) % 2 ** 32
    return { model, clock: new TimelineClock(publisher, options), rtpAt, samples: [] as Sample[] }
  }
  const tracks = [build("audio", models.audio), build("video", models.video)]
  const events: { atUs: number; run(): void }[] = []
  for (const { model, clock, rtpAt, samples } of tracks) {
    let notBeforeUs = model.connectedUs ?? 0
    for (let captureUs = 0; captureUs < durationUs; captureUs += model.frameUs) {
      notBeforeUs = Math.max(notBeforeUs, captureUs + model.delayUs + Math.round(random() ** 3 * model.jitterUs))
      const atUs = notBeforeUs
      events.push({ atUs, run: () => samples.push({ captureUs, timeUs: clock.toTimelineUs(rtpAt(captureUs), atUs) }) })
    }
    const { firstUs, intervalUs, wallDriftPpm = 0 } = model.reports ?? { firstUs: durationUs, intervalUs: 1 }
    for (let sentUs = firstUs; sentUs < durationUs; sentUs += intervalUs) {
      const wallUs = 1_700_000_000_000_000 + sentUs * (1 + wallDriftPpm / 1e6)
      const report = { ...unixUsToNtp(Math.round(wallUs)), rtpTimestamp: rtpAt(sentUs) }
      events.push({ atUs: sentUs + 5_000, run: () => clock.onSenderReport(report) })
    }
  }
  for (const event of events.sort((a, b) => a.atUs - b.atUs)) event.run()
  const [audio, video] = tracks as [(typeof tracks)[0], (typeof tracks)[0]]
  return { audio: audio.samples, video: video.samples }
}

/** How much later than the sound of the same moment each picture is shown; positive is picture late. */
function lipErrorsUs(audio: readonly Sample[], video: readonly Sample[], fromUs: number): number[] {
  const errors: number[] = []
  let at = 0
  for (const picture of video) {
    while (at + 1 < audio.length && (audio[at + 1] as Sample).captureUs <= picture.captureUs) at++
    const sound = audio[at] as Sample
    const soundUs = sound.timeUs + (picture.captureUs - sound.captureUs)
    if (picture.captureUs >= fromUs) errors.push(picture.timeUs - soundUs)
  }
  return errors
}

/** By how much the time between two samples differs from the source's own, for each sample after the first. */
function stepErrorsUs(samples: readonly Sample[]): { readonly captureUs: number; readonly errorUs: number }[] {
  return samples.slice(1).map(({ captureUs, timeUs }, i) => {
    const before = samples[i] as Sample
    return { captureUs, errorUs: timeUs - before.timeUs - (captureUs - before.captureUs) }
  })
}

/** Pictures are as even as the source's, but for a few steps forward; sound is stretched a little besides. */
function expectSteady(samples: readonly Sample[], kind: "audio" | "video", frameUs: number): void {
  const slewUs = frameUs * (kind === "audio" ? 0.005 : 0)
  const toleranceUs = slewUs + frameUs * 0.0002 + 25
  const errors = stepErrorsUs(samples)
  expect(Math.min(...errors.map(({ errorUs }) => errorUs))).toBeGreaterThan(-toleranceUs)
  expect(errors.filter(({ errorUs }) => errorUs > toleranceUs).length).toBeLessThan(3)
}

const TEN_MINUTES_US = 600_000_000
const REPORTS = { firstUs: 1_000_000, intervalUs: 5_000_000 }
const audio: TrackModel = { frameUs: 20_000, driftPpm: 0, delayUs: 25_000, jitterUs: 30_000 }
const video: TrackModel = { frameUs: 33_333, driftPpm: 0, delayUs: 45_000, jitterUs: 60_000 }

describe("lips stay within 45 ms for ten minutes", () => {
  const drifts = [
    { audioPpm: 200, videoPpm: -200 },
    { audioPpm: -200, videoPpm: 200 },
    { audioPpm: 200, videoPpm: 0 },
    { audioPpm: 200, videoPpm: 200 },
  ]
  const cases = [
    { name: "with reports of both", reports: { audio: REPORTS, video: REPORTS }, boundUs: 10_000 },
    {
      name: "with reports that begin after a minute",
      reports: { audio: { ...REPORTS, firstUs: 61_000_000 }, video: { ...REPORTS, firstUs: 63_000_000 } },
      boundUs: 45_000,
    },
    { name: "with reports of the video alone", reports: { video: REPORTS }, boundUs: 45_000 },
    { name: "with reports of the sound alone", reports: { audio: REPORTS }, boundUs: 45_000 },
    { name: "with no report at all", reports: {}, boundUs: 45_000 },
    {
      name: "with a wall clock that drifts itself",
      reports: { audio: { ...REPORTS, wallDriftPpm: 200 }, video: { ...REPORTS, wallDriftPpm: 200 } },
      boundUs: 10_000,
    },
  ]
  test.each(cases.flatMap((one) => drifts.map((drift) => ({ ...one, ...drift }))))(
    "$name, sound at $audioPpm and pictures at $videoPpm ppm",
    ({ reports, audioPpm, videoPpm, boundUs }) => {
      const models = {
        audio: { ...audio, driftPpm: audioPpm, ...("audio" in reports && { reports: reports.audio }) },
        video: { ...video, driftPpm: videoPpm, ...("video" in reports && { reports: reports.video }) },
      }
      const samples = simulate(models, TEN_MINUTES_US, 7)
      const errors = lipErrorsUs(samples.audio, samples.video, 10_000_000)
      expect(Math.max(...errors.map(Math.abs))).toBeLessThan(45_000)
      expect(Math.max(...errors.slice(-1_000).map(Math.abs))).toBeLessThan(boundUs)
      expectSteady(samples.audio, "audio", audio.frameUs)
      expectSteady(samples.video, "video", video.frameUs)
    },
  )
})

test("reports put right in seconds what arrival gets wrong", () => {
  const slowEncoder = { ...video, delayUs: 250_000, reports: REPORTS }
  const samples = simulate({ audio: { ...audio, reports: REPORTS }, video: slowEncoder }, 30_000_000, 3)
  const errors = lipErrorsUs(samples.audio, samples.video, 0)
  expect(errors[0]).toBeGreaterThan(150_000)
  expect(Math.max(...lipErrorsUs(samples.audio, samples.video, 7_000_000).map(Math.abs))).toBeLessThan(10_000)
  expectSteady(samples.audio, "audio", audio.frameUs)
  expectSteady(samples.video, "video", video.frameUs)
})

describe("a track by itself", () => {
  const create = () => new TimelineClock(new PublisherClock(0), VIDEO)

  test("begins where its first packet arrives and goes on through the wrap", () => {
    const clock = create()
    const first = 0xffff_fff0
    const times = [0, 1, 2].map((i) => clock.toTimelineUs((first + i * 3_000) >>> 0, 50_000 + Math.round(i * 33_333.4)))
    expect(times).toEqual([50_000, 83_333, 116_667])
  })

  test("gives packets of one timestamp one time", () => {
    const clock = create()
    expect([50_000, 51_000, 55_000].map((arrivalUs) => clock.toTimelineUs(7, arrivalUs))).toEqual([
      50_000, 50_000, 50_000,
    ])
  })

  test("gives a late packet its place before", () => {
    const clock = create()
    clock.toTimelineUs(90_000, 1_000_000)
    clock.toTimelineUs(96_000, 1_066_667)
    expect(clock.toTimelineUs(93_000, 1_070_000)).toBeCloseTo(1_033_333, -1)
  })

  test.each([
    { name: "forward", jumpTicks: 90_000 * 3_600 },
    { name: "back", jumpTicks: -90_000 * 3_600 },
    { name: "back by little", jumpTicks: -90_000 * 3 },
  ])("follows arrival after a jump $name", ({ jumpTicks }) => {
    const clock = create()
    for (let i = 0; i < 90; i++) clock.toTimelineUs(1_000_000_000 + i * 3_000, 1_000_000 + Math.round(i * 33_333.4))
    const restart = (1_000_000_000 + 90 * 3_000 + jumpTicks) >>> 0
    expect(clock.toTimelineUs(restart, 4_100_000)).toBeCloseTo(4_100_000, -2)
    expect(clock.toTimelineUs(restart + 3_000, 4_133_400)).toBeCloseTo(4_133_333, -2)
  })

  test("follows arrival after a pause of the sender's clock, some seconds later", () => {
    const clock = create()
    const pauseUs = 20_000_000
    let lateness = 0
    for (let i = 0; i < 600; i++) {
      const arrivalUs = Math.round(i * 33_333.4) + (i >= 300 ? pauseUs : 0)
      lateness = arrivalUs - clock.toTimelineUs(i * 3_000, arrivalUs)
    }
    expect(lateness).toBeLessThan(100_000)
  })

  test("stays put while a blocked network catches up", () => {
    const clock = create()
    let worstUs = 0
    for (let i = 0; i < 600; i++) {
      const captureUs = Math.round(i * 33_333.4)
      const arrivalUs = captureUs >= 5_000_000 && captureUs < 8_000_000 ? 8_000_000 : captureUs
      worstUs = Math.max(worstUs, Math.abs(clock.toTimelineUs(i * 3_000, arrivalUs) - captureUs))
    }
    expect(worstUs).toBeLessThan(5_000)
  })
})

describe("a start in a burst, of what was queued while the connection came up,", () => {
  test.each([
    { name: "with reports", reports: { firstUs: 1_000_000, intervalUs: 1_000_000 } },
    { name: "without reports", reports: undefined },
  ])("leaves pictures as they are and brings sound to them, $name", ({ reports }) => {
    const start = { connectedUs: 400_000, ...(reports && { reports }) }
    const samples = simulate({ audio: { ...audio, ...start }, video: { ...video, ...start } }, 30_000_000, 5)
    const errors = stepErrorsUs(samples.video).map(({ errorUs }) => Math.abs(errorUs))
    expect(Math.max(...errors)).toBeLessThan(25)
    expect(Math.max(...lipErrorsUs(samples.audio, samples.video, 5_000_000).map(Math.abs))).toBeLessThan(45_000)
  })
})

describe("what was published before", () => {
  test("ends before the first packet of either track, which stay together", () => {
    const publisher = new PublisherClock(7_000_000)
    const picture = new TimelineClock(publisher, VIDEO).toTimelineUs(1, 2_000_000)
    expect(picture).toBe(7_000_000)
    expect(new TimelineClock(publisher, AUDIO).toTimelineUs(1, 2_010_000)).toBe(picture + 10_000)
  })
})

test("times of a sender whose clock is slow or fast stay within about a second of arrival for hours", () => {
  for (const ppm of [-200, 200]) {
    const publisher = new PublisherClock(0)
    const picture = new TimelineClock(publisher, VIDEO)
    const arrivalUs = 6 * 3_600_000_000
    let timeUs = 0
    for (let atUs = 0; atUs <= arrivalUs; atUs += 500_000) {
      timeUs = picture.toTimelineUs(Math.round(atUs * (1 + ppm / 1e6) * 0.09) >>> 0, atUs)
    }
    expect(Math.abs(timeUs - arrivalUs)).toBeLessThan(1_100_000)
  }
})

test("reports that a busy sender writes late now and then do not move its tracks apart", () => {
  const publisher = new PublisherClock(0)
  const sound = new TimelineClock(publisher, AUDIO)
  const picture = new TimelineClock(publisher, VIDEO)
  const random = seededRandom(4)
  let worstUs = 0
  for (let nowUs = 0; nowUs < 60_000_000; nowUs += 100_000) {
    const soundUs = sound.toTimelineUs((nowUs * 48) / 1_000, nowUs)
    worstUs = Math.max(worstUs, Math.abs(soundUs - picture.toTimelineUs((nowUs * 90) / 1_000, nowUs)))
    if (nowUs % 1_000_000 !== 0) continue
    for (const [clock, ticksPerMs] of [[sound, 48] as const, [picture, 90] as const]) {
      const lateUs = random() < 0.15 ? Math.round(random() * 400_000) : 0
      const wallUs = 1_700_000_000_000_000 + nowUs + lateUs
      clock.onSenderReport({ ...unixUsToNtp(wallUs), rtpTimestamp: (nowUs * ticksPerMs) / 1_000 })
    }
  }
  expect(worstUs).toBeLessThan(45_000)
})

describe("a browser that loses sound and numbers on", () => {
  const PAUSE_US = 110_000
  const AT_US = 20_000_000

  /** Lip error in each second; `delayUs` is what the network adds to both tracks, `writtenLateUs` what one report is late. */
  function run({ pauseUs = 0, queueUs = 0, lateUs = 0 }: { pauseUs?: number; queueUs?: number; lateUs?: number }) {
    const publisher = new PublisherClock(0)
    const audio = new TimelineClock(publisher, AUDIO)
    const video = new TimelineClock(publisher, VIDEO)
    const errorsUs: number[] = []
    for (let nowMs = 0; nowMs < 40_000; nowMs += 20) {
      const nowUs = nowMs * 1_000
      const isAfter = nowUs >= AT_US
      const soundUs = nowUs - (isAfter ? pauseUs : 0)
      const arrivalUs = nowUs + 10_000 + (isAfter ? queueUs : 0)
      const soundTimeUs = audio.toTimelineUs((soundUs * 48) / 1_000, arrivalUs)
      const pictureTimeUs = video.toTimelineUs((nowUs * 90) / 1_000, arrivalUs + 30_000)
      const wallUs = 1_700_000_000_000_000 + nowUs
      if (nowMs % 5_000 === 2_000) {
        const isLate = nowUs > AT_US && nowUs < AT_US + 4_000_000
        const wall = unixUsToNtp(wallUs + (isLate ? lateUs : 0))
        audio.onSenderReport({ ...wall, rtpTimestamp: (soundUs * 48) / 1_000 })
      }
      if (nowMs % 1_000 === 500) video.onSenderReport({ ...unixUsToNtp(wallUs), rtpTimestamp: (nowUs * 90) / 1_000 })
      if (nowMs % 1_000 === 0) errorsUs.push(soundTimeUs - pictureTimeUs)
    }
    return errorsUs
  }

  test("has it back at the picture within a second of the next report", () => {
    const errorsUs = run({ pauseUs: PAUSE_US })
    expect(Math.abs(errorsUs[19] as number)).toBeLessThan(15_000)
    expect(errorsUs[21]).toBeLessThan(-90_000)
    for (const errorUs of errorsUs.slice(23)) expect(Math.abs(errorUs)).toBeLessThan(15_000)
  })

  test.each([
    { name: "a report that was written late", queueUs: 0, lateUs: PAUSE_US },
    { name: "a queue in the network", queueUs: PAUSE_US, lateUs: 0 },
    { name: "both at once", queueUs: PAUSE_US, lateUs: PAUSE_US },
  ])("is not seen in $name", ({ queueUs, lateUs }) => {
    for (const errorUs of run({ queueUs, lateUs }).slice(15)) expect(Math.abs(errorUs)).toBeLessThan(15_000)
  })
})

describe("reports that cannot be true are ignored:", () => {
  const wallUs = 1_700_000_000_000_000
  const lastTimes = (disturb: (clock: TimelineClock, i: number) => void) => {
    const publisher = new PublisherClock(0)
    const sound = new TimelineClock(publisher, AUDIO)
    const picture = new TimelineClock(publisher, VIDEO)
    for (let i = 0; i < 1_500; i++) {
      const nowUs = i * 20_000
      sound.toTimelineUs(i * 960, nowUs)
      picture.toTimelineUs(i * 1_800, nowUs)
      if (i % 50 === 49) {
        sound.onSenderReport({ ...unixUsToNtp(wallUs + nowUs), rtpTimestamp: i * 960 })
        picture.onSenderReport({ ...unixUsToNtp(wallUs + nowUs), rtpTimestamp: i * 1_800 })
        disturb(picture, i)
      }
    }
    return Math.abs(sound.toTimelineUs(1_500 * 960, 30_000_000) - picture.toTimelineUs(1_500 * 1_800, 30_000_000))
  }

  test.each<{ name: string; disturb: (clock: TimelineClock, i: number) => void }>([
    { name: "none", disturb: () => undefined },
    {
      name: "another layer's RTP timestamp",
      disturb: (clock, i) => clock.onSenderReport({ ...unixUsToNtp(wallUs + i * 20_000), rtpTimestamp: 0x9000_0000 }),
    },
    {
      name: "a wall clock of zero",
      disturb: (clock, i) => clock.onSenderReport({ ntpSeconds: 0, ntpFraction: 0, rtpTimestamp: i * 1_800 }),
    },
    {
      name: "a wall clock that jumps once",
      disturb: (clock, i) => {
        if (i === 749) clock.onSenderReport({ ...unixUsToNtp(wallUs + 3_600_000_000), rtpTimestamp: i * 1_800 })
      },
    },
    {
      name: "tracks that would be an hour apart",
      disturb: (clock, i) =>
        clock.onSenderReport({ ...unixUsToNtp(wallUs + 3_600_000_000 + i * 20_000), rtpTimestamp: i * 1_800 }),
    },
  ])("$name", ({ disturb }) => {
    expect(lastTimes(disturb)).toBeLessThan(2_000)
  })
})
