/** Values of labels by name; few different ones, as every combination is a time series of its own. */
export type MetricLabels = Readonly<Record<string, string>>

/** One value of a metric. */
export interface MetricSample {
  readonly labels?: MetricLabels
  readonly value: number
}

/** A metric with all its samples; names end with their unit, and with `_total` where they only count up. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge"
  readonly samples: readonly MetricSample[]
}

/** Content type of `serializeMetrics`. */
export const METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** Writes metrics in Prometheus' text exposition format 0.0.4; families without samples are left out. */
export function serializeMetrics(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(
        ({ labels = {}, value }) => `${name}${serializeLabels(labels)} ${serializeValue(value)}\n`,
      )
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`
    })
    .join("")
}

function serializeLabels(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

function serializeValue(value: number): string {
  if (Number.isNaN(value)) return "NaN"
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? "+Inf" : "-Inf"
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
