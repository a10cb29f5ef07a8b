import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { type Context, Hono } from "hono"
import { readBrowserModules } from "./browser-modules.ts"

/**
 * The pages for people: live streams at `/`, the player at `/watch/{app}/{stream}`, the publisher at
 * `/publish/{app}/{stream}`.
 */
export function pageRoutes(): Hono {
  const app = new Hono()
  const home = loadFile("index.html")
  const watch = loadFile("watch.html")
  const publish = loadFile("publish.html")
  const assets = new Map(ASSETS.map((name) => [name, loadFile(name)]))
  const player = new Map([...readBrowserModules(PLAYER)].map(([name, body]) => [name, pageFile(name, body)]))
  // The player may be embedded in other sites' pages, the rest may not.
  const watchHeaders = {
    "content-security-policy": contentSecurityPolicy("*"),
    link: ["dom.js", ...player.keys()].map((name) => `</assets/${name}>; rel="modulepreload"`).join(", "),
  }

  app.get("/", (c) => send(c, home))
  app.get("/watch/:app/:stream", (c) => send(c, watch, watchHeaders))
  app.get("/publish/:app/:stream", (c) => send(c, publish))
  app.get("/favicon.ico", (c) => c.redirect("/assets/logo.svg", 301))
  app.get("/assets/:name{.+}", (c) => {
    const name = c.req.param("name")
    const module = player.get(name)
    // Other sites' pages may import the player from here.
    if (module !== undefined) return send(c, module, { "access-control-allow-origin": "*" })
    const file = assets.get(name)
    return file === undefined ? c.notFound() : send(c, file)
  })
  return app
}

interface PageFile {
  readonly body: string
  readonly contentType: string
  readonly etag: string
}

/** Read at start: a missing file is noticed then, and no request touches the disk. */
function loadFile(name: string): PageFile {
  return pageFile(name, readFileSync(new URL(`./pages/${name}`, import.meta.url), "utf8"))
}

function pageFile(name: string, body: string): PageFile {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
  return { body, contentType: CONTENT_TYPES[name.slice(name.lastIndexOf("."))] ?? "text/plain; charset=utf-8", etag }
}

function send(
  c: Context,
  { body, contentType, etag }: PageFile,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const common = {
    etag,
    "cache-control": "no-cache",
    "content-security-policy": contentSecurityPolicy("'self'"),
    ...headers,
  }
  if (c.req.header("if-none-match")?.includes(etag) === true) return c.body(null, 304, common)
  return c.body(body, 200, { ...common, "content-type": contentType })
}

/** Everything comes from this server and nothing stands inline, so text from peers cannot become code. */
function contentSecurityPolicy(frameAncestors: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${frameAncestors}`,
  ].join("; ")
}

/** The library for pages; what it imports comes along. */
const PLAYER = "player/whep-player.js"

const ASSETS = [
  "logo.svg",
  "thread.svg",
  "style.css",
  "home.css",
  "stage.css",
  "studio.css",
  "dom.js",
  "home.js",
  "watch.js",
  "capture.js",
  "publisher.js",
  "publish.js",
]

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
}
