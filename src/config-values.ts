import { z } from "zod"

/** A whole number above 0. */
export const positive = z.coerce.number().int().positive()

/** True or false; `true`, `yes`, `1` and so on in an environment variable. */
export const flag = z.union([z.boolean(), z.stringbool()])

/** A list in a file, or text with commas in an environment variable. */
export function listOf<Item extends z.ZodType>(list: Item) {
  const split = (text: string) => text.split(",").map((part) => part.trim())
  return z.preprocess((value) => (typeof value === "string" ? split(value).filter(Boolean) : value), list)
}

/** Objects in a file, or JSON in an environment variable; what is no JSON is left for the schema to refuse, with the key's name. */
export function orJson<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => {
    if (typeof value !== "string") return value
    try {
      return JSON.parse(value) as unknown
    } catch {
      return value
    }
  }, schema)
}

/** The keys that name a TLS server's certificate and private key; both of them turn on what is named. */
export function tlsFileKeys(what: string) {
  return {
    certFile: z
      .string()
      .default("")
      .describe(`PEM file with the certificate and its chain; both files turn ${what} on`),
    keyFile: z
      .string()
      .default("")
      .describe("PEM file with the private key; both files are read again when they change"),
  }
}

/** For `refine`: certificate and key are both named, or neither. */
export const BOTH_TLS_FILES = [
  ({ certFile, keyFile }: { certFile: string; keyFile: string }) => (certFile === "") === (keyFile === ""),
  { error: "needs certFile and keyFile, or neither" },
] as const
