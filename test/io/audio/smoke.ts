import { WasmTranscoders } from "../../../src/io/audio/wasm-transcoders.ts"
import { aacSound, opusSound } from "./sound.ts"

/** Transcodes both ways in whatever runtime this is started with, and prints how many frames came out. */
const transcoders = new WasmTranscoders()
const counts = await Promise.all(
  [aacSound(44_100, 2), opusSound(1)].map(({ config, frames }) => {
    const lastUs = (frames.at(-1)?.ptsUs ?? 0) - 65_000
    return new Promise<number>((resolve, reject) => {
      let count = 0
      const onFrame = ({ ptsUs }: { ptsUs: number }) => {
        count++
        if (ptsUs >= lastUs) resolve(count)
      }
      const transcoder = transcoders.open(config, { onFrame, onError: reject })
      for (const frame of frames) transcoder.push(frame)
    })
  }),
)
await transcoders.close()
process.stdout.write(`${counts.join(" ")}\n`)
