import { expect, test } from "vitest"
import { fakeApp } from "./support.ts"

/** The player library as browsers load it from the gateway. */
const ENTRY = "/assets/player/whep-player.js"

/** Follows the imports of a module as a browser does. */
async function load(app: ReturnType<typeof fakeApp>["app"], path: string, loaded = new Map<string, Response>()) {
  if (loaded.has(path)) return loaded
  const response = await app.request(path)
  loaded.set(path, response)
  const source = await response.clone().text()
  for (const [, imported = ""] of source.matchAll(/^(?:import|export)\b[^"']*from\s*["']([^"']+)["']/gm)) {
    expect(imported, `in ${path}`).toMatch(/^\.\.?\/.*\.js$/)
    await load(app, new URL(imported, `http://gateway${path}`).pathname, loaded)
  }
  return loaded
}

test("the player library comes as JavaScript with all that it imports, for pages of any site", async () => {
  const loaded = await load(fakeApp().app, ENTRY)
  expect([...loaded.keys()]).toContain("/assets/minisdp/lossless/envelope.js")
  for (const [path, response] of loaded) {
    expect(response.status, path).toBe(200)
    expect(Object.fromEntries(response.headers), path).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "access-control-allow-origin": "*",
      etag: expect.any(String),
    })
    expect(await response.text(), path).not.toMatch(/^\s*(?:export )?(?:interface|type) \w+/m)
  }
})

test("no module but those of the library is served from the sources", async () => {
  const { app } = fakeApp()
  for (const path of ["/assets/main.js", "/assets/config.js", "/assets/player/whep-player.ts", "/assets/player/"]) {
    expect((await app.request(path)).status, path).toBe(404)
  }
})

test("the watch page names all modules at once, so that browsers need not find them one after another", async () => {
  const { app } = fakeApp()
  const link = (await app.request("/watch/live/cam1")).headers.get("link") ?? ""
  const preloaded = [...link.matchAll(/<([^>]+)>; rel="modulepreload"/g)].map(([, path = ""]) => path)
  const needed = await load(app, "/assets/watch.js")
  needed.delete("/assets/watch.js") // the page itself names it
  expect(new Set(preloaded)).toEqual(new Set(needed.keys()))
})
